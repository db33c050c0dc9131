package station

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/bmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Kind is what is wrong beyond us.
type Kind string

// Kinds of finding.
const (
	Dropped  Kind = "dropped"   // sent, and not accepted by the edge's import policy
	Lost     Kind = "lost"      // it was there, we still send it, and it is there no more
	Absent   Kind = "absent"    // more than half of what we send never came there
	NoExport Kind = "no_export" // it carries a community that takes reachability away, and we did not put it there
	Leak     Kind = "leak"      // a route of others goes where it must not (RFC 7908)
)

const (
	// settle is how long a route may be on its way before it is missing.
	settle = 2 * time.Second
	// patience is how long a table may lack most of what we send before that is
	// told, where it never had it.
	patience = time.Minute
	// memory is how long a route that was withdrawn and that we do not send is
	// remembered: a session of ours that comes back sends it again.
	memory = time.Minute
	// shown is how many prefixes a finding names.
	shown = 5
)

// Finding is something wrong with routes of one session of one router.
type Finding struct {
	Kind     Kind
	Router   string // whose policy it is, as far as that is known
	Site     string
	Session  string // our neighbor, the network on the other side, or empty for all
	Witness  string // the router that told it
	Family   addressing.Family
	Prefixes int
	Examples []netip.Prefix // the first of them
	Marks    []string       // of NoExport
	From     uint32         // of Leak: whom the routes were learned from
	Leak     policy.LeakType
	Since    time.Time
	Stale    bool // the witness cannot be asked any more: this was the last it said
}

// String says it in a sentence.
func (f Finding) String() string {
	where := f.Router
	if f.Session != "" {
		where += " towards " + f.Session
	}
	text := ""
	switch f.Kind {
	case Dropped:
		text = fmt.Sprintf("%s does not accept %d prefix(es) that we send", f.Router, f.Prefixes)
		if f.Session != "" {
			text += " over " + f.Session
		}
	case Lost:
		text = fmt.Sprintf("%s: %d prefix(es) are no longer there, though we send them", where, f.Prefixes)
	case Absent:
		text = fmt.Sprintf("%s: %d prefix(es) that we send never came there", where, f.Prefixes)
	case NoExport:
		text = fmt.Sprintf("%s: %d prefix(es) carry %v, which we did not send", where, f.Prefixes, f.Marks)
	case Leak:
		text = fmt.Sprintf("%s leaks %d prefix(es), learned from AS%d (%s)", where, f.Prefixes, f.From, f.Leak)
	}
	if len(f.Examples) > 0 {
		text += fmt.Sprintf(", e.g. %s", f.Examples[0])
	}
	if f.Witness != f.Router {
		text += ", as " + f.Witness + " sees it"
	}
	if f.Stale {
		text += "; it cannot be asked any more"
	}
	return text
}

type findingKey struct {
	kind            Kind
	router, session string
	family          addressing.Family
	from            uint32
}

// Source gives what we sent to a neighbor: the Adj-RIB-Out of an established
// session, and whether it is established.
type Source func(neighbor string) (routes []snapshots.TargetRoute, up bool)

// sent is what a router was sent, with the marks that we put on it.
type sent map[netip.Prefix]marks

func (s sent) add(routes []snapshots.TargetRoute) {
	for _, r := range routes {
		var m marks
		if r.Attrs != nil {
			for _, c := range r.Attrs.Communities {
				m |= markOf(c)
			}
		}
		s[r.Prefix] |= m
	}
}

// place is where findings are said to be.
type place struct{ router, site, session string }

// round is one assessment of one feed.
type round struct {
	*feed
	now   time.Time
	found map[findingKey]Finding
	again bool // something is not settled
}

func (r *round) add(k Kind, at place, from uint32, p netip.Prefix, more func(*Finding)) {
	key := findingKey{k, at.router, at.session, addressing.FamilyOf(p), from}
	f, known := r.found[key]
	if !known {
		f = Finding{Kind: k, Router: at.router, Site: at.site, Session: at.session, Witness: r.conf.Name, Family: key.family, From: from, Since: r.now}
		if before, had := r.findings[key]; had {
			f.Since = before.Since
		}
	}
	f.Prefixes++
	f.Examples = append(f.Examples, p)
	if len(f.Examples) > 4*shown { // now and then, and not with every prefix
		f.trim()
	}
	if more != nil {
		more(&f)
	}
	r.found[key] = f
}

func (f *Finding) trim() {
	slices.SortFunc(f.Examples, addressing.ComparePrefix)
	f.Examples = f.Examples[:min(len(f.Examples), shown)]
}

// anything may be wrong with a table.
var anything = []Kind{Lost, Absent, NoExport, Leak}

// keep keeps what was found where nobody can be asked now. It comes last: what
// is still seen is counted anew.
func (r *round) keep(at place, family addressing.Family, kinds ...Kind) {
	for key, f := range r.findings {
		if key.family != family || key.router != at.router || key.session != at.session || !slices.Contains(kinds, key.kind) {
			continue
		}
		if _, found := r.found[key]; !found {
			f.Stale = true
			r.found[key] = f
		}
	}
}

// finish makes the round's findings the feed's.
func (r *round) finish() {
	for key, f := range r.found {
		f.trim()
		r.found[key] = f
	}
	r.findings, r.dirty = r.found, r.again
}

// carries reports whether a session has a family.
func (s *session) carries(f addressing.Family) bool {
	return !s.peer.Address.IsValid() || s.fams.Has(wire.FamilyOf(f)) // a Loc-RIB may have both
}

// markedHere notes a route that carries what we did not send.
func (r *round) markedHere(at place, p netip.Prefix, e entry, ours marks) {
	if extra := e.marks &^ ours; extra != 0 {
		r.add(NoExport, at, 0, p, func(f *Finding) {
			for _, name := range extra.names() {
				if !slices.Contains(f.Marks, name) {
					f.Marks = append(f.Marks, name)
				}
			}
		})
	}
}

// leaks notes what is leaked in a table. It is there whether or not the table
// is complete.
func (r *round) leaks(at place, t *table) {
	for p, e := range t.routes {
		if e.leak != policy.NoLeakType && !e.gone && !e.stale {
			r.add(Leak, at, e.from, p, func(f *Finding) { f.Leak = e.leak })
		}
	}
}

// outsideViews are the views of an outside router that it sends: any of them
// shows what is seen.
func (f *feed) outsideViews() []bmp.View {
	var out []bmp.View
	for _, v := range [...]bmp.View{bmp.InPrePolicy, bmp.InPostPolicy, bmp.LocRIB} {
		if f.offered[v] {
			out = append(out, v)
		}
	}
	return out
}

// tables are a session's tables of the views; an empty one where it never sent
// any.
func (f *feed) tablesOf(s *session, views []bmp.View) []*table {
	var out []*table
	for _, v := range views {
		if t := f.table(s, v); t != nil {
			out = append(out, t)
		}
	}
	return out
}

// blindIn says why one of the views could not be trusted, empty if all can.
func (f *feed) blindIn(s *session, views []bmp.View, family addressing.Family) string {
	for _, v := range views {
		if why := f.blind(s, v, family); why != "" {
			return why
		}
	}
	return ""
}

// edge compares what an edge was sent with what it accepted and sends on.
func (r *round) edge(w sent) {
	r.weigh(w)
	at := place{r.conf.Name, r.conf.Site, joined(r.conf.Neighbors)}
	for _, family := range addressing.Families() {
		r.acceptance(at, family, w)
	}
	for p := range r.absent {
		if _, still := w[p]; !still {
			delete(r.absent, p)
		}
	}
	for _, s := range r.sessions {
		if x, known := r.external(s); known {
			r.passedOn(place{r.conf.Name, r.conf.Site, x.Name}, s, []bmp.View{bmp.OutPostPolicy}, w)
		}
	}
}

// acceptance judges one family of what came in from us.
func (r *round) acceptance(at place, family addressing.Family, w sent) {
	var tables []*table
	blind := false
	for _, s := range r.sessions {
		if u, _ := r.use(s, bmp.InPostPolicy); u != accepted || !s.carries(family) || !s.up {
			continue
		}
		if r.blind(s, bmp.InPostPolicy, family) != "" {
			blind = true
		}
		if t := s.tables[bmp.InPostPolicy]; t != nil {
			tables = append(tables, t)
		} else if !blind {
			tables = append(tables, newTable())
		}
	}
	if len(tables) == 0 || blind {
		defer r.keep(at, family, Dropped, NoExport)
	}
	for p, ours := range w {
		if addressing.FamilyOf(p) != family {
			continue
		}
		e, have := anywhere(tables, p)
		switch {
		case have:
			delete(r.absent, p)
			r.markedHere(at, p, e, ours)
		case len(tables) > 0 && !blind:
			if r.overdue(r.absent, p) {
				r.add(Dropped, at, 0, p, nil)
			}
		}
	}
}

func anywhere(tables []*table, p netip.Prefix) (e entry, have bool) {
	for _, t := range tables {
		if e, have = t.has(p); have {
			return e, true
		}
	}
	return e, false
}

// passedOn judges tables that are to have, between them, what an edge was sent.
func (r *round) passedOn(at place, s *session, views []bmp.View, w sent) {
	tables := r.tablesOf(s, views)
	if !s.up || len(tables) == 0 {
		if r.now.Sub(r.began) < initial { // it has not told of its sessions yet
			for _, family := range addressing.Families() {
				r.keep(at, family, anything...)
			}
		}
		return
	}
	for _, t := range tables {
		r.leaks(at, t)
	}
	for _, family := range addressing.Families() {
		if !s.carries(family) {
			continue
		}
		if r.blindIn(s, views, family) != "" {
			defer r.keep(at, family, anything...)
			continue
		}
		r.missing(at, family, tables, w)
	}
	for p, ours := range w {
		if e, have := anywhere(tables, p); have && e.leak == policy.NoLeakType {
			r.markedHere(at, p, e, ours)
		}
	}
}

// missing finds what is gone from all of the tables, and what never came.
func (r *round) missing(at place, family addressing.Family, tables []*table, w sent) {
	var never []netip.Prefix
	total, first := 0, tables[0]
	for p := range w {
		if addressing.FamilyOf(p) != family {
			continue
		}
		total++
		switch here, known := standing(tables, p); {
		case here:
			delete(first.gone, p)
		case !known:
			never = append(never, p)
		case r.overdue(first.gone, p):
			r.add(Lost, at, 0, p, nil)
		}
	}
	for p := range first.gone {
		if _, still := w[p]; !still {
			delete(first.gone, p)
		}
	}
	r.never(at, family, first, never, total)
	for _, t := range tables {
		r.kept -= t.prune(family, w, r.now)
	}
}

// standing reports whether one of the tables has a route, and whether one had it.
func standing(tables []*table, p netip.Prefix) (here, known bool) {
	for _, t := range tables {
		if e, has := t.routes[p]; has {
			if !e.gone {
				return true, true
			}
			known = true
		}
	}
	return false, known
}

// overdue notes that a route is missing, and reports whether it is for long
// enough to be told.
func (r *round) overdue(since map[netip.Prefix]time.Time, p netip.Prefix) bool {
	at, known := since[p]
	if !known {
		since[p] = r.now
		at = r.now
	}
	if r.now.Sub(at) >= settle {
		return true
	}
	r.again = true
	return false
}

// prune forgets what was withdrawn and is no longer sent.
func (t *table) prune(family addressing.Family, w sent, now time.Time) (forgotten int) {
	for p, e := range t.routes {
		if _, still := w[p]; e.gone && !still && now.Sub(e.at) >= memory && addressing.FamilyOf(p) == family {
			delete(t.routes, p)
			forgotten++
		}
	}
	return forgotten
}

// never tells of routes that never came, when they are most of what we send: a
// network may well have reasons not to take one or the other.
func (r *round) never(at place, family addressing.Family, t *table, never []netip.Prefix, total int) {
	if 2*len(never) <= total || total == 0 {
		delete(t.bare, family)
		return
	}
	since, known := t.bare[family]
	if !known {
		since = r.now
		t.bare[family] = since
	}
	if r.now.Sub(since) < patience {
		r.again = true
		return
	}
	for _, p := range never {
		r.add(Absent, at, 0, p, nil)
	}
}

// outsider compares what was sent with what an outside router sees. edge finds
// the edge that is on the far side of one of its sessions.
func (r *round) outsider(all sent, edge func(routerID netip.Addr) (name, site string, w sent, known bool)) {
	var rest []*session
	r.weigh(all)
	for _, s := range r.sessions {
		name, site, w, known := edge(s.peer.RouterID)
		if !known {
			rest = append(rest, s)
			continue
		}
		r.passedOn(place{name, site, r.conf.Name}, s, r.outsideViews(), w)
	}
	r.somewhere(rest, all)
}

// somewhere judges sessions of which any may have a route.
func (r *round) somewhere(sessions []*session, all sent) {
	at, views := place{r.conf.Name, r.conf.Site, ""}, r.outsideViews()
	for _, family := range addressing.Families() {
		var tables []*table
		blind := false
		for _, s := range sessions {
			if !s.up || !s.carries(family) {
				continue
			}
			blind = blind || r.blindIn(s, views, family) != ""
			tables = append(tables, r.tablesOf(s, views)...)
		}
		if len(tables) == 0 || blind {
			defer r.keep(at, family, anything...)
			continue
		}
		r.missing(at, family, tables, all)
		for p, ours := range all {
			if e, have := anywhere(tables, p); have && addressing.FamilyOf(p) == family {
				r.markedHere(at, p, e, ours)
			}
		}
	}
	for _, s := range sessions {
		for _, t := range r.tablesOf(s, views) {
			if s.up {
				r.leaks(at, t)
			}
		}
	}
}

func joined(names []string) string {
	out := ""
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	return out
}

// order sorts findings: leaks first, then by router and session.
func order(a, b Finding) int {
	rank := map[Kind]int{Leak: 0, NoExport: 1, Lost: 2, Dropped: 3, Absent: 4}
	return cmp.Or(cmp.Compare(rank[a.Kind], rank[b.Kind]), cmp.Compare(a.Router, b.Router), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Family, b.Family), cmp.Compare(a.From, b.From))
}
