package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// HealthBoard takes what services saw. *health.Board is one.
type HealthBoard interface {
	Add(samples []health.Sample) error
	Pushed() bool // this way is configured as a source
	Count(at time.Time) (known, fresh int)
}

// ReportHealth takes samples in: all of them, or none.
func (h *handlers) ReportHealth(ctx context.Context, r ReportHealthRequestObject) (ReportHealthResponseObject, error) {
	if h.cfg.Health == nil || !h.cfg.Health.Pushed() {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "health", Detail: "health.push is not configured",
			Next: "set health.push in the configuration: until then rollouts would not listen"}
	}
	c := callIn(ctx)
	samples := make([]health.Sample, 0, len(r.Body.Items))
	for _, i := range r.Body.Items {
		samples = append(samples, health.Sample{Account: i.AccountID, Site: i.Site, Service: i.Service, At: c.at,
			Requests: float64(i.Requests), Errors: float64(i.Errors), UnderAttack: i.UnderAttack != nil && *i.UnderAttack})
	}
	if err := h.cfg.Health.Add(samples); err != nil {
		return nil, &addressing.Error{Code: addressing.CodeInvalid, Op: "health", Field: "items", Detail: err.Error()}
	}
	known, fresh := h.cfg.Health.Count(c.at)
	return ReportHealth200JSONResponse{Body: HealthReported{Items: len(samples), Known: known, Fresh: fresh}}, nil
}
