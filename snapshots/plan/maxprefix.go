package plan

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// RuleMaxPrefix is the rule about what the far ends take.
const RuleMaxPrefix = "plan.max-prefix"

// Shares of a far end's max-prefix, in percent: beyond them a plan that adds
// is refused, and remarked upon.
const (
	MaxPrefixRefuse = 95
	MaxPrefixWarn   = 80
)

// load is a table that a plan leaves behind, with what it had before.
type load struct {
	snapshots.Load
	before, refuse int // percent
}

// loads are the tables after the plan whose limit is known. A way back that
// only adds stops at the limit itself, not before.
func (p Plan) loads() []load {
	from, to := p.Snapshots()
	before := map[snapshots.Load]int{}
	for _, l := range from.Loads() {
		before[place(l)] = l.Count
	}
	refuse := MaxPrefixRefuse
	if p.Origin == FromRollback && len(p.Losses()) == 0 {
		refuse = 100
	}
	var out []load
	for _, l := range to.Loads() {
		out = append(out, load{l, before[place(l)], refuse})
	}
	return out
}

// place is a table without its numbers.
func place(l snapshots.Load) snapshots.Load {
	l.Count, l.Limit = 0, 0
	return l
}

// overfull reports whether the plan adds to the table and makes it too full.
func (l load) overfull() bool { return l.Count > l.before && 100*l.Count > l.refuse*l.Limit }

// maxPrefix looks at every table that the plan leaves behind, at neighbors and
// at the transits behind them: a far end whose limit is passed ends its session,
// and with it goes everything that it had. What a plan does not add to is
// remarked upon at most.
func maxPrefix(p Plan) []policy.Finding {
	var out []policy.Finding
	for _, l := range p.loads() {
		if !l.overfull() && 100*l.Count <= MaxPrefixWarn*l.Limit {
			continue
		}
		f := policy.Finding{
			Rule: RuleMaxPrefix, Verdict: policy.Allow, Scope: "neighbor/" + l.Neighbor,
			Next: "have the limit raised at the far end, then max_prefix in the configuration; or advertise less there",
		}
		if l.overfull() {
			f.Verdict = policy.Refuse
		}
		far := "neighbor " + l.Neighbor
		if l.Transit != "" {
			far, f.Scope = fmt.Sprintf("transit %s behind site %s", l.Transit, l.Site), "site/"+l.Site
		}
		f.Why = fmt.Sprintf("%s would hold %d %s prefixes of its max-prefix %d, %.1f %% (more is refused from %d %%, warned of from %d %%)",
			far, l.Count, l.Family, l.Limit, 100*float64(l.Count)/float64(l.Limit), l.refuse, MaxPrefixWarn)
		out = append(out, f)
	}
	return out
}

// Overfilling are the changes that add a route where a far end would take no
// more: what to hold back when the rest of the plan may go on.
func (p Plan) Overfilling() []Change {
	var full []load
	for _, l := range p.loads() {
		if l.overfull() {
			full = append(full, l)
		}
	}
	var out []Change
	for _, c := range p.Changes {
		if len(full) > 0 && slices.ContainsFunc(full, func(l load) bool { return c.adds(l.Load) }) {
			out = append(out, c)
		}
	}
	return out
}

// adds reports whether the change makes the table longer.
func (c Change) adds(l snapshots.Load) bool {
	return c.After != nil && addressing.FamilyOf(c.CIDR) == l.Family && c.After.Sites.Has(l.Site) && (c.Before == nil || !c.Before.Sites.Has(l.Site))
}
