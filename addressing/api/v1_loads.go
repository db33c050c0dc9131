package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// LoadBoard takes what sites and neighbors carry.
type LoadBoard interface {
	Add(loads []health.Load) error
	Pushed() bool // this way is configured as a source
	Fresh(at time.Time) int
}

// ReportLoads takes loads in: all of them, or none.
func (h *handlers) ReportLoads(ctx context.Context, r ReportLoadsRequestObject) (ReportLoadsResponseObject, error) {
	if h.cfg.Loads == nil || !h.cfg.Loads.Pushed() {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "loads", Detail: "health.loads.push is not configured",
			Next: "set health.loads.push in the configuration: until then nobody would look at them"}
	}
	c := callIn(ctx)
	loads := make([]health.Load, 0, len(r.Body.Items))
	for _, i := range r.Body.Items {
		l := health.Load{At: c.at, Bits: float64(i.BitsPerSecond)}
		if i.Site != nil {
			l.Site = *i.Site
		}
		if i.Neighbor != nil {
			l.Neighbor = *i.Neighbor
		}
		loads = append(loads, l)
	}
	if err := h.cfg.Loads.Add(loads); err != nil {
		return nil, &addressing.Error{Code: addressing.CodeInvalid, Op: "loads", Field: "items", Detail: err.Error()}
	}
	return ReportLoads200JSONResponse{Body: LoadsReported{Items: len(loads), Fresh: h.cfg.Loads.Fresh(c.at)}}, nil
}
