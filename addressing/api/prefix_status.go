package api

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// look is one look at everything behind desired state: what the active
// snapshot has, what neighbors hold, and what is pending. It is taken once per
// request; the parts that cost are read when they are first needed.
type look struct {
	h       *handlers
	ctx     context.Context
	snap    *snapshots.Snapshot
	at      time.Time
	seen    map[netip.Prefix][]string
	asked   bool    // about neighbors
	who     holders // nil: seen has it all
	blind   string  // why neighbors could not be asked
	up      int     // sessions
	pending *pendingReport
	beyond  bool // look beyond the edge, too
}

type pendingReport struct {
	verdict  policy.Verdict
	findings []policy.Finding
}

func (h *handlers) look(ctx context.Context) *look {
	v := &look{h: h, ctx: ctx, at: callIn(ctx).at}
	if h.cfg.Pipeline != nil {
		v.snap, _ = h.cfg.Pipeline.Active()
	}
	return v
}

// seenBy returns the neighbors whose Adj-RIB-Out has the route.
func (v *look) seenBy(p netip.Prefix) []string {
	if !v.asked {
		v.asked = true
		v.readNeighbors()
	}
	if v.who != nil {
		return append([]string{}, v.who.Holders(p)...)
	}
	return append([]string{}, v.seen[p]...)
}

// holders is a speaker that finds one route without telling all of them.
type holders interface {
	Holders(p netip.Prefix) []string // neighbors, sorted
}

func (v *look) readNeighbors() {
	v.seen = make(map[netip.Prefix][]string)
	v.who, _ = v.h.cfg.Speaker.(holders)
	if v.h.cfg.Speaker == nil {
		v.blind = "no speaker"
		return
	}
	all, err := v.h.cfg.Speaker.Neighbors(v.ctx)
	if err != nil {
		v.blind = err.Error()
		return
	}
	for _, n := range all {
		if n.State == bgp.Established {
			v.up++
		}
		if v.who != nil {
			continue
		}
		routes, err := v.h.cfg.Speaker.Routes(v.ctx, n.Name)
		if err != nil {
			v.blind = n.Name + ": " + err.Error()
			continue
		}
		for _, r := range routes {
			v.seen[r.Prefix] = append(v.seen[r.Prefix], n.Name)
		}
	}
}

// active reports whether the active snapshot advertises the route.
func (v *look) active(account string, p netip.Prefix) bool {
	if v.snap == nil {
		return false
	}
	i, ok := slices.BinarySearchFunc(v.snap.Accounts, account, func(a snapshots.AccountPart, id string) int { return strings.Compare(a.Account, id) })
	if !ok {
		return false
	}
	_, ok = slices.BinarySearchFunc(v.snap.Accounts[i].Routes, p, func(r snapshots.Route, p netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, p) })
	return ok
}

// report is what preflight says of the pending plan, read once.
func (v *look) report() pendingReport {
	if v.pending != nil {
		return *v.pending
	}
	r := v.h.dryRun.report(v.ctx, v.h.cfg.Pipeline)
	v.pending = &r
	return r
}

// dryRun is the last dry run of the pipeline, for answers that only say what
// holds a route: it is as much work as a generation, and somebody who changes
// thousands of prefixes one by one must not pay for it each time. It is done
// again once as many times as long as it took have passed: at once where it is
// cheap, and never for more than a part of the time where it is not.
type dryRun struct {
	mu    sync.Mutex
	ended time.Time
	took  time.Duration
	last  pendingReport
}

const (
	dryRunPause = 9               // a tenth of the time at most,
	dryRunAge   = 5 * time.Second // and never older than this
)

func (d *dryRun) report(ctx context.Context, p Pipeline) pendingReport {
	hold := func(why string) pendingReport {
		return pendingReport{findings: []policy.Finding{{Rule: "pipeline", Verdict: policy.Hold, Why: why}}}
	}
	if p == nil {
		return hold("nothing carries changes to the wire in this process")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	begun := time.Now()
	if d.took > 0 && begun.Sub(d.ended) < min(dryRunPause*d.took, dryRunAge) {
		return d.last
	}
	_, r, err := p.Pending(ctx)
	if err != nil {
		return hold(err.Error())
	}
	d.ended = time.Now()
	d.took, d.last = d.ended.Sub(begun), pendingReport{r.Verdict, r.Findings}
	return d.last
}

// waits says of a route in the queue that it waits for the breaker.
func (v *look) waits(p netip.Prefix) *Held {
	if v.h.cfg.Held == nil {
		return nil
	}
	all, err := v.h.cfg.Held.Waiting(v.ctx)
	if err != nil {
		return nil
	}
	for _, w := range all {
		if slices.Contains(w.Prefixes, p) {
			return &Held{Since: timeOrNil(w.At), Findings: []Finding{}, Why: "it waits for the breaker (" + w.TripID + "): " + w.Reason,
				Next: "holdfast held drop " + w.ID + " takes it back; a reset plans it afresh"}
		}
	}
	return nil
}

// held says why a route that should change on the wire does not, nil if the
// change is allowed and on its way.
func (v *look) held(p netip.Prefix, since *time.Time) *Held {
	if w := v.waits(p); w != nil {
		return w
	}
	r := v.report()
	if r.verdict == policy.Allow {
		return nil
	}
	var mine []policy.Finding
	for _, f := range r.findings {
		if f.Verdict != policy.Allow && (f.Prefix == "" || f.Prefix == p.String()) {
			mine = append(mine, f)
		}
	}
	out := &Held{Since: since, Findings: findingsOut(mine), Why: "the pending plan does not pass", Next: "holdfast plan show names what is in the way"}
	if len(mine) > 0 {
		out.Why = mine[0].Why
		if mine[0].Next != "" {
			out.Next = mine[0].Next
		}
	}
	return out
}

// prefix is a prefix with desired, bound, advertised, seen and held (UX-03).
func (v *look) prefix(d addressing.PrefixDetail) PrefixStatus {
	out := PrefixStatus{ID: d.ID, AccountID: d.AccountID, Cidr: d.CIDR.String(), Asn: int64(d.ASN), Description: d.Description,
		State: PrefixStatusState(d.State), Control: PrefixStatusControl(d.Control), OnDemandEnabled: d.OnDemandEnabled,
		OnDemandLocked: d.OnDemandLocked, Ownership: string(d.Ownership), Irr: string(d.IRR), Rpki: string(d.RPKI), Barred: string(d.BarsAdvertising()), AcceptedRisks: append([]string{}, d.AcceptedRisks...), CreatedAt: micro(d.CreatedAt),
		ModifiedAt: micro(d.ModifiedAt), Version: d.Version, DeleteAfter: microPtr(d.DeleteAfter),
		Routes: make([]RouteStatus, 0, len(d.BGP)), NegativeIntents: make([]NegativeIntent, 0, len(d.Negative)), SeenBy: []string{}}
	if out.Control == "" {
		out.Control = PrefixStatusControlAPI
	}
	for _, n := range d.Negative {
		out.NegativeIntents = append(out.NegativeIntents, intentOut(n))
	}
	wanted := 0
	for _, b := range d.BGP {
		r := v.route(d, b)
		out.Routes = append(out.Routes, r)
		if b.Advertised {
			wanted++
		}
		out.Bound = out.Bound || r.Bound
		out.Advertised = out.Advertised || r.Advertised
		out.Held = out.Held || r.Held != nil
		out.SeenBy = union(out.SeenBy, r.SeenBy)
	}
	switch {
	case wanted == 0:
		out.Desired = PrefixStatusDesiredWithdrawn
	case wanted == len(d.BGP):
		out.Desired = PrefixStatusDesiredAdvertised
	default:
		out.Desired = PrefixStatusDesiredPartly
	}
	out.Summary = v.summary(d, out)
	return out
}

func union(a, b []string) []string {
	for _, s := range b {
		if i, found := slices.BinarySearch(a, s); !found {
			a = slices.Insert(a, i, s)
		}
	}
	return a
}

func (v *look) route(d addressing.PrefixDetail, b addressing.BGPPrefix) RouteStatus {
	out := RouteStatus{ID: b.ID, Cidr: b.CIDR.String(), Desired: RouteStatusDesiredWithdrawn, Advertised: v.active(d.AccountID, b.CIDR),
		SeenBy: v.seenBy(b.CIDR), Services: []string{}, Prepend: b.Prepend, Resting: RouteStatusRestingAdvertised, Sites: siteNames(b.Sites),
		Provenance: Provenance{Since: microPtr(b.AdvertisedModifiedAt)}}
	if b.Resting == addressing.RestingWithdrawn {
		out.Resting = RouteStatusRestingWithdrawn
	}
	if b.Advertised {
		out.Desired = RouteStatusDesiredAdvertised
	}
	for _, binding := range d.Bindings {
		if covers(binding.CIDR, b.CIDR) {
			out.Services = append(out.Services, binding.ServiceID)
			out.Bound = true
		}
	}
	if n := v.blocking(d.Negative, b.CIDR); n != nil {
		out.BlockedBy = ptr(intentOut(*n))
	}
	draining := b.Draining(v.at)
	if draining {
		out.DrainingUntil = microPtr(b.DownAt)
	}
	effective := d.State == addressing.Approved && out.Bound && (draining || b.Advertised && out.BlockedBy == nil)
	if effective != out.Advertised {
		out.Held = v.held(b.CIDR, out.Provenance.Since)
	}
	out.Summary = v.sentence(b, out, effective)
	if v.beyond {
		out.Beyond = v.h.beyond(b.CIDR, out.SeenBy)
		out.Summary += beyondSentence(*out.Beyond)
	}
	return out
}

// blocking returns the negative intent in force over the route, nil if none.
func (v *look) blocking(all []addressing.NegativeIntent, p netip.Prefix) *addressing.NegativeIntent {
	for i, n := range all {
		expired := n.ExpiresAt != nil && !v.at.Before(*n.ExpiresAt)
		if n.CIDR.IsValid() && n.CIDR.Overlaps(p) && !expired {
			return &all[i]
		}
	}
	return nil
}

// sentence says in plain words how a route stands and what is in the way.
func (v *look) sentence(b addressing.BGPPrefix, r RouteStatus, effective bool) string {
	text := b.CIDR.String() + ": desired " + string(r.Desired)
	switch {
	case r.DrainingUntil != nil && r.Advertised:
		text += ", draining until " + r.DrainingUntil.Format(time.RFC3339)
	case r.BlockedBy != nil:
		text += fmt.Sprintf(", down on purpose (%s by %s: %s)", r.BlockedBy.Kind, r.BlockedBy.Author, r.BlockedBy.Reason)
	case b.Advertised && !r.Bound:
		text += ", but no service binding covers it; bind it first"
	}
	switch {
	case len(r.SeenBy) > 0 && r.Advertised:
		text += ", on the wire, sent to " + joinComma(r.SeenBy)
	case len(r.SeenBy) > 0:
		text += ", no longer in the active snapshot, still sent to " + joinComma(r.SeenBy)
	case !r.Advertised:
		text += ", not on the wire"
	case v.blind != "":
		text += ", in the active snapshot, but neighbors could not be asked"
	case v.up == 0:
		text += ", in the active snapshot, but on no wire: no session is up"
	default:
		text += ", in the active snapshot, but sent to no neighbor"
	}
	switch {
	case r.Held != nil:
		text += ", held: " + r.Held.Why
	case effective != r.Advertised:
		text += ", the change is on its way"
	}
	return text
}

func (v *look) summary(d addressing.PrefixDetail, p PrefixStatus) string {
	switch {
	case d.State == addressing.Pending:
		return "waits for approval; nothing of it can be bound or advertised"
	case d.State == addressing.PendingDelete:
		return "deleted, in its grace time; it can be undeleted"
	case d.State == addressing.Tombstone:
		return "deleted"
	case len(p.Routes) == 0:
		return "approved, but not bound to a service; bind it, then advertise it"
	case len(p.Routes) == 1:
		return p.Routes[0].Summary
	}
	lines := make([]string, len(p.Routes))
	for i, r := range p.Routes {
		lines[i] = r.Summary
	}
	return strings.Join(lines, "; ")
}
