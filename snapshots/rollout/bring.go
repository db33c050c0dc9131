package rollout

import (
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
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

const (
	bringEvery = 100 * time.Millisecond // how often routes that wait are looked at
	bringAgain = 5 * time.Second        // after one that could not be brought back
)

// bringing is the second half of a rollback: what is bound already, and is
// advertised as the machines behind it become ready and at the rate that was
// asked for. Desired state has all of it from the beginning, so that a process
// that ends leaves the rest to the builder of the next; without desired state the
// verb is repeated.
type bringing struct {
	req    RollbackRequest
	to     uint64
	then   *snapshots.Snapshot
	rest   []route                    // not advertised, or not everywhere, in the order of priority
	had    map[route]addressing.Sites // where those are that are somewhere
	total  int
	begun  time.Time
	last   time.Time
	credit float64 // routes that the rate allows now
	paused string
	waits  string // why the first that is not ready is not
}

// Bringing is a rollback or restore that has not advertised everything yet.
type Bringing struct {
	To     uint64    `json:"to"`
	Total  int       `json:"total"`
	Left   int       `json:"left"`
	Rate   int       `json:"rate,omitempty"` // routes per second; 0 is no limit
	Since  time.Time `json:"since"`
	Paused string    `json:"paused,omitempty"` // by health, or because it was refused
	Waits  string    `json:"waits,omitempty"`  // for which edge machines
}

// Bringing lists what is on its way back.
func (r *Runner) Bringing() []Bringing {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Bringing
	for _, j := range r.jobs {
		out = append(out, Bringing{To: j.to, Total: j.total, Left: len(j.rest), Rate: j.req.Rate, Since: j.begun, Paused: j.paused, Waits: j.waits})
	}
	return out
}

// bindFirst is the part of a rollback that can go at once: everything, or where
// machines must become ready or a rate was asked for, the bindings (bind, quorum,
// announce: REC-03). rest follows.
func (r *Runner) bindFirst(req RollbackRequest, c snapshots.Composed, res RollbackResult, now time.Time) (first *snapshots.Snapshot, rest []route, err error) {
	if rest = r.later(req, c, res.Plan, now); len(rest) == 0 {
		return c.Snapshot, nil, nil
	}
	wait := make(map[route]bool, len(rest))
	for _, at := range rest {
		wait[at] = true
	}
	how := req.Back
	how.Later = func(account string, p netip.Prefix) bool { return wait[route{account, p}] }
	bound, err := snapshots.Compose(r.Active().Snapshot, res.then, how)
	return bound.Snapshot, rest, err
}

// later are the routes of a rollback that cannot be advertised together with
// their bindings: those that edge machines are not ready for, and with a rate
// all of them.
func (r *Runner) later(req RollbackRequest, c snapshots.Composed, p plan.Plan, now time.Time) []route {
	if r.cfg.Edge == nil && req.Rate == 0 {
		return nil
	}
	if r.cfg.Edge != nil {
		r.cfg.Edge.Offer(r.Active().Snapshot, c.Snapshot, now)
	}
	var out []route
	for i := range p.Changes {
		ch := &p.Changes[i]
		if ch.Kind != plan.Advertise || ch.After == nil {
			continue
		}
		if req.Rate == 0 {
			if _, why := r.readyAt(c.Snapshot, ch.Account, ch.After, now); why == "" {
				continue
			}
		}
		out = append(out, route{ch.Account, ch.CIDR})
	}
	rank := func(at route) int {
		part, _ := c.Snapshot.Account(at.account)
		if i := slices.Index(req.Priority, string(part.Kind)); i >= 0 {
			return i
		}
		return len(req.Priority)
	}
	slices.SortStableFunc(out, func(a, b route) int { return rank(a) - rank(b) })
	return out
}

// readyAt says at which of its sites a route may be advertised.
func (r *Runner) readyAt(s *snapshots.Snapshot, account string, at *snapshots.Route, now time.Time) (addressing.Sites, string) {
	if r.cfg.Edge == nil {
		return at.Sites, ""
	}
	return r.cfg.Edge.Ready(account, at.CIDR, at.Services, at.Sites, s.Network.Sites, now)
}

// bringLater takes the rest of a rollback on.
func (r *Runner) bringLater(req RollbackRequest, res *RollbackResult, rest []route, now time.Time) {
	res.Later = len(rest)
	j := &bringing{req: req, to: res.To, then: res.then, rest: rest, had: map[route]addressing.Sites{}, total: len(rest), begun: now, last: now}
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.mu.Unlock()
	r.pace.Reset(0)
}

// paced are the routes that wait for their turn: the builder leaves them alone.
func (r *Runner) paced() map[route]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[route]bool{}
	for _, j := range r.jobs {
		for _, at := range j.rest {
			out[at] = true
		}
	}
	return out
}

// bring advertises what may be advertised now.
func (r *Runner) bring(ctx context.Context) {
	r.line.Lock()
	defer r.line.Unlock()
	now, next := time.Now(), bringEvery
	var left []*bringing
	for _, j := range r.jobs {
		if err := r.bringSome(ctx, j, now); err != nil {
			r.log.Error("what was to come back waits", "to", j.to, "left", len(j.rest), "error", err)
			r.pausing(j, err.Error())
			next = bringAgain
		}
		if len(j.rest) > 0 {
			left = append(left, j)
			continue
		}
		r.log.Info("everything is back", "to", j.to, "routes", j.total, "took", now.Sub(j.begun))
	}
	ended := len(left) < len(r.jobs)
	r.mu.Lock()
	r.jobs = left
	r.mu.Unlock()
	if len(left) > 0 {
		r.pace.Reset(next)
	}
	if ended {
		r.Kick()
	}
}

func (r *Runner) pausing(j *bringing, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j.paused = why
}

// bringSome advertises the routes of a rollback whose turn it is.
func (r *Runner) bringSome(ctx context.Context, j *bringing, now time.Time) error {
	if why := r.unhealthy(j, now); why != "" {
		if j.paused == "" {
			r.log.Error("what was to come back waits for health", "alert", "restore_paused", "to", j.to, "left", len(j.rest), "why", why)
		}
		r.pausing(j, why)
		j.last = now
		return nil
	}
	r.pausing(j, "")
	some, narrow := r.next(j, now)
	if len(some) == 0 {
		return nil
	}
	active := r.Active().Snapshot
	s, err := composeSome(active, j, some, narrow)
	if err != nil {
		return err
	}
	if s.ID() != active.ID() {
		if err := r.deployBack(ctx, j, s, now); err != nil {
			return err
		}
	}
	r.brought(j, some, narrow)
	return nil
}

// composeSome is active with some routes of a rollback brought back, some of them
// not at all of their sites yet.
func composeSome(active *snapshots.Snapshot, j *bringing, some []route, narrow map[route]addressing.Sites) (*snapshots.Snapshot, error) {
	cidrs := make([]netip.Prefix, len(some))
	for i, at := range some {
		cidrs[i] = at.cidr
	}
	c, err := snapshots.Compose(active, j.then, snapshots.Back{Scope: snapshots.Scope{Prefixes: cidrs}, Lift: j.req.Lift})
	if err != nil || len(narrow) == 0 {
		return c.Snapshot, err
	}
	hold := snapshots.Hold{Sites: func(account string, p netip.Prefix) (addressing.Sites, bool) {
		sites, is := narrow[route{account, p}]
		return sites, is
	}}
	return hold.Over(active, c.Snapshot)
}

// deployBack judges and applies one part of what comes back.
func (r *Runner) deployBack(ctx context.Context, j *bringing, s *snapshots.Snapshot, now time.Time) error {
	p := r.planBack(s, j.req, j.to)
	if report := plan.Preflight(ctx, p, r.cfg.Checks, r.cfg.Gate); report.Verdict != policy.Allow {
		return fmt.Errorf("%w: %s", ErrRefused, firstWhy(report))
	}
	head, findings, err := r.deploy(ctx, s, actorKey(j.req.Actor), fmt.Sprintf("rollback to generation %d, %d of %d route(s) were left: %s", j.to, len(j.rest), j.total, j.req.Reason))
	if err != nil {
		return err
	}
	p.Generation = head.Generation
	if r.cfg.OnApplied != nil {
		r.cfg.OnApplied(Applied{Head: head, Plan: p, Findings: findings, Took: time.Since(now)})
	}
	r.step(StepDone)
	return nil
}

// next are the routes whose turn it is, and the sites of those that are not
// ready everywhere. One that is not ready lets the others pass.
func (r *Runner) next(j *bringing, now time.Time) (some []route, narrow map[route]addressing.Sites) {
	credit := len(j.rest)
	if rate := float64(j.req.Rate); rate > 0 {
		// What was not used is lost: there is never a burst.
		j.credit = min(max(1, rate*bringEvery.Seconds()), j.credit+rate*now.Sub(j.last).Seconds())
		credit = int(j.credit)
	}
	j.last = now
	waits := ""
	narrow = map[route]addressing.Sites{}
	for _, at := range j.rest {
		if len(some) == credit {
			break
		}
		was := routeOf(j.then, at)
		if was == nil {
			some = append(some, at)
			continue
		}
		sites, why := r.readyAt(r.Active().Snapshot, at.account, was, now)
		if why != "" {
			if waits == "" {
				waits = why
			}
			if len(sites.Names) == 0 || slices.Equal(j.had[at].Names, sites.Names) {
				continue
			}
			narrow[at] = sites
		}
		some = append(some, at)
	}
	j.credit -= float64(len(some))
	r.mu.Lock()
	j.waits = waits
	r.mu.Unlock()
	return some, narrow
}

// brought notes what is on the wire. What is not everywhere stays in line.
func (r *Runner) brought(j *bringing, some []route, narrow map[route]addressing.Sites) {
	done := map[route]bool{}
	for _, at := range some {
		if sites, partly := narrow[at]; partly {
			j.had[at] = sites
		} else {
			done[at] = true
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	j.rest = slices.DeleteFunc(slices.Clone(j.rest), func(at route) bool { return done[at] })
}

// unhealthy says why nothing more may come back now: a source reports harm since
// it began. Silence does not stop what only adds.
func (r *Runner) unhealthy(j *bringing, now time.Time) string {
	if r.cfg.Health == nil || !r.cfg.Health.Monitors(string(Announce)) || len(j.rest) == j.total {
		return ""
	}
	q := health.Question{Class: string(Announce), Since: j.begun, At: now, All: j.req.All, Accounts: j.req.Accounts}
	if !q.All && len(q.Accounts) == 0 {
		for _, at := range j.rest {
			q.Accounts = append(q.Accounts, at.account)
		}
		slices.Sort(q.Accounts)
		q.Accounts = slices.Compact(q.Accounts)
	}
	if a := r.cfg.Health.Judge(q); a.Verdict == health.Fail {
		return a.Why
	}
	return ""
}

func routeOf(s *snapshots.Snapshot, at route) *snapshots.Route {
	part, found := s.Account(at.account)
	if !found {
		return nil
	}
	i, found := slices.BinarySearchFunc(part.Routes, at.cidr, func(r snapshots.Route, p netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, p) })
	if !found {
		return nil
	}
	return &part.Routes[i]
}

// errRate refuses a rate that means nothing.
var errRate = errors.New("rollback: a rate is routes per second, from 1; without one all come back at once")
