package station

import (
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// entry is a route in a router's table, as far as it matters.
type entry struct {
	marks marks
	leak  policy.LeakType
	gone  bool // it was there and was withdrawn
	stale bool // of an earlier connection and not confirmed yet
	from  uint32
	said  uint32    // digest of what was said of it
	at    time.Time // of the last change
}

// table is one of a router's tables.
type table struct {
	routes map[netip.Prefix]entry
	done   map[addressing.Family]bool      // its End-of-RIB marker came
	over   bool                            // there was more than is kept
	spoilt string                          // a message of it could not be read
	bare   map[addressing.Family]time.Time // most of what we send never came, since
	gone   map[netip.Prefix]time.Time      // we send it and it is gone, since
}

func newTable() *table {
	return &table{routes: map[netip.Prefix]entry{}, done: map[addressing.Family]bool{}, bare: map[addressing.Family]time.Time{}, gone: map[netip.Prefix]time.Time{}}
}

// age makes what is in the table wait for confirmation by a new connection.
func (t *table) age() {
	for p, e := range t.routes {
		e.stale = true
		t.routes[p] = e
	}
	clear(t.done)
	clear(t.bare)
	t.over, t.spoilt = false, ""
}

// sweep ends the initial dump of a family: what was not confirmed is gone.
func (t *table) sweep(f addressing.Family, at time.Time) {
	t.done[f] = true
	for p, e := range t.routes {
		if !e.stale || addressing.FamilyOf(p) != f {
			continue
		}
		if e.leak != policy.NoLeakType {
			delete(t.routes, p)
			continue
		}
		if e.stale = false; !e.gone {
			e.gone, e.at = true, at
		}
		t.routes[p] = e
	}
}

// withdraw notes that a route is gone; what was leaked is forgotten, what is
// ours is remembered as gone. It reports a change, and whether the route was gone
// before.
func (t *table) withdraw(p netip.Prefix, at time.Time) (changed, repeated bool) {
	e, known := t.routes[p]
	switch {
	case !known || e.gone && !e.stale:
		return false, true
	case e.leak != policy.NoLeakType:
		delete(t.routes, p)
	default:
		t.routes[p] = entry{gone: true, at: at}
	}
	return true, false
}

// advertise notes a route; room is whether one more may be kept. It reports a
// change, and whether the same was said before.
func (t *table) advertise(p netip.Prefix, e entry, room bool) (changed, repeated bool) {
	was, known := t.routes[p]
	if !known && !room {
		changed = !t.over
		t.over = true
		return changed, false
	}
	if known && !was.gone {
		e.at = was.at
	}
	changed = !known || was.marks != e.marks || was.leak != e.leak || was.gone || was.stale
	t.routes[p] = e
	return changed, !changed && was.said == e.said
}

// has gives the route, if the table has it now.
func (t *table) has(p netip.Prefix) (entry, bool) {
	e, known := t.routes[p]
	return e, known && !e.gone && !e.stale
}
