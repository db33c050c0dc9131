package neighbor

import (
	"cmp"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Origin is the ORIGIN attribute (RFC 4271 section 5.1.1).
type Origin uint8

// Values of ORIGIN.
const (
	IGP Origin = iota
	EGP
	Incomplete
)

// Attributes are the path attributes as they arrived.
type Attributes struct {
	snapshots.Attributes
	LinkLocal netip.Addr // second IPv6 next hop, if any
	Origin    Origin
	Others    []uint8 // type codes of attributes that have no field here
}

// Route is one entry of the Adj-RIB-In.
type Route struct {
	Prefix netip.Prefix
	Attrs  *Attributes // shared, never written to
	Stale  bool        // kept over a graceful restart, not sent again yet
}

// Counters count since New. Routes are counted, not messages, where the name
// says neither.
type Counters struct {
	Updates       int // UPDATE messages, End-of-RIB markers not among them
	Announced     int // routes announced, also when they changed nothing
	Duplicate     int // of Announced: the route was held with the same attributes
	Withdrawn     int // routes withdrawn that were held
	Unknown       int // withdrawals of routes that were not held
	Flushed       int // routes lost otherwise: session end, or stale and not sent again
	EndOfRIB      int // markers
	SessionsUp    int
	SessionsDown  int
	Notifications int // received
}

// Removed is the number of times a held route went away, for any reason.
func (c Counters) Removed() int { return c.Withdrawn + c.Flushed }

// Change is one entry of the log: what one message or event did to the table.
type Change struct {
	At        time.Time
	What      string // "update", "end-of-rib", "up", "down", "flush", "notification"
	Announced int
	Withdrawn int
	Held      int // afterwards
}

type held struct {
	attrs *Attributes
	stale bool
}

// rib is the Adj-RIB-In of the one session.
type rib struct {
	mu       sync.Mutex
	routes   map[netip.Prefix]held
	interned map[string]*Attributes
	count    map[addressing.Family]int
	counters Counters
	log      []Change
	logLimit int

	notification []byte // the last
}

func newRIB(logLimit int) *rib {
	return &rib{
		routes:   map[netip.Prefix]held{},
		interned: map[string]*Attributes{},
		count:    map[addressing.Family]int{},
		logLimit: logLimit,
	}
}

// record appends to the log; past the limit the older half goes.
func (r *rib) record(c Change) {
	if len(r.log) >= r.logLimit {
		r.log = slices.Delete(r.log, 0, len(r.log)/2+1)
	}
	c.At, c.Held = time.Now(), len(r.routes)
	r.log = append(r.log, c)
}

// intern returns the one value for the attributes with these bytes.
func (r *rib) intern(key []byte, decode func() *Attributes) *Attributes {
	if a, found := r.interned[string(key)]; found {
		return a
	}
	a := decode()
	r.interned[string(key)] = a
	return a
}

func (r *rib) announce(p netip.Prefix, a *Attributes) {
	r.counters.Announced++
	before, found := r.routes[p]
	switch {
	case !found:
		r.count[addressing.FamilyOf(p)]++
	case before.attrs == a:
		r.counters.Duplicate++
	}
	r.routes[p] = held{attrs: a}
}

// remove takes p away and reports whether it was held.
func (r *rib) remove(p netip.Prefix) bool {
	if _, found := r.routes[p]; !found {
		return false
	}
	delete(r.routes, p)
	r.count[addressing.FamilyOf(p)]--
	return true
}

func (r *rib) withdraw(p netip.Prefix) {
	if r.remove(p) {
		r.counters.Withdrawn++
	} else {
		r.counters.Unknown++
	}
}

// markStale keeps every route but remembers that it awaits a refresh.
func (r *rib) markStale() {
	for p, h := range r.routes {
		h.stale = true
		r.routes[p] = h
	}
}

// flush drops the routes of f, or only the stale ones.
func (r *rib) flush(f addressing.Family, onlyStale bool) {
	gone := 0
	for p, h := range r.routes {
		if addressing.FamilyOf(p) == f && (h.stale || !onlyStale) {
			r.remove(p)
			gone++
		}
	}
	if gone > 0 {
		r.counters.Flushed += gone
		r.record(Change{What: "flush", Withdrawn: gone})
	}
}

func (r *rib) snapshot() []Route {
	out := make([]Route, 0, len(r.routes))
	for p, h := range r.routes {
		out = append(out, Route{Prefix: p, Attrs: h.attrs, Stale: h.stale})
	}
	slices.SortFunc(out, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	return out
}

// sortCommunities makes two attribute sets comparable: the order of
// communities has no meaning (RFC 1997).
func sortCommunities(a *Attributes) {
	slices.Sort(a.Communities)
	slices.SortFunc(a.LargeCommunities, func(x, y large) int {
		return cmp.Or(cmp.Compare(x.Global, y.Global), cmp.Compare(x.Local1, y.Local1), cmp.Compare(x.Local2, y.Local2))
	})
}
