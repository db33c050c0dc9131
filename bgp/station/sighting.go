package station

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/bmp"
)

// Stage is how far a route has come.
type Stage string

// Stages.
const (
	Accepted Stage = "accepted"   // by the edge, after its import policy
	Transit  Stage = "to_transit" // sent by the edge to another network
	Outside  Stage = "outside"    // seen by somebody who is not the edge
)

// Answer is yes, no or unknown. The zero value is no answer, and is never sent.
type Answer string

// Answers.
const (
	Yes     Answer = "yes"
	No      Answer = "no"
	Unknown Answer = "unknown"
)

// Sighting is what one router says of one prefix at one stage.
type Sighting struct {
	Stage   Stage
	Router  string // that has, or has not, the route
	Session string // with whom
	Witness string // the router that tells it
	Answer  Answer
	Marks   []string // communities on it that take reachability away
	Why     string   // it is unknown
	Since   time.Time
}

// Sightings lists what is known of a prefix. neighbors are those that were sent
// it; those without a router that speaks BMP are unknown.
func (s *Station) Sightings(p netip.Prefix, neighbors []string, now time.Time) []Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Sighting
	covered := map[string]bool{}
	for _, f := range s.feeds {
		dead, since := f.dead(now, s.cfg.Silent)
		view := glance{f, p, dead, since}
		switch {
		case f.conf.Outside:
			out = append(out, view.outsider(s.edgeOf)...)
		case slices.ContainsFunc(neighbors, func(n string) bool { return slices.Contains(f.conf.Neighbors, n) }):
			out = append(out, view.edge()...)
		}
		for _, n := range f.conf.Neighbors {
			covered[n] = true
		}
	}
	for _, n := range neighbors {
		if !covered[n] {
			out = append(out, Sighting{Stage: Accepted, Router: n, Session: n, Answer: Unknown, Why: "no BMP session with this router is configured"})
		}
	}
	out = append(out, unasked(out)...)
	slices.SortStableFunc(out, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(stageRank(a.Stage), stageRank(b.Stage)), cmp.Compare(a.Router, b.Router), cmp.Compare(a.Session, b.Session))
	})
	return out
}

func stageRank(s Stage) int { return slices.Index([]Stage{Accepted, Transit, Outside}, s) }

// unasked are stages that nobody speaks for: unknown, not good.
func unasked(have []Sighting) []Sighting {
	var out []Sighting
	for stage, why := range map[Stage]string{
		Accepted: "it was sent to no neighbor",
		Transit:  "no router tells what it sends (Adj-RIB-Out, RFC 8671), and no outside router has a session with it",
		Outside:  "no outside router is configured",
	} {
		if !slices.ContainsFunc(have, func(s Sighting) bool { return s.Stage == stage }) {
			out = append(out, Sighting{Stage: stage, Answer: Unknown, Why: why})
		}
	}
	return out
}

// glance looks for one prefix in one feed.
type glance struct {
	*feed
	prefix netip.Prefix
	dead   string
	since  time.Time
}

// in answers for one table.
func (g glance) in(s *session, v bmp.View) Sighting {
	out := Sighting{Witness: g.conf.Name, Answer: Unknown, Since: g.since, Why: g.dead}
	if g.dead != "" {
		return out
	}
	t, why := s.tables[v], g.blind(s, v, addressing.FamilyOf(g.prefix))
	if out.Since = s.since; t != nil && s.up {
		if e, have := t.has(g.prefix); have {
			return Sighting{Witness: g.conf.Name, Answer: Yes, Marks: e.marks.names(), Since: e.at}
		}
		if e := t.routes[g.prefix]; e.gone {
			out.Since = e.at
		}
	}
	if why != "" {
		out.Why = why
		return out
	}
	out.Answer = No
	return out
}

// edge answers for an edge: what it accepted, and what it sends on.
func (g glance) edge() []Sighting {
	family := addressing.FamilyOf(g.prefix)
	best := Sighting{Witness: g.conf.Name, Answer: Unknown, Why: g.dead, Since: g.since}
	if g.dead == "" {
		best.Why = fmt.Sprintf("the router has told of no session with us for %s", family)
	}
	var out []Sighting
	for _, s := range g.sessions {
		if !s.carries(family) {
			continue
		}
		if u, _ := g.use(s, bmp.InPostPolicy); u == accepted {
			best = better(best, g.in(s, bmp.InPostPolicy))
		}
	}
	best.Stage, best.Router, best.Session = Accepted, g.conf.Name, joined(g.conf.Neighbors)
	out = append(out, best)
	for _, x := range g.conf.Sessions {
		if x.Address.Is4() != g.prefix.Addr().Is4() && !g.told(x) {
			continue // the network's other session carries the family
		}
		one := Sighting{Witness: g.conf.Name, Answer: Unknown, Why: g.dead, Since: g.since}
		if g.dead == "" {
			one.Why = "the router has told of no session with " + x.Address.String()
		}
		for _, s := range g.sessions {
			if s.peer.Address == x.Address && s.carries(family) {
				one = better(one, g.in(s, bmp.OutPostPolicy))
			}
		}
		one.Stage, one.Router, one.Session = Transit, g.conf.Name, x.Name
		out = append(out, one)
	}
	return out
}

// told reports whether the router has told of a session that carries the family.
func (g glance) told(x Session) bool {
	for _, s := range g.sessions {
		if s.peer.Address == x.Address && s.carries(addressing.FamilyOf(g.prefix)) {
			return true
		}
	}
	return false
}

// better of two answers about the same: that the route is there, then what is
// known.
func better(a, b Sighting) Sighting {
	rank := map[Answer]int{Yes: 0, Unknown: 1, No: 2, "": 3}
	if a.Answer == Unknown && a.Witness != "" && b.Answer == No {
		return b // the first was only that nothing is known yet
	}
	if rank[b.Answer] <= rank[a.Answer] {
		return b
	}
	return a
}

// outsider answers for an outside router. A session of it with an edge of ours
// tells what the edge sends, too.
func (g glance) outsider(edge func(routerID netip.Addr) (string, string, bool)) []Sighting {
	family := addressing.FamilyOf(g.prefix)
	any := Sighting{Witness: g.conf.Name, Answer: Unknown, Why: g.dead, Since: g.since}
	if g.dead == "" {
		any.Why = fmt.Sprintf("the router has sent no table with %s", family)
	}
	var out []Sighting
	for _, s := range g.sessions {
		if !s.carries(family) {
			continue
		}
		one := Sighting{Witness: g.conf.Name, Answer: Unknown, Why: g.dead, Since: g.since}
		views := g.tablesOf(s, outside)
		for _, v := range views {
			one = better(one, g.in(s, v))
		}
		if len(views) == 0 {
			continue
		}
		any = better(any, one)
		if name, _, known := edge(s.peer.RouterID); known {
			one.Stage, one.Router, one.Session = Transit, name, g.conf.Name
			out = append(out, one)
		}
	}
	any.Stage, any.Router = Outside, g.conf.Name
	return append(out, any)
}
