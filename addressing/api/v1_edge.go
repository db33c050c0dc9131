package api

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
)

// Edge is the edge machines and what they must be ready for.
type Edge interface {
	Ask(name, site string, at time.Time) (feed edge.Feed, newer <-chan struct{}, fresh bool, err error)
	Acknowledge(name, site string, generation uint64, at time.Time) (m edge.Machine, fresh bool, err error)
	Machines() (all []edge.Machine, newest uint64)
	State(m edge.Machine, at time.Time) string
}

// WatchEdgeBindings answers with all bindings as soon as they are newer than
// what the machine has, or when it waited long enough.
func (h *handlers) WatchEdgeBindings(ctx context.Context, r WatchEdgeBindingsRequestObject) (WatchEdgeBindingsResponseObject, error) {
	if h.cfg.Edge == nil {
		return nil, missing("edge machines")
	}
	wait := time.Duration(0)
	if r.Params.Wait != nil {
		wait = time.Duration(*r.Params.Wait) * time.Second
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	for {
		feed, newer, _, err := h.cfg.Edge.Ask(r.Params.Machine, r.Params.Site, time.Now())
		if err != nil {
			return nil, &addressing.Error{Code: addressing.CodeRefused, Op: "edge", Detail: err.Error()}
		}
		if wait > 0 && r.Params.After != nil && uint64(*r.Params.After) == feed.Generation {
			select {
			case <-newer:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-limit.C:
			}
		}
		return WatchEdgeBindings200JSONResponse(h.edgeBindings(feed)), nil
	}
}

func (h *handlers) edgeBindings(f edge.Feed) EdgeBindings {
	out := EdgeBindings{Generation: int64(f.Generation), Environment: h.environment(), Items: make([]EdgeBinding, 0, len(f.Items))}
	for _, b := range f.Items {
		out.Items = append(out.Items, EdgeBinding{AccountID: b.Account, Cidr: b.CIDR.String(), Services: b.Services})
	}
	return out
}

// AcknowledgeEdge notes that a machine is ready for a generation.
func (h *handlers) AcknowledgeEdge(ctx context.Context, r AcknowledgeEdgeRequestObject) (AcknowledgeEdgeResponseObject, error) {
	if h.cfg.Edge == nil {
		return nil, missing("edge machines")
	}
	c := callIn(ctx)
	m, _, err := h.cfg.Edge.Acknowledge(r.Body.Machine, r.Body.Site, uint64(r.Body.Generation), c.at)
	switch {
	case errors.Is(err, edge.ErrAhead):
		return nil, &addressing.Error{Code: addressing.CodeConflict, Op: "edge", Field: "generation", Detail: err.Error(), Next: "ask for the bindings again, and acknowledge what comes"}
	case err != nil:
		return nil, &addressing.Error{Code: addressing.CodeRefused, Op: "edge", Detail: err.Error()}
	}
	_, newest := h.cfg.Edge.Machines()
	return AcknowledgeEdge200JSONResponse{Body: h.machineOut(m, newest, c.at)}, nil
}

func (h *handlers) machineOut(m edge.Machine, newest uint64, at time.Time) EdgeMachine {
	return EdgeMachine{Name: m.Name, Site: m.Site, Generation: int64(m.Acked), Behind: m.Acked < newest, State: EdgeMachineState(h.cfg.Edge.State(m, at)), SeenAt: micro(m.Seen)}
}

// ListEdgeMachines lists them by site and name.
func (h *handlers) ListEdgeMachines(ctx context.Context, _ ListEdgeMachinesRequestObject) (ListEdgeMachinesResponseObject, error) {
	if h.cfg.Edge == nil {
		return nil, missing("edge machines")
	}
	all, newest := h.cfg.Edge.Machines()
	at := callIn(ctx).at
	out := make([]EdgeMachine, 0, len(all))
	for _, m := range all {
		out = append(out, h.machineOut(m, newest, at))
	}
	return ListEdgeMachines200JSONResponse(EdgeMachineList{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}), nil
}
