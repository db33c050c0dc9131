package speakertest

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
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Fake is a Speaker in memory: Apply reaches the neighbors at once. For tests of
// what drives a Speaker. Make one with NewFake.
type Fake struct {
	mu        sync.Mutex
	neighbors map[string]policy.Neighbor
	tables    map[string]*FakeTable
	targets   map[string][]snapshots.TargetRoute
	seen      bgp.Order
	applied   []snapshots.Target
	fail      error
	started   bool
	closed    bool
	since     time.Time
	events    func(bgp.Event)
}

var _ bgp.Speaker = (*Fake)(nil)

// NewFake makes a Fake whose sessions come up at Start. events may be nil.
func NewFake(neighbors []policy.Neighbor, events func(bgp.Event)) *Fake {
	if events == nil {
		events = func(bgp.Event) {}
	}
	f := &Fake{neighbors: map[string]policy.Neighbor{}, tables: map[string]*FakeTable{},
		targets: map[string][]snapshots.TargetRoute{}, events: events, since: time.Now()}
	for _, n := range neighbors {
		f.neighbors[n.Name], f.tables[n.Name] = n, &FakeTable{}
	}
	return f
}

// Fail makes every Apply return err without doing anything, until Fail(nil).
func (f *Fake) Fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

// Applied are the Targets accepted so far, oldest first.
func (f *Fake) Applied() []snapshots.Target {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.applied)
}

// Table is what the neighbor holds.
func (f *Fake) Table(name string) *FakeTable { return f.tables[name] }

// Apply implements bgp.Speaker.
func (f *Fake) Apply(ctx context.Context, t snapshots.Target) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return fmt.Errorf("apply: %w", bgp.ErrClosed)
	case f.fail != nil:
		return fmt.Errorf("apply: %w", f.fail)
	case ctx.Err() != nil:
		return fmt.Errorf("apply: %w", ctx.Err())
	}
	if err := bgp.Check(t, f.neighbors, f.seen); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	f.seen, f.applied = bgp.OrderOf(t), append(f.applied, t)
	for name, nt := range t.Neighbors {
		f.targets[name] = nt.Routes
		if f.started {
			f.send(name, nt.Routes)
		}
	}
	return nil
}

// send brings the neighbor's table to routes and tells what changed.
func (f *Fake) send(name string, routes []snapshots.TargetRoute) {
	for _, e := range f.tables[name].replace(routes) {
		e.Neighbor, e.At, e.Epoch, e.Generation = name, time.Now(), f.seen.Epoch, f.seen.Generation
		f.events(e)
	}
}

// Start implements bgp.Speaker.
func (f *Fake) Start(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.started {
		return fmt.Errorf("start: started before or closed: %w", bgp.ErrClosed)
	}
	f.started, f.since = true, time.Now()
	for name := range f.neighbors {
		f.events(bgp.Event{Kind: bgp.SessionUp, Neighbor: name, At: f.since})
		f.tables[name].up()
		f.send(name, f.targets[name])
	}
	return nil
}

// Neighbors implements bgp.Speaker.
func (f *Fake) Neighbors(context.Context) ([]bgp.NeighborStatus, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []bgp.NeighborStatus
	for name, n := range f.neighbors {
		st := bgp.NeighborStatus{Neighbor: n, State: bgp.Idle, Since: f.since,
			Advertised: map[addressing.Family]int{}, Target: map[addressing.Family]int{}}
		for _, family := range n.Families {
			st.Advertised[family], st.Target[family] = 0, 0
		}
		if f.started {
			st.State, st.Uptime = bgp.Established, time.Since(f.since)
		}
		for _, r := range f.targets[name] {
			st.Target[addressing.FamilyOf(r.Prefix)]++
			if f.started {
				st.Advertised[addressing.FamilyOf(r.Prefix)]++
			}
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b bgp.NeighborStatus) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Routes implements bgp.Speaker.
func (f *Fake) Routes(_ context.Context, name string) ([]snapshots.TargetRoute, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.neighbors[name]; !known {
		return nil, fmt.Errorf("routes: neighbor %q: %w", name, bgp.ErrUnknownNeighbor)
	}
	if !f.started {
		return nil, nil
	}
	return slices.Clone(f.targets[name]), nil
}

// Close implements bgp.Speaker: the tables keep what they have.
func (f *Fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.started {
		for _, t := range f.tables {
			t.restarts()
		}
	}
	f.closed, f.started = true, false
	return nil
}

// Restart is a Fake that takes over the neighbors of f, which it closes.
func (f *Fake) Restart() *Fake {
	_ = f.Close() // never fails
	next := NewFake(nil, f.events)
	next.neighbors, next.tables = f.neighbors, f.tables
	return next
}

// Break takes the session down and up again; graceful restart keeps the routes.
func (f *Fake) Break(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tables[name].restarts()
	for _, kind := range []bgp.EventKind{bgp.SessionDown, bgp.SessionUp} {
		f.events(bgp.Event{Kind: kind, Neighbor: name, At: time.Now(), Epoch: f.seen.Epoch, Generation: f.seen.Generation})
	}
	f.tables[name].up()
}

// FakeTable is the Adj-RIB-In of a neighbor of a Fake.
type FakeTable struct {
	mu       sync.Mutex
	routes   []neighbor.Route
	counters neighbor.Counters
	opens    []neighbor.Open
	restart  bool
}

// Routes is the table, sorted by prefix.
func (t *FakeTable) Routes() []neighbor.Route {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.routes)
}

// Counters are the counts so far.
func (t *FakeTable) Counters() neighbor.Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counters
}

// Opens are the OPENs so far.
func (t *FakeTable) Opens() []neighbor.Open {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.opens)
}

func (t *FakeTable) restarts() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.restart = true
	t.counters.SessionsDown++
}

func (t *FakeTable) up() {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := neighbor.Open{ASN: ASN, GracefulRestart: true, Restarting: t.restart}
	if t.restart {
		o.Forwarding = []addressing.Family{addressing.IPv4, addressing.IPv6}
	}
	t.opens = append(t.opens, o)
	t.counters.SessionsUp++
}

// replace sends the difference, one UPDATE per route.
func (t *FakeTable) replace(routes []snapshots.TargetRoute) []bgp.Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := map[string]neighbor.Route{}
	for _, r := range t.routes {
		before[r.Prefix.String()] = r
	}
	var events []bgp.Event
	t.routes = nil
	for _, r := range routes {
		now := neighbor.Route{Prefix: r.Prefix, Attrs: &neighbor.Attributes{Attributes: *r.Attrs}}
		old, had := before[r.Prefix.String()]
		delete(before, r.Prefix.String())
		if !had || !Same(*old.Attrs, *now.Attrs) {
			t.counters.Updates++
			t.counters.Announced++
			events = append(events, bgp.Event{Kind: bgp.Advertised, Family: addressing.FamilyOf(r.Prefix), Prefixes: []netip.Prefix{r.Prefix}})
		}
		t.routes = append(t.routes, now)
	}
	for _, r := range before {
		t.counters.Updates++
		t.counters.Withdrawn++
		events = append(events, bgp.Event{Kind: bgp.Withdrawn, Family: addressing.FamilyOf(r.Prefix), Prefixes: []netip.Prefix{r.Prefix}})
	}
	return events
}
