package rollout

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// Health answers for a wave. *health.Board is one.
type Health interface {
	Monitors(class string) bool
	Judge(q health.Question) health.Answer
}

const (
	watchEvery = time.Second     // health is asked while a wave soaks
	undoEvery  = 5 * time.Second // putting back is tried again
	keepEnded  = 20              // rollouts that are over
)

// waiting is what of a plan may not reach the wire yet.
type waiting struct {
	blocks    map[route]bool // prefixes of an account
	neighbors map[string]*policy.Neighbor
	routes    map[route]bool             // new ones that no edge machine is ready for
	sites     map[route]addressing.Sites // that are ready, of routes that are not ready everywhere
	queued    []plan.Item                // the start of a rollout waits for another to end
	behind    map[string]int             // changes that wait for a rollout, by its id
	dark      string                     // why removals do not begin
}

func (w *waiting) hold(it plan.Item) {
	if it.Neighbor != "" {
		w.neighbors[it.Neighbor] = it.Was
		return
	}
	w.blocks[route{it.Account, it.Block}] = true
}

func (w *waiting) none() bool { return len(w.blocks)+len(w.neighbors)+len(w.routes)+len(w.sites) == 0 }

// covers reports whether a prefix lies in one that is held.
func (w *waiting) covers(account string, p netip.Prefix) bool {
	if w.routes[route{account, p}] {
		return true
	}
	for bits := 0; bits <= p.Bits() && len(w.blocks) > 0; bits++ {
		if w.blocks[route{account, netip.PrefixFrom(p.Addr(), bits).Masked()}] {
			return true
		}
	}
	return false
}

// keeps reports whether the reason of a route's change is needed once more.
func (w *waiting) keeps(r route) bool {
	_, narrowed := w.sites[r]
	return narrowed || w.covers(r.account, r.cidr)
}

// sort says what of a plan waits for its wave, and what is new and makes a
// rollout of its own.
func (r *Runner) sort(d *draft) (w waiting, fresh []plan.Item) {
	w, fresh = r.sorted(d.plan)
	r.dark = w.dark != ""
	r.queue = map[plan.Key]plan.Item{}
	for _, it := range w.queued {
		r.queue[it.Key()] = it
	}
	return w, fresh
}

// sorted is sort for who only looks.
func (r *Runner) sorted(p plan.Plan) (w waiting, fresh []plan.Item) {
	if !r.concerns(p) {
		return w, nil
	}
	w = waiting{behind: map[string]int{}, blocks: map[route]bool{}, neighbors: map[string]*policy.Neighbor{}}
	items := p.Items(true)
	bulk, back := r.bulk(items), r.reverted()
	known := r.known()
	busy := slices.ContainsFunc(r.rollouts, Rollout.busy)
	dark := ""
	if r.cfg.Edge != nil {
		dark = r.cfg.Edge.Dark(p.At)
	}
	for _, it := range items {
		if at, found := known[it.Key()]; found && same(it, r.rollouts[at.rollout].Waves[at.wave].Items[at.item]) {
			if was := r.rollouts[at.rollout].Waves[at.wave].Items[at.item]; r.rollouts[at.rollout].holds(at.wave) {
				w.hold(was)
				w.behind[r.rollouts[at.rollout].ID] += it.Ops
			}
			continue
		}
		switch {
		case it.Neighbor != "" && reflect.DeepEqual(it.Will, back[it.Neighbor].Was) && back[it.Neighbor].Neighbor != "":
			// The way back needs no waves.
		case it.Neighbor == "" && it.Bulk && !bulk:
		case dark != "" && it.Neighbor == "" && !it.Bulk: // removals only
			w.dark = dark
			w.hold(it)
			w.queued = append(w.queued, it)
		case busy:
			w.hold(it)
			w.queued = append(w.queued, it)
		default:
			fresh = append(fresh, it)
		}
	}
	return w, fresh
}

// concerns reports whether anything of a plan may go in waves: an owner's
// announcement need not be looked at any further.
func (r *Runner) concerns(p plan.Plan) bool {
	if r.Active().Snapshot == nil {
		return false
	}
	return len(r.known()) > 0 || len(p.Changes) > r.cfg.Program.maxChanges() || len(p.Network) > 0 || slices.ContainsFunc(p.Changes, plan.Change.InWaves)
}

// bulk reports whether a plan brings up more at once than one generation may
// (HMD-08), and not for its owners. A first load is no change.
func (r *Runner) bulk(items []plan.Item) bool {
	active := r.Active().Snapshot
	if active == nil || active.RouteCount() == 0 {
		return false
	}
	n := 0
	for _, it := range items {
		if it.Bulk {
			n += it.Ops
		}
	}
	return n > r.cfg.Program.maxChanges()
}

type position struct{ rollout, wave, item int }

// known finds the items of all rollouts that still matter.
func (r *Runner) known() map[plan.Key]position {
	if r.index != nil {
		return r.index
	}
	r.index = map[plan.Key]position{}
	for i, ro := range r.rollouts {
		if ro.Phase == Done {
			continue
		}
		for j, w := range ro.Waves {
			for k, it := range w.Items {
				r.index[it.Key()] = position{i, j, k}
			}
		}
	}
	return r.index
}

// same reports whether an item of a plan is the one that a rollout carries, and
// not a later change of the same thing.
func same(it, rolled plan.Item) bool {
	if it.Neighbor != "" {
		return reflect.DeepEqual(it.Will, rolled.Will)
	}
	return it.Set == "" || rolled.Set == "" || it.Set == rolled.Set
}

// without is the draft without what waits. A nil draft means that nothing is
// left to do.
func (r *Runner) without(d *draft, w waiting) (*draft, error) {
	active := r.Active().Snapshot
	if w.none() || active == nil {
		return d, nil
	}
	hold := snapshots.Hold{Route: w.covers}
	if len(w.sites) > 0 {
		hold.Sites = func(account string, p netip.Prefix) (addressing.Sites, bool) {
			s, narrower := w.sites[route{account, p}]
			return s, narrower
		}
	}
	network := d.snapshot.Network
	network.Sites = union(network.Sites, active.Network.Sites)
	network.Neighbors = heldNeighbors(network.Neighbors, w.neighbors)
	hold.Network = &network
	s, err := hold.Over(active, d.snapshot)
	if err != nil {
		return nil, fmt.Errorf("what may go out now does not stand alone: %w", err)
	}
	if s.ID() == active.ID() {
		return nil, nil
	}
	out := &draft{snapshot: s, plan: plan.Diff(active, s), seq: d.seq, actor: d.actor, reason: d.reason, keep: w.keeps}
	out.plan.Generation, out.plan.At, out.plan.Origin, out.plan.Admitted, out.plan.Actors = d.plan.Generation, d.plan.At, d.plan.Origin, d.plan.Admitted, d.plan.Actors
	out.plan.Explain(r.explain)
	return out, nil
}

func union(a, b []string) []string {
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

// heldNeighbors are the new neighbors with the held ones as they were.
func heldNeighbors(now []policy.Neighbor, held map[string]*policy.Neighbor) []policy.Neighbor {
	var out []policy.Neighbor
	for _, n := range now {
		if _, is := held[n.Name]; !is {
			out = append(out, n)
		}
	}
	for _, was := range held {
		if was != nil {
			out = append(out, *was)
		}
	}
	return out
}

// network is what the configuration declares, with the neighbors that a failed
// or aborted rollout changed as they were: until the configuration says
// something else about them.
func (r *Runner) network() snapshots.NetworkPart {
	back := r.reverted()
	if len(back) == 0 {
		return r.underLimits(r.net)
	}
	n := r.underLimits(snapshots.NormalNetwork(r.net))
	declared := map[string]*policy.Neighbor{}
	for i := range n.Neighbors {
		declared[n.Neighbors[i].Name] = &n.Neighbors[i]
	}
	was := map[string]*policy.Neighbor{}
	for name, it := range back {
		if reflect.DeepEqual(declared[name], it.Will) {
			was[name] = it.Was
		}
	}
	n.Sites = union(n.Sites, r.Active().Snapshot.Network.Sites)
	n.Neighbors = heldNeighbors(n.Neighbors, was)
	return n
}

// reverted are the neighbors that a rollout changed and that go back.
func (r *Runner) reverted() map[string]plan.Item {
	out := map[string]plan.Item{}
	for _, ro := range r.rollouts {
		if ro.Phase != Failed && ro.Phase != Aborted {
			continue
		}
		for _, w := range ro.Waves {
			for _, it := range w.Items {
				if it.Neighbor != "" {
					out[it.Neighbor] = it
				}
			}
		}
	}
	return out
}

// begin makes a rollout of what is new. It is not on the book yet.
func (r *Runner) begin(d *draft, fresh []plan.Item) Rollout {
	ro := r.inWaves(d.plan, fresh)
	ro.ID = fmt.Sprintf("r%d-%.8s", d.plan.Generation, d.plan.To)
	ro.Actor, ro.Reason = cut(d.actor), cut(d.reason)
	for _, taken := range r.rollouts { // a second one within one generation
		if taken.ID == ro.ID {
			ro.ID = fmt.Sprintf("%s-%d", ro.ID, len(r.rollouts))
		}
	}
	return ro
}

// inWaves cuts what is new of a plan into waves.
func (r *Runner) inWaves(p plan.Plan, fresh []plan.Item) Rollout {
	class := classOf(fresh)
	staging := r.cfg.Program.staging(class)
	ro := Rollout{Class: class, From: r.Active().Head.Generation, CreatedAt: p.At, Monitor: "unmonitored", Waves: staging.Waves(fresh)}
	ro.Uncovered = staging.Uncovered(ro.Waves)
	if r.cfg.Health != nil && r.cfg.Health.Monitors(string(class)) {
		ro.Monitor = "health"
	}
	return ro
}

// start writes a rollout down and lets its first wave go.
func (r *Runner) start(ctx context.Context, ro Rollout, now time.Time) error {
	before := r.rollouts
	r.setRollouts(append(slices.Clone(before), ro))
	err := r.advance(ctx, len(before), Event{Kind: Released, At: now})
	if err != nil {
		r.setRollouts(before)
	}
	return err
}

// tick asks health about every wave that soaks, and puts back what must be.
func (r *Runner) tick(ctx context.Context, now time.Time) {
	for i := range r.rollouts {
		ro := r.rollouts[i]
		if ro.Phase == Soaking {
			a := r.judgeWave(ro, now)
			if err := r.advance(ctx, i, Event{Kind: Watched, At: now, Health: a.Verdict, Why: a.Why}); err != nil {
				r.degraded(err)
			}
		}
		if ro = r.rollouts[i]; (ro.Phase == Failed || ro.Phase == Aborted) && !ro.Restored {
			r.putBack(ctx, i)
		}
	}
	r.forget()
}

func (r *Runner) judgeWave(ro Rollout, now time.Time) health.Answer {
	a := r.askHealth(ro, now)
	if r.cfg.Edge != nil && ro.Class == Removal && a.Verdict != health.Fail {
		if why := r.cfg.Edge.Dark(now); why != "" {
			return health.Answer{Verdict: health.NoData, Why: why}
		}
	}
	return a
}

func (r *Runner) askHealth(ro Rollout, now time.Time) health.Answer {
	if r.cfg.Health == nil {
		return health.Answer{Verdict: health.Unmonitored}
	}
	accounts, all := ro.touched()
	return r.cfg.Health.Judge(health.Question{Class: string(ro.Class), Since: ro.Since, At: now, Accounts: accounts, All: all})
}

// advance takes one event, writes the book and tells. What cannot be written
// has not happened.
func (r *Runner) advance(ctx context.Context, i int, e Event) error {
	was := r.rollouts[i]
	next, effect, err := was.Next(e)
	if err != nil {
		return err
	}
	r.setRollout(i, next)
	if !next.moved(was) && next.Applied == was.Applied {
		return nil
	}
	r.step(StepRecord)
	if err := r.saveRollouts(); err != nil {
		r.setRollout(i, was)
		return err
	}
	if next.moved(was) {
		r.log.Info("rollout", "id", next.ID, "phase", next.Phase, "wave", next.Released, "waves", len(next.Waves), "why", next.Why)
		if r.cfg.OnRollout != nil {
			r.cfg.OnRollout(next, effect)
		}
	}
	if effect == PutBack || effect == Trip {
		r.putBack(ctx, i)
	}
	return nil
}

// putBack brings back what a rollout took down, and keeps back what it has not
// taken down yet, on the wire and in desired state. What it announced stays
// until a person decides (invariant 16).
func (r *Runner) putBack(ctx context.Context, i int) {
	ro := r.rollouts[i]
	var prefixes []netip.Prefix
	for _, w := range ro.Waves {
		for _, it := range w.Items {
			switch {
			case len(it.Losses) > 0:
				prefixes = append(prefixes, it.Losses...)
			case it.Neighbor == "" && len(it.Gains) == 0:
				prefixes = append(prefixes, it.Block) // bindings alone
			}
		}
	}
	if len(prefixes) > 0 {
		res, err := r.rollback(ctx, RollbackRequest{
			Back: snapshots.Back{Scope: snapshots.Scope{Prefixes: prefixes}}, To: ro.From, Actor: runnerKey,
			Reason: fmt.Sprintf("rollout %s %s: %s", ro.ID, ro.Phase, ro.Why),
		})
		if err == nil && res.Pinned != "" {
			err = fmt.Errorf("desired state: %s", res.Pinned)
		}
		if err != nil {
			r.degraded(fmt.Errorf("rollout %s: put back: %w", ro.ID, err))
			return
		}
	}
	if err := r.advance(ctx, i, Event{Kind: Undone, At: time.Now()}); err != nil {
		r.degraded(err)
	}
	r.Kick()
}

// onWire notes that every released wave reached the speaker.
func (r *Runner) onWire(ctx context.Context, now time.Time) {
	for i := range r.rollouts {
		if r.rollouts[i].Phase != Running {
			continue
		}
		if err := r.advance(ctx, i, Event{Kind: OnWire, At: now}); err != nil {
			r.degraded(err) // it soaks from the next time on
		}
	}
}

// gone ends the rollouts of which nothing is left: somebody else took it back,
// or did the rest.
func (r *Runner) gone(ctx context.Context, d *draft, now time.Time) {
	if !slices.ContainsFunc(r.rollouts, Rollout.busy) {
		return
	}
	left := map[plan.Key]bool{}
	if d != nil {
		for _, it := range d.plan.Items(true) {
			left[it.Key()] = true
		}
	}
	for i, ro := range r.rollouts {
		if !ro.busy() || slices.ContainsFunc(ro.Waves[ro.Applied:], func(w plan.Wave) bool {
			return slices.ContainsFunc(w.Items, func(it plan.Item) bool { return left[it.Key()] })
		}) {
			continue
		}
		if err := r.advance(ctx, i, Event{Kind: Gone, At: now, Why: "nothing of it is left to do"}); err != nil {
			r.degraded(err)
		}
	}
}

// forget drops the oldest rollouts that are over. One that still keeps
// something off the wire stays.
func (r *Runner) forget() {
	ended := 0
	var keep []Rollout
	for i := len(r.rollouts) - 1; i >= 0; i-- {
		ro := r.rollouts[i]
		if ro.Phase == Done {
			if ended++; ended > keepEnded {
				continue
			}
		}
		keep = append(keep, ro)
	}
	if len(keep) == len(r.rollouts) {
		return
	}
	slices.Reverse(keep)
	r.setRollouts(keep)
}

func (r *Runner) setRollouts(all []Rollout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rollouts, r.index = all, nil
}

func (r *Runner) setRollout(i int, ro Rollout) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rollouts[i] = ro
	r.index = nil
}

func (r *Runner) saveRollouts() error {
	if r.cfg.Book == nil {
		return nil
	}
	if r.bookDamage != "" {
		return fmt.Errorf("rollouts: the book could not be read, so it is not written: %s", r.bookDamage)
	}
	return r.cfg.Book.Save(r.rollouts)
}

// loadRollouts reads the book. Whatever ran when the process ended is paused:
// a dead runner means stop (HMD-03).
func (r *Runner) loadRollouts() {
	if r.cfg.Book == nil {
		return
	}
	all, err := r.cfg.Book.Load()
	if err != nil {
		r.bookDamage = err.Error()
		r.degraded(err)
		return
	}
	now := time.Now()
	var stopped []Rollout
	for i, was := range all {
		if all[i], _, _ = was.Next(Event{Kind: Died, At: now}); all[i].moved(was) {
			stopped = append(stopped, all[i])
		}
	}
	r.setRollouts(all)
	if err := r.saveRollouts(); err != nil {
		r.degraded(err)
	}
	for _, ro := range stopped {
		if r.cfg.OnRollout != nil {
			r.cfg.OnRollout(ro, None)
		}
	}
}

// untilWatch is how long until a rollout must be looked at.
func (r *Runner) untilWatch(now time.Time) time.Duration {
	next := time.Hour
	r.line.Lock()
	if r.unready > 0 || r.dark { // an acknowledgement comes by itself, a silent machine's time does not
		next = lookAtEdge
	}
	r.line.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ro := range r.rollouts {
		switch {
		case ro.Phase == Soaking && (ro.Monitor == "health" || ro.Waiting):
			next = min(next, watchEvery)
		case ro.Phase == Soaking:
			next = min(next, ro.Since.Add(ro.Waves[ro.Applied-1].Soak).Sub(now))
		case (ro.Phase == Failed || ro.Phase == Aborted) && !ro.Restored:
			next = min(next, undoEvery)
		}
	}
	return max(next, 0)
}

// rolledReason says which ChangeSet a loss was admitted in that waits for its
// wave, or for its rollout to begin: the ledger forgets it with the next
// generation.
func (r *Runner) rolledReason(c plan.Change) (plan.Reason, bool) {
	if !c.InWaves() {
		return plan.Reason{}, false
	}
	known := r.known()
	for bits := 0; bits <= c.CIDR.Bits() && len(known)+len(r.queue) > 0; bits++ {
		k := plan.Key{Account: c.Account, Block: netip.PrefixFrom(c.CIDR.Addr(), bits).Masked()}
		it, found := r.queue[k]
		if at, rolls := known[k]; rolls {
			it, found = r.rollouts[at.rollout].Waves[at.wave].Items[at.item], true
		}
		if found && it.Set != "" && (!c.Loses || slices.Contains(it.Losses, c.CIDR)) {
			return plan.Reason{Set: it.Set, By: it.By}, true
		}
	}
	return plan.Reason{}, false
}
