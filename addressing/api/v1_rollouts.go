package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// Rollouts is the changes that go out in waves. None of it may need the store
// (invariant 11).
type Rollouts interface {
	Rollouts() []rollout.Rollout
	Forecast(p plan.Plan) rollout.Forecast
	Decide(ctx context.Context, id string, verb rollout.EventKind, actor addressing.Actor, why string) (rollout.Rollout, error)
}

func rolloutOut(r rollout.Rollout) Rollout {
	out := Rollout{
		ID: r.ID, Class: RolloutClass(r.Class), Phase: RolloutPhase(r.Phase), FromGeneration: int64(r.From), Actor: r.Actor, Reason: r.Reason,
		CreatedAt: micro(r.CreatedAt), Since: micro(r.Since), Why: textOrNil(r.Why), Monitor: RolloutMonitor(r.Monitor), Waiting: r.Waiting,
		Released: r.Released, Applied: r.Applied, Changes: r.Changes(), Uncovered: append([]string{}, r.Uncovered...), Restored: r.Restored,
		Waves: wavesOut(r.Waves), Log: make([]RolloutEvent, 0, len(r.Log)),
	}
	for _, l := range r.Log {
		out.Log = append(out.Log, RolloutEvent{At: micro(l.At), Event: string(l.Event), Phase: string(l.Phase), Wave: l.Wave, By: textOrNil(l.By), Why: textOrNil(l.Why)})
	}
	return out
}

func wavesOut(waves []plan.Wave) []RolloutWave {
	out := make([]RolloutWave, 0, len(waves))
	for _, w := range waves {
		wave := RolloutWave{Stage: w.Stage, Percent: w.Percent, SoakSeconds: float32(w.Soak.Seconds()), Changes: w.Ops(), Accounts: []string{}, Prefixes: []string{}, Neighbors: []string{}}
		for _, it := range w.Items {
			if it.Neighbor != "" {
				wave.Neighbors = append(wave.Neighbors, it.Neighbor)
				continue
			}
			wave.Accounts = append(wave.Accounts, it.Account)
			wave.Prefixes = append(wave.Prefixes, it.Block.String())
		}
		slices.Sort(wave.Accounts)
		wave.Accounts = slices.Compact(wave.Accounts)
		out = append(out, wave)
	}
	return out
}

// ListRollouts lists them, oldest first.
func (h *handlers) ListRollouts(context.Context, ListRolloutsRequestObject) (ListRolloutsResponseObject, error) {
	if h.cfg.Rollouts == nil {
		return nil, missing("rollouts")
	}
	all := h.cfg.Rollouts.Rollouts()
	out := make([]Rollout, 0, len(all))
	for _, r := range all {
		out = append(out, rolloutOut(r))
	}
	return ListRollouts200JSONResponse(RolloutList{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}), nil
}

// GetRollout is one of them.
func (h *handlers) GetRollout(_ context.Context, r GetRolloutRequestObject) (GetRolloutResponseObject, error) {
	if h.cfg.Rollouts == nil {
		return nil, missing("rollouts")
	}
	for _, one := range h.cfg.Rollouts.Rollouts() {
		if one.ID == r.RolloutID {
			return GetRollout200JSONResponse(rolloutOut(one)), nil
		}
	}
	return nil, noRollout("rollout", rollout.ErrUnknown)
}

// PauseRollout stops one where it is.
func (h *handlers) PauseRollout(ctx context.Context, r PauseRolloutRequestObject) (PauseRolloutResponseObject, error) {
	out, err := h.decideRollout(ctx, r.RolloutID, rollout.Pause, r.Body.Reason)
	return PauseRollout200JSONResponse{Body: out}, err
}

// PromoteRollout lets one go on.
func (h *handlers) PromoteRollout(ctx context.Context, r PromoteRolloutRequestObject) (PromoteRolloutResponseObject, error) {
	out, err := h.decideRollout(ctx, r.RolloutID, rollout.Promote, r.Body.Reason)
	return PromoteRollout200JSONResponse{Body: out}, err
}

// AbortRollout ends one and puts back what it took down.
func (h *handlers) AbortRollout(ctx context.Context, r AbortRolloutRequestObject) (AbortRolloutResponseObject, error) {
	out, err := h.decideRollout(ctx, r.RolloutID, rollout.Abort, r.Body.Reason)
	return AbortRollout200JSONResponse{Body: out}, err
}

// rolloutWait bounds a decision: the line of generations may be busy.
const rolloutWait = 20 * time.Second

func (h *handlers) decideRollout(ctx context.Context, id string, verb rollout.EventKind, why string) (Rollout, error) {
	if h.cfg.Rollouts == nil {
		return Rollout{}, missing("rollouts")
	}
	ctx, cancel := context.WithTimeout(ctx, rolloutWait)
	defer cancel()
	c := callIn(ctx)
	r, err := h.cfg.Rollouts.Decide(ctx, id, verb, c.caller.actor, why)
	if err != nil {
		return Rollout{}, noRollout(fmt.Sprintf("rollout %s", verb), err)
	}
	return rolloutOut(r), nil
}

func noRollout(op string, err error) error {
	code := addressing.CodeConflict
	if errors.Is(err, rollout.ErrUnknown) {
		code = addressing.CodeNotFound
	}
	return &addressing.Error{Code: code, Op: op, Detail: err.Error(), Next: "holdfast rollout list shows what there is and how it stands"}
}
