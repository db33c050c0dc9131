package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// cycle makes at most one generation from desired state. An error is something
// that may pass by itself; a refusal is none.
func (r *Runner) cycle(ctx context.Context) error {
	r.line.Lock()
	defer r.line.Unlock()
	err := r.build(ctx)
	r.stale(err != nil && ctx.Err() == nil)
	return err
}

// build is cycle for who holds the line.
func (r *Runner) build(ctx context.Context) error {
	r.finishMark()
	desired, blocked := r.ready()
	if desired == nil || blocked {
		return nil
	}
	begun := time.Now()
	r.tick(ctx, begun)
	draft, err := r.plan(ctx, desired)
	if errors.Is(err, errCooling) {
		return err
	}
	if err != nil {
		r.failed(err)
		return err
	}
	if draft != nil && r.cfg.Observe {
		r.observed(ctx, draft)
		return nil
	}
	r.gone(ctx, draft, begun)
	if draft == nil {
		r.offer(r.Active().Snapshot, begun)
		r.onWire(ctx, begun)
		return nil
	}
	return r.roll(ctx, draft, begun)
}

// roll takes a plan as far as its waves let it.
func (r *Runner) roll(ctx context.Context, d *draft, begun time.Time) error {
	wait, fresh := r.sort(d)
	r.atEdge(d, &wait)
	return r.attempt(ctx, attempted{from: d, wait: wait, fresh: fresh}, begun)
}

// attempt judges what does not wait, whole.
func (r *Runner) attempt(ctx context.Context, a attempted, begun time.Time) error {
	d, wait := a.from, a.wait
	whole, err := r.without(d, wait)
	if err != nil {
		r.failed(err)
		return err
	}
	if whole == nil {
		r.ledger.settle(d.seq, r.keeping(wait.keeps))
		r.clear()
		r.onWire(ctx, begun)
		return nil
	}
	r.step(StepPreflight)
	report := r.afterStatic(whole.snapshot, plan.Preflight(ctx, whole.plan, r.cfg.Checks, r.cfg.Gate))
	if report.Verdict != policy.Allow {
		a.whole = whole
		return r.refused(ctx, a, report, begun)
	}
	a.whole = whole
	return r.release(ctx, a, report, begun)
}

// release carries out a plan that was judged. What of it is new becomes a
// rollout: its first wave goes out together with whatever needs none.
func (r *Runner) release(ctx context.Context, a attempted, report plan.Report, begun time.Time) error {
	d, whole, wait, fresh := a.from, a.whole, a.wait, a.fresh
	if len(fresh) == 0 {
		return r.carryOut(ctx, whole, report, begun)
	}
	ro := r.begin(whole, fresh)
	for _, w := range ro.Waves[1:] {
		for _, it := range w.Items {
			wait.hold(it)
		}
	}
	first := whole
	if len(ro.Waves) > 1 {
		var err error
		if first, err = r.without(d, wait); err != nil || first == nil {
			err = fmt.Errorf("first wave of rollout %s: %w", ro.ID, cmp.Or(err, errors.New("it is empty")))
			r.failed(err)
			return err
		}
		if report = plan.Preflight(ctx, first.plan, r.cfg.Checks, r.cfg.Gate); report.Verdict != policy.Allow {
			return r.refused(ctx, attempted{from: d, whole: first, wait: wait}, report, begun)
		}
	}
	if err := r.start(ctx, ro, begun); err != nil {
		r.failed(err)
		return err
	}
	return r.carryOut(ctx, first, report, begun)
}

// errCooling says that desired state was invalid a moment ago. It must build
// Believed times in a row before it is believed again, so that a source that
// alternates between good and bad moves nothing (SNP-08).
var errCooling = errors.New("desired state was invalid: waiting until it stays valid")

// Believed is how many valid builds in a row it takes after an invalid one.
const Believed = 3

const coolPause = 2 * time.Second

// draft is a snapshot on its way, with the plan towards it.
type draft struct {
	snapshot *snapshots.Snapshot
	plan     plan.Plan
	seq      uint64 // of the last ChangeSet that is certainly in it
	actor    string
	reason   string
	keep     func(route) bool // what waits for another generation; nil is nothing
}

// plan reads desired state, builds and compares. A nil draft means that there
// is nothing to do. A loss that nothing explains is looked at again when its
// ChangeSet arrives late: committing comes before notifying.
func (r *Runner) plan(ctx context.Context, desired Desired) (*draft, error) {
	for late := false; ; late = true {
		more := r.ledger.more()
		d, left, err := r.planOnce(ctx, desired)
		if err != nil || d == nil || left == 0 || late {
			return d, err
		}
		select {
		case <-more:
		case <-time.After(lateNote):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (r *Runner) planOnce(ctx context.Context, desired Desired) (d *draft, unexplained int, err error) {
	r.step(StepRead)
	seq, now := r.ledger.mark(), time.Now()
	delta, err := r.changed(ctx, desired, now)
	if err != nil {
		return nil, 0, fmt.Errorf("read desired state: %w", err)
	}
	r.step(StepBuild)
	next, err := r.construct(ctx, desired, delta, now)
	if err != nil {
		r.invalid(err)
		r.cool = Believed
		return nil, 0, errCooling
	}
	r.built(now)
	if r.cool > 0 {
		if r.cool--; r.cool > 0 {
			return nil, 0, errCooling
		}
	}
	active := r.Active().Snapshot
	if next, err = r.holdBack(active, next); err != nil {
		return nil, 0, err
	}
	if active != nil && next.ID() == active.ID() {
		r.ledger.settle(seq, r.keeping(nil))
		r.clear()
		return nil, 0, nil
	}
	r.step(StepPlan)
	d = r.draft(active, next, seq, now)
	return d, d.plan.Explain(r.explain), nil
}

// changed reads what of desired state has changed since the last build, or all
// of it when the time for that has come.
func (r *Runner) changed(ctx context.Context, desired Desired, now time.Time) (addressing.Delta, error) {
	since, also := r.b.Since(now)
	if now.Sub(r.read) >= wholeEvery || desired != r.from {
		since, also = addressing.Revision{}, nil
	}
	d, err := desired.Since(ctx, since, also)
	if err == nil && d.Whole {
		r.read, r.from = now, desired
	}
	return d, err
}

// holdBack leaves out what waits.
func (r *Runner) holdBack(active, next *snapshots.Snapshot) (*snapshots.Snapshot, error) {
	var held func(account string, cidr netip.Prefix) bool
	if r.cfg.Held != nil {
		held = r.cfg.Held()
	}
	if paced := r.paced(); len(paced) > 0 {
		queued := held
		held = func(account string, cidr netip.Prefix) bool {
			return paced[route{account, cidr}] || queued != nil && queued(account, cidr)
		}
	}
	if held == nil || active == nil {
		return next, nil
	}
	next, err := snapshots.HoldBack(active, next, held)
	if err != nil {
		return nil, fmt.Errorf("hold back what waits: %w", err)
	}
	return next, nil
}

func (r *Runner) draft(active, next *snapshots.Snapshot, seq uint64, now time.Time) *draft {
	_, generation := r.cfg.Store.Highest()
	d := &draft{snapshot: next, plan: plan.Diff(active, next), seq: seq}
	d.plan.Generation, d.plan.At = generation+1, now
	d.plan.Admitted, d.plan.Actors, d.reason = r.ledger.carried()
	switch {
	case len(d.plan.Admitted) > 0:
		d.plan.Origin, d.actor = plan.FromChanges, d.plan.Actors[0].Key()
		if n := len(d.plan.Actors); n > 1 {
			d.actor += fmt.Sprintf(" and %d more", n-1)
		}
	case active != nil && active.NetworkSum() != next.NetworkSum() && len(d.plan.Changes) == 0, active == nil:
		d.plan.Origin, d.actor, d.reason = plan.FromConfig, "system/config", "configuration"
	case leaves(d.plan):
		d.plan.Origin, d.actor, d.reason = plan.FromChanges, "system/drain", "withdrawn before; the time of the drain has come"
	default:
		d.plan.Origin, d.actor, d.reason = plan.FromDrift, "system/drift", "desired state moved without a change set"
	}
	return d
}

// leaves reports whether all that a plan does is to take down routes that were
// withdrawn before and drained until now.
func leaves(p plan.Plan) bool {
	for i := range p.Changes {
		if c := &p.Changes[i]; c.Kind != plan.Withdraw || c.Before.DownAt == 0 || c.Before.DownAt > p.At.Unix() {
			return false
		}
	}
	return len(p.Changes) > 0 && len(p.Network) == 0
}

func (r *Runner) explain(c plan.Change) (plan.Reason, bool) {
	if why, found := r.ledger.find(c); found {
		return why, true
	}
	if why, found := r.rolledReason(c); found {
		return why, true
	}
	if r.cfg.Explain == nil || !c.Loses {
		return plan.Reason{}, false
	}
	return r.cfg.Explain(c.Account, c.CIDR)
}

// carryOut stores, applies and marks a generation. The order is what makes a
// crash harmless: a stored generation is nothing until it is applied, and
// applying is repeated until it is marked.
func (r *Runner) carryOut(ctx context.Context, d *draft, report plan.Report, begun time.Time) error {
	head, findings, err := r.deploy(ctx, d.snapshot, d.actor, d.reason)
	if err != nil {
		r.failed(err)
		return err
	}
	r.ledger.settle(d.seq, r.keeping(d.keep))
	r.clear()
	d.plan.Generation = head.Generation
	r.onWire(ctx, time.Now())
	r.step(StepDone)
	done := Applied{Head: head, Plan: d.plan, Findings: slices.Concat(report.Findings, findings), Took: time.Since(begun)}
	r.log.Info("generation applied", "generation", head.Generation, "snapshot", head.ID, "actor", head.Actor, "changes", len(d.plan.Changes), "took", done.Took)
	if r.cfg.OnApplied != nil {
		r.cfg.OnApplied(done)
	}
	return nil
}

func (r *Runner) deploy(ctx context.Context, s *snapshots.Snapshot, actor, why string) (snapshots.Head, []policy.Finding, error) {
	epoch, generation := r.cfg.Store.Highest()
	active := r.Active()
	head := snapshots.Head{
		Environment: r.cfg.Environment, Epoch: max(epoch, 1), Generation: generation + 1, ID: s.ID(), Parent: active.Head.ID,
		CreatedAt: time.Now().UnixNano(), Actor: cut(actor), Reason: cut(why),
	}
	if err := r.beforeApply(ctx, s); err != nil {
		return head, nil, err
	}
	r.step(StepStore)
	if err := r.cfg.Store.Put(head, s); err != nil {
		return head, nil, fmt.Errorf("store snapshot: %w", err)
	}
	r.step(StepApply)
	r.trial.try(head)
	findings, err := r.apply(ctx, head, s)
	if err != nil {
		return head, findings, err
	}
	r.setActive(snapshots.Loaded{Head: head, Snapshot: s}, findings)
	if err := r.sessions(ctx, r.behind(s)); err != nil {
		r.degraded(err) // a neighbor that left keeps its session until the next generation
	}
	r.step(StepGood)
	if err := r.cfg.Store.MarkGood(head); err != nil {
		// The wire has it already. Say so, and try again with the next cycle.
		r.mark = &head
		r.degraded(err)
	}
	return head, findings, nil
}

// apply hands the Target to the speaker: the neighbors that the snapshot and
// the configuration both know.
func (r *Runner) apply(ctx context.Context, head snapshots.Head, s *snapshots.Snapshot) ([]policy.Finding, error) {
	t, findings := r.aim.Targets(s, head.Epoch, head.Generation, firstWave)
	known := map[string]bool{}
	for name := range r.spoken {
		known[name] = true
	}
	for name := range t.Neighbors {
		if !known[name] {
			delete(t.Neighbors, name)
			findings = append(findings, policy.Finding{
				Rule: "target.unconfigured", Verdict: policy.Allow, Why: "neighbor " + name + " is in the snapshot but no longer in the configuration: it has no session",
			})
		}
	}
	if t.Total() == 0 {
		t.Empty = fmt.Sprintf("generation %d has no route for any neighbor: %s by %s", head.Generation, head.Reason, head.Actor)
	}
	if err := r.cfg.Applier.Apply(ctx, t); err != nil {
		return findings, fmt.Errorf("apply generation %d: %w", head.Generation, err)
	}
	return findings, nil
}

// finishMark marks the active generation good if that failed before.
func (r *Runner) finishMark() {
	if r.mark == nil {
		return
	}
	if err := r.cfg.Store.MarkGood(*r.mark); err != nil {
		r.degraded(err)
		return
	}
	r.mark = nil
	r.degraded(nil)
}

func cut(s string) string {
	const most = 1000
	if len(s) > most {
		return s[:most]
	}
	return s
}

// actorKey is for actors that may be missing.
func actorKey(a addressing.Actor) string {
	if a.Kind == "" {
		return "nobody"
	}
	return a.Key()
}
