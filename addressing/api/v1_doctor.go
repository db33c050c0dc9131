package api

import (
	"context"
	"time"
)

// Doctor looks at everything that the daemon depends on. It may need nothing
// that can be down (invariant 11).
type Doctor interface {
	Examine(ctx context.Context, at time.Time) []Diagnosis
}

// GetDoctor lists what was looked at. It answers 200 whatever was found.
func (h *handlers) GetDoctor(ctx context.Context, _ GetDoctorRequestObject) (GetDoctorResponseObject, error) {
	if h.cfg.Doctor == nil {
		return nil, missing("doctor")
	}
	worst := DoctorReportVerdictOk
	items := []Diagnosis{}
	for _, d := range h.cfg.Doctor.Examine(ctx, callIn(ctx).at) {
		items = append(items, d)
		switch {
		case d.Verdict == DiagnosisVerdictRisk:
			worst = DoctorReportVerdictRisk
		case d.Verdict == DiagnosisVerdictWarning && worst == DoctorReportVerdictOk:
			worst = DoctorReportVerdictWarning
		}
	}
	return GetDoctor200JSONResponse{Verdict: worst, Items: items, Scope: "all", Environment: h.environment(), Count: len(items), Total: len(items)}, nil
}
