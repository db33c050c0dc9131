package observed

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Limits of a Tally's memory.
const (
	maxExamples = 1000    // per leaker
	maxPrefixes = 100_000 // counted apart, per leaker
	maxLeakers  = 100_000
)

// Example is a route with what is wrong with it, kept.
type Example struct {
	Finding
	Prefix    netip.Prefix
	Path      string
	At        time.Time
	Peer      netip.Addr
	PeerAS    uint32
	Collector string
}

// Leaker is what is known of one AS.
type Leaker struct {
	AS       uint32 // 0 for findings that name nobody
	Rules    map[string]int
	Leaks    map[policy.LeakType]int
	Routes   int // with a finding
	Transit  int // routes that the AS passed on, with and without a finding
	Examples []Example

	prefixes map[netip.Prefix]struct{}
}

// Prefixes is how many distinct prefixes have a finding, at most maxPrefixes.
func (l *Leaker) Prefixes() int { return len(l.prefixes) }

// Tally sums up findings per leaker, in memory that does not grow with the
// number of routes. The zero value is ready to use.
type Tally struct {
	Routes    int // judged
	Withdrawn int
	Other     int // changes of sessions, and routes without a path
	Unnamed   int // findings beyond maxLeakers ASes, counted alone

	leakers map[uint32]*Leaker
	transit map[uint32]int
}

// Add judges a route and counts what comes of it.
func (t *Tally) Add(j *Judge, s *Sighting) {
	switch s.Kind {
	case mrt.Withdrawn:
		t.Withdrawn++
		return
	case mrt.SessionState:
		t.Other++
		return
	}
	if len(s.Path) == 0 {
		t.Other++
		return
	}
	t.Routes++
	found := j.Route(&s.Route)
	t.passed(j.Hops())
	for i := range found {
		again := slices.ContainsFunc(found[:i], func(f Finding) bool { return f.Leaker == found[i].Leaker })
		t.count(&found[i], s, !again)
	}
}

// passed counts the ASes that passed the route on.
func (t *Tally) passed(hops []uint32) {
	if t.transit == nil {
		t.transit = map[uint32]int{}
	}
	if len(hops) < 3 {
		return
	}
	for _, asn := range hops[1 : len(hops)-1] {
		t.transit[asn]++
	}
}

func (t *Tally) count(f *Finding, s *Sighting, fresh bool) {
	l := t.leakers[f.Leaker]
	if l == nil {
		if len(t.leakers) >= maxLeakers {
			t.Unnamed++
			return
		}
		if t.leakers == nil {
			t.leakers = map[uint32]*Leaker{}
		}
		l = &Leaker{AS: f.Leaker, Rules: map[string]int{}, Leaks: map[policy.LeakType]int{}, prefixes: map[netip.Prefix]struct{}{}}
		t.leakers[f.Leaker] = l
	}
	if fresh {
		l.Routes++
	}
	l.Rules[f.Rule]++
	for _, also := range f.Also {
		l.Rules[also]++
	}
	if f.Leak != policy.NoLeakType {
		l.Leaks[f.Leak]++
	}
	if len(l.prefixes) < maxPrefixes {
		l.prefixes[s.Prefix] = struct{}{}
	}
	if len(l.Examples) < maxExamples {
		l.Examples = append(l.Examples, Example{
			Finding: *f, Prefix: s.Prefix, Path: s.Path.String(), At: s.At, Peer: s.Peer, PeerAS: s.PeerAS, Collector: s.Collector,
		})
	}
}

// Threshold is how many routes with a finding an AS must have before it is
// reported. Relationships that are inferred, or years old, make valleys of 0.5
// to 2.6 % of real paths; declared ones make none. The zero value reports all.
type Threshold struct {
	Routes int
	Share  float64 // of the routes that the AS passed on, 0 to 1
	Of     map[uint32]int
}

// reached reports whether the AS has enough of them. Routes of which it is the
// origin are not passed on by it and count by number alone.
func (h Threshold) reached(l *Leaker) bool {
	need := h.Routes
	if n, ok := h.Of[l.AS]; ok {
		need = n
	}
	return l.Routes >= need && (l.Transit == 0 || float64(l.Routes) >= h.Share*float64(l.Transit))
}

// Leakers lists the ASes that reach the threshold, those with the most routes
// first, and counts those that do not.
func (t *Tally) Leakers(h Threshold) (reported []*Leaker, below int) {
	for _, l := range t.leakers {
		l.Transit = t.transit[l.AS]
		if h.reached(l) {
			reported = append(reported, l)
		} else {
			below++
		}
	}
	slices.SortFunc(reported, func(a, b *Leaker) int {
		return cmp.Or(cmp.Compare(b.Routes, a.Routes), cmp.Compare(a.AS, b.AS))
	})
	return reported, below
}
