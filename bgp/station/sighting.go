package station

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/bmp"
	"github.com/holdfast-bgp/holdfast/policy"
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
	out = s.spokenFor(out)
	out = append(out, unasked(out)...)
	slices.SortStableFunc(out, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(stageRank(a.Stage), stageRank(b.Stage)), cmp.Compare(a.Router, b.Router), cmp.Compare(a.Session, b.Session))
	})
	return out
}

// spokenFor leaves out sessions of which the edge tells nothing, where the
// network on the other side does.
func (s *Station) spokenFor(all []Sighting) []Sighting {
	asn := func(router, session string) uint32 {
		for _, f := range s.feeds {
			if f.conf.Name != router {
				continue
			}
			for _, x := range f.conf.Sessions {
				if x.Name == session {
					return x.ASN
				}
			}
			return f.conf.ASN
		}
		return 0
	}
	told := func(of Sighting) bool {
		return slices.ContainsFunc(all, func(by Sighting) bool {
			return by.Stage == Transit && by.Router == of.Router && by.Witness != of.Witness && by.Answer != Unknown && asn(by.Witness, "") == asn(of.Router, of.Session)
		})
	}
	var out []Sighting
	for _, one := range all {
		if one.Stage != Transit || one.Answer != Unknown || one.Witness != one.Router || !told(one) {
			out = append(out, one)
		}
	}
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

// nothing is the answer where the router has not said anything.
func (g glance) nothing(why string) Sighting {
	if g.dead != "" {
		why = g.dead
	}
	return Sighting{Witness: g.conf.Name, Answer: Unknown, Why: why, Since: g.since}
}

// edge answers for an edge: what it accepted, and what it sends on.
func (g glance) edge() []Sighting {
	family := addressing.FamilyOf(g.prefix)
	one := best(g.over(bmp.InPostPolicy, func(s *session) bool { u, _ := g.use(s, bmp.InPostPolicy); return u == accepted }),
		g.nothing(fmt.Sprintf("the router has told of no session with us for %s", family)))
	one.Stage, one.Router, one.Session = Accepted, g.conf.Name, joined(g.conf.Neighbors)
	out := []Sighting{one}
	for _, x := range g.conf.Sessions {
		if x.Role != policy.RoleCustomer || x.Address.Is4() != g.prefix.Addr().Is4() && !g.told(x) {
			continue // no transit, or its other session carries the family
		}
		one := best(g.over(bmp.OutPostPolicy, func(s *session) bool { return s.peer.Address == x.Address }),
			g.nothing("the router has told of no session with "+x.Address.String()))
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

// best of what several tables say of the same: that the route is there, then
// that one cannot tell, then that it is in none.
func best(all []Sighting, nothing Sighting) Sighting {
	rank := []Answer{Yes, Unknown, No}
	slices.SortStableFunc(all, func(a, b Sighting) int {
		return cmp.Compare(slices.Index(rank, a.Answer), slices.Index(rank, b.Answer))
	})
	if len(all) == 0 {
		return nothing
	}
	return all[0]
}

// over asks sessions for a view: those that are up, or all where none is.
func (g glance) over(v bmp.View, mine func(*session) bool) []Sighting {
	var up, down []Sighting
	for _, s := range g.sessions {
		if !s.carries(addressing.FamilyOf(g.prefix)) || !mine(s) {
			continue
		}
		if s.up {
			up = append(up, g.in(s, v))
		} else {
			down = append(down, g.in(s, v))
		}
	}
	if len(up) > 0 {
		return up
	}
	return down
}

// outsider answers for an outside router. A session of it with an edge of ours
// tells what the edge sends, too.
func (g glance) outsider(edge func(routerID netip.Addr) (string, string, bool)) []Sighting {
	family, views := addressing.FamilyOf(g.prefix), g.outsideViews()
	var out, all []Sighting
	for _, s := range g.sessions {
		if !s.carries(family) || len(views) == 0 {
			continue
		}
		var each []Sighting
		for _, v := range views {
			each = append(each, g.in(s, v))
		}
		one := best(each, Sighting{})
		all = append(all, one)
		if name, _, known := edge(s.peer.RouterID); known {
			one.Stage, one.Router, one.Session = Transit, name, g.conf.Name
			out = append(out, one)
		}
	}
	one := best(all, g.nothing(fmt.Sprintf("the router has sent no table with %s", family)))
	one.Stage, one.Router = Outside, g.conf.Name
	return append(out, one)
}
