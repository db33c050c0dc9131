package station

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/bmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

const (
	// initial is how long after its start a connection is taken to be dumping
	// the sessions that were up already.
	initial = 10 * time.Second
	// maxSessions is how many sessions of a router are followed.
	maxSessions = 4096
)

// sessionKey names a session of a monitored router. A Loc-RIB has no address.
type sessionKey struct {
	distinguisher uint64
	address       netip.Addr
}

// session is one session of a monitored router.
type session struct {
	peer   bmp.Peer
	local  netip.Addr // router id of the monitored router on it
	fams   wire.FamilySet
	up     bool
	since  time.Time
	live   bool // it came up while we listened: its tables began empty
	paths  [2]bool
	tables map[bmp.View]*table
}

// feed is what one router has told. It is pure: time comes with what happens.
type feed struct {
	conf    Router
	compass compass
	limit   int

	up       bool // a connection is open
	since    time.Time
	heard    time.Time
	began    time.Time     // of the connection
	why      string        // it is not up
	name     string        // that the router gives itself
	dumped   bool          // an End-of-RIB marker came on this connection
	took     time.Duration // from the beginning of the connection to the last marker
	suspect  bool          // it said the same twice: it is to dump its tables anew
	offered  map[bmp.View]bool
	sessions map[sessionKey]*session
	kept     int

	count    Counts
	observed wire.Observed

	dirty    bool
	unheard  map[netip.Prefix]struct{}  // withdrawn, and not known
	absent   map[netip.Prefix]time.Time // sent, not accepted, since
	findings map[findingKey]Finding
}

// Counts counts what a router sent since the start.
type Counts struct {
	Messages  uint64
	Malformed uint64
	Ignored   uint64 // routes that were counted and not kept
	Kept      int    // routes that are kept now
}

func newFeed(conf Router, c compass, limit int, now time.Time) *feed {
	return &feed{conf: conf, compass: c, limit: limit, since: now, why: "the router has not connected since the daemon started",
		offered: map[bmp.View]bool{}, sessions: map[sessionKey]*session{}, absent: map[netip.Prefix]time.Time{}, unheard: map[netip.Prefix]struct{}{}, findings: map[findingKey]Finding{}}
}

// connected begins a connection: nothing of an earlier one is trusted until it
// is said again.
func (f *feed) connected(at time.Time) {
	f.up, f.since, f.began, f.heard, f.why, f.dumped, f.suspect, f.dirty = true, at, at, at, "", false, false, true
	for _, s := range f.sessions {
		s.up = false
		for _, t := range s.tables {
			t.age()
		}
	}
}

// disconnected ends it.
func (f *feed) disconnected(at time.Time, why string) {
	f.up, f.since, f.why, f.dirty = false, at, why, true
}

// take takes one message.
func (f *feed) take(m bmp.Message, at time.Time) {
	f.heard = at
	f.count.Messages++
	switch m.Kind {
	case bmp.Initiation:
		f.name = m.SystemName
	case bmp.PeerUp:
		f.peerUp(m, at)
	case bmp.PeerDown:
		if s := f.sessions[keyOf(m.Peer)]; s != nil {
			s.up, s.since = false, at
			f.forget(s)
			f.dirty = true
		}
	case bmp.RouteMonitoring:
		f.monitor(m, at)
	}
}

func keyOf(p bmp.Peer) sessionKey { return sessionKey{p.Distinguisher, p.Address} }

// forget drops the tables of a session.
func (f *feed) forget(s *session) {
	for _, t := range s.tables {
		f.kept -= len(t.routes)
	}
	s.tables = map[bmp.View]*table{}
}

func (f *feed) peerUp(m bmp.Message, at time.Time) {
	k := keyOf(m.Peer)
	s := f.sessions[k]
	if s == nil {
		if len(f.sessions) >= maxSessions {
			f.count.Ignored++
			return
		}
		s = &session{tables: map[bmp.View]*table{}}
		f.sessions[k] = s
	}
	live := f.dumped || at.Sub(f.began) >= initial
	if live || s.up || s.peer != (bmp.Peer{}) && s.peer != m.Peer {
		f.forget(s) // another session: it began empty
	}
	s.peer, s.local, s.up, s.since, s.live = m.Peer, m.Up.LocalID, true, at, live
	s.fams, s.paths = m.Up.Families, [2]bool{m.Up.AddPathIn, m.Up.AddPathOut}
	f.dirty = true
}

// spoilt takes a message that could not be read: the table that it was about
// cannot be trusted until it is dumped again.
func (f *feed) spoilt(m bmp.Message, why error, at time.Time) {
	f.heard = at
	f.count.Messages++
	f.count.Malformed++
	f.distrust(m, why)
}

func (f *feed) distrust(m bmp.Message, why error) {
	f.dirty = true
	s := f.sessions[keyOf(m.Peer)]
	switch {
	case s == nil:
	case m.Kind == bmp.RouteMonitoring:
		if t := f.table(s, m.View); t != nil {
			t.spoilt = why.Error()
		}
	default:
		s.up = false
		f.forget(s)
	}
}

// use is what a table is good for, seen from us.
type use uint8

const (
	useless use = iota
	accepted
	sentOn
	outside
)

func (f *feed) use(s *session, v bmp.View) (use, policy.Role) {
	if f.conf.Outside {
		switch v {
		case bmp.InPrePolicy, bmp.InPostPolicy, bmp.LocRIB:
			return outside, policy.NoRole
		}
		return useless, policy.NoRole
	}
	switch v {
	case bmp.InPostPolicy:
		for _, id := range f.conf.Speakers {
			if s.peer.RouterID == id {
				return accepted, policy.NoRole
			}
		}
	case bmp.OutPostPolicy:
		if x, known := f.external(s); known {
			return sentOn, x.Role
		}
	}
	return useless, policy.NoRole
}

// external finds the session with another network in the configuration.
func (f *feed) external(s *session) (Session, bool) {
	for _, x := range f.conf.Sessions {
		if x.Address == s.peer.Address {
			return x, true
		}
	}
	return Session{}, false
}

// table gives the table of a view, nil if it is of no use.
func (f *feed) table(s *session, v bmp.View) *table {
	if u, _ := f.use(s, v); u == useless {
		return nil
	}
	t := s.tables[v]
	if t == nil {
		t = newTable()
		s.tables[v] = t
	}
	return t
}

// monitor takes a Route Monitoring message.
func (f *feed) monitor(m bmp.Message, at time.Time) {
	s := f.sessions[keyOf(m.Peer)]
	if s == nil || !s.up {
		// RFC 7854 section 5: a Peer Up comes first.
		f.count.Malformed++
		return
	}
	o := &f.observed
	err := o.ReadUpdate(m.Update, wire.Recording{TwoOctetAS: m.TwoOctetAS, AddPath: s.addPath(m.View)})
	if err != nil {
		f.count.Malformed++
		f.distrust(m, err)
		return
	}
	if family, end := o.EndOfRIB(); end {
		f.endOfRIB(s, m.View, family, at)
		return
	}
	// Not by its End-of-RIB marker: FRR ends tables that it was not told to send.
	f.offered[m.View] = true
	t := f.table(s, m.View)
	if t == nil {
		for range o.Advertisements() {
			f.count.Ignored++
		}
		return
	}
	before := len(t.routes)
	for p := range o.Withdrawals() {
		f.withdraw(t, p, at)
	}
	c := f.judge(s, m.View)
	e := entry{marks: marked(o.Communities), leak: c.leak, from: c.from, said: digest(o), at: at}
	for p := range o.Advertisements() {
		if !c.keep {
			f.count.Ignored++
			f.withdraw(t, p, at) // it was ours and is another's now
			continue
		}
		changed, repeated := t.advertise(p, e, f.kept+len(t.routes)-before < f.limit)
		f.dirty, f.suspect = f.dirty || changed, f.suspect || repeated
	}
	f.kept += len(t.routes) - before
}

// maxUnheard is how many withdrawals of unknown routes are remembered until the
// next assessment.
const maxUnheard = 10_000

// withdraw notes that a route is gone. That of one which was not there is a
// repetition, if it is one that we send: the next assessment knows.
func (f *feed) withdraw(t *table, p netip.Prefix, at time.Time) {
	changed, repeated := t.withdraw(p, at)
	f.dirty = f.dirty || changed
	if repeated && len(f.unheard) < maxUnheard {
		f.unheard[p] = struct{}{}
		f.dirty = f.dirty || !f.conf.Outside // there, a full table may come and go
	}
}

// weigh compares withdrawals of unknown routes with what is sent.
func (f *feed) weigh(w sent) {
	for p := range f.unheard {
		if _, ours := w[p]; ours {
			f.suspect = true
			break
		}
	}
	clear(f.unheard)
}

// digest is of what an UPDATE says of its routes, as far as it is looked at.
func digest(o *wire.Observed) uint32 {
	h := fnv.New32a()
	for _, asn := range sequence(o.Path) {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, asn))
	}
	_, _ = h.Write(o.Communities)
	return h.Sum32()
}

// mustDump reports whether the router is to be asked for its tables once more. A
// router that says of a route what it has said before may mean something else:
// FRR 8.4 looks for the route when it writes the message, and at times repeats
// one that its import policy has just taken away, or withdraws one that has just
// come. Large tables are asked for less often.
func (f *feed) mustDump(now time.Time) bool {
	rest := max(5*time.Second, 20*f.took)
	if !f.dumped {
		rest = initial // no session was up when it began: there was nothing to dump
	}
	return f.suspect && f.up && now.Sub(f.began) >= rest
}

func (f *feed) endOfRIB(s *session, v bmp.View, family wire.Family, at time.Time) {
	f.dumped, f.dirty, f.took = true, true, at.Sub(f.began)
	t := f.table(s, v)
	if t == nil || family.Unicast() == 0 {
		return
	}
	before := len(t.routes)
	t.sweep(family.Unicast(), at)
	f.kept += len(t.routes) - before
}

// judge says of the UPDATE that was read last what its routes are to us.
func (f *feed) judge(s *session, v bmp.View) course {
	switch u, role := f.use(s, v); u {
	case accepted:
		return course{keep: true}
	case sentOn:
		return f.compass.sent(f.observed.Path, role)
	case outside:
		return f.compass.seen(f.observed.Path, f.conf.ASN)
	}
	return course{}
}

// addPath reports whether prefixes of a view have path identifiers.
func (s *session) addPath(v bmp.View) bool {
	switch v {
	case bmp.OutPrePolicy, bmp.OutPostPolicy:
		return s.paths[1]
	case bmp.LocRIB:
		return false
	}
	return s.paths[0]
}

// blind says why a table's answer for what it has not would be worth nothing;
// empty if it would be worth something.
func (f *feed) blind(s *session, v bmp.View, family addressing.Family) string {
	t := s.tables[v]
	switch {
	case !s.up:
		return "the session is down"
	case s.addPath(v):
		return "sessions with several paths per prefix (RFC 7911) are not followed"
	case !f.offered[v], t == nil && !s.live:
		return fmt.Sprintf("the router has not sent its %s", v)
	case t == nil:
		return ""
	case t.over:
		return fmt.Sprintf("more than %d routes of the router: not all are kept", f.limit)
	case t.spoilt != "":
		return t.spoilt
	case !t.done[family] && !s.live:
		return "the router has not finished sending its table"
	}
	return ""
}

// dead says why nothing of the router can be trusted, and since when; empty if
// it can.
func (f *feed) dead(now time.Time, silent time.Duration) (why string, since time.Time) {
	switch {
	case !f.up:
		return f.why, f.since
	case now.Sub(f.heard) >= silent:
		return "the router is connected and silent; let it send statistics", f.heard
	}
	return "", time.Time{}
}
