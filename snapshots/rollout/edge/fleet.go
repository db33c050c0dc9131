package edge

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Settings of a Fleet. The zero value of each means its default.
type Settings struct {
	Quorum float64       // share of a site's live machines (0.9)
	Silent time.Duration // a machine that was not heard for so long is dark and is not counted (15 min)
	Drain  time.Duration // how long a binding stays with the machines after its route left the wire (30 s)
	Dark   float64       // share of sites that may be dark before removals hold (0.2)
	// Readiness by name or id of a service; a service that is not named waits for its agents.
	Readiness map[string]Readiness
	// Alive answers for services whose readiness is not agents.
	Alive func(service, site string, at time.Time) bool
}

// Readiness is what says that a service is ready at a site. The zero value is
// Agents.
type Readiness string

// Sources of readiness.
const (
	Agents     Readiness = "agents"
	Probe      Readiness = "probe"
	Prometheus Readiness = "prometheus"
	None       Readiness = "none" // ready as soon as it is bound
)

// lateAfter is how long a machine may say nothing before it is shown as silent.
const lateAfter = time.Minute

// MaxMachines is how many machines may register.
const MaxMachines = 20_000

// Machine is one edge machine.
type Machine struct {
	Name  string    `json:"name"`
	Site  string    `json:"site"`
	Acked uint64    `json:"acked"` // generation
	Seen  time.Time `json:"seen"`
}

// Bound is what a machine must be ready for: the services over one range.
type Bound struct {
	Account  string
	CIDR     netip.Prefix
	Services []string // ids, sorted
}

// Feed is everything that machines must be ready for. It must not be written to.
type Feed struct {
	Generation uint64
	Items      []Bound // sorted by account and range
}

type binding struct {
	account, service string
	cidr             netip.Prefix
}

// Fleet is the machines and the feed. Make it with New.
type Fleet struct {
	s Settings

	mu       sync.Mutex
	machines map[string]*Machine
	feed     Feed
	since    map[binding]uint64    // generation that a binding first appeared in
	leaving  map[binding]time.Time // no longer wanted, since
	active   *snapshots.Snapshot
	next     *snapshots.Snapshot
	current  bool          // the feed is of these two
	newer    chan struct{} // closed when there is a newer feed
	moved    func()
}

// New returns a Fleet that has known these machines before. moved is called
// whenever more may be ready; it must return at once.
func New(s Settings, known []Machine, at time.Time, moved func()) *Fleet {
	if s.Quorum <= 0 || s.Quorum > 1 {
		s.Quorum = 0.9
	}
	s.Silent = cmp.Or(max(s.Silent, 0), 15*time.Minute)
	s.Drain = cmp.Or(max(s.Drain, 0), 30*time.Second)
	if s.Dark <= 0 || s.Dark > 1 {
		s.Dark = 0.2
	}
	f := &Fleet{s: s, machines: map[string]*Machine{}, since: map[binding]uint64{}, leaving: map[binding]time.Time{}, newer: make(chan struct{}), moved: moved}
	// Generations never repeat, not even after a restart that kept nothing.
	f.feed.Generation = uint64(at.UnixMilli())
	for _, m := range known {
		m.Acked, m.Seen = 0, at // who was there counts until it had time to call
		f.machines[m.Name] = &m
	}
	return f
}

// Offer tells which snapshot is on the wire and which is wanted.
func (f *Fleet) Offer(active, next *snapshots.Snapshot, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.active.ID() != active.ID() || f.next.ID() != next.ID() {
		f.active, f.next, f.current = active, next, false
	}
	if len(f.machines) > 0 {
		f.refresh(at)
	}
}

// refresh makes the feed anew: what is on the wire, what is wanted, and what
// left the wire a short time ago.
func (f *Fleet) refresh(at time.Time) {
	if f.current && len(f.leaving) == 0 {
		return
	}
	f.current = true
	wanted := map[binding]bool{}
	for _, s := range []*snapshots.Snapshot{f.active, f.next} {
		if s == nil {
			continue
		}
		for i := range s.Accounts {
			for _, rec := range s.Accounts[i].Prefixes {
				for _, b := range rec.Bindings {
					if b.Active {
						wanted[binding{s.Accounts[i].Account, b.Service, b.CIDR}] = true
					}
				}
			}
		}
	}
	changed := false
	for b := range wanted {
		delete(f.leaving, b)
		if _, known := f.since[b]; !known {
			f.since[b] = f.feed.Generation + 1
			changed = true
		}
	}
	for b := range f.since {
		if wanted[b] {
			continue
		}
		left, leaves := f.leaving[b]
		switch {
		case !leaves:
			f.leaving[b] = at
		case at.Sub(left) >= f.s.Drain:
			delete(f.since, b)
			delete(f.leaving, b)
			changed = true
		}
	}
	if !changed {
		return
	}
	f.feed = Feed{Generation: f.feed.Generation + 1, Items: f.items()}
	close(f.newer)
	f.newer = make(chan struct{})
}

func (f *Fleet) items() []Bound {
	all := make([]binding, 0, len(f.since))
	for b := range f.since {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b binding) int {
		return cmp.Or(cmp.Compare(a.account, b.account), addressing.ComparePrefix(a.cidr, b.cidr), cmp.Compare(a.service, b.service))
	})
	out := []Bound{}
	for _, b := range all {
		if n := len(out); n > 0 && out[n-1].Account == b.account && out[n-1].CIDR == b.cidr {
			out[n-1].Services = append(out[n-1].Services, b.service)
			continue
		}
		out = append(out, Bound{b.account, b.cidr, []string{b.service}})
	}
	return out
}

// Ask gives a machine the feed and registers it. The channel is closed when
// there is a newer one.
func (f *Fleet) Ask(name, site string, at time.Time) (Feed, <-chan struct{}, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh, err := f.register(name, site, at)
	if err != nil {
		return Feed{}, nil, false, err
	}
	f.refresh(at)
	return f.feed, f.newer, fresh, nil
}

// ErrAhead means that a machine acknowledged what was never offered.
var ErrAhead = errors.New("no such generation of bindings was ever offered")

// Acknowledge notes that a machine is ready for a generation.
func (f *Fleet) Acknowledge(name, site string, generation uint64, at time.Time) (Machine, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if generation > f.feed.Generation {
		return Machine{}, false, fmt.Errorf("%d: %w: the newest is %d", generation, ErrAhead, f.feed.Generation)
	}
	fresh, err := f.register(name, site, at)
	if err != nil {
		return Machine{}, false, err
	}
	m := f.machines[name]
	m.Acked = max(m.Acked, generation)
	if f.moved != nil {
		f.moved()
	}
	return *m, fresh, nil
}

func (f *Fleet) register(name, site string, at time.Time) (fresh bool, err error) {
	m := f.machines[name]
	switch {
	case m == nil && len(f.machines) >= MaxMachines:
		return false, fmt.Errorf("there are %d machines already", MaxMachines)
	case m == nil:
		m = &Machine{Name: name, Site: site}
		f.machines[name], fresh = m, true
	case m.Site != site: // it moved: what it was ready for there does not count here
		m.Site, m.Acked, fresh = site, 0, true
	}
	m.Seen = at
	return fresh, nil
}

// Machines lists them by site and name.
func (f *Fleet) Machines() (all []Machine, newest uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.machines {
		all = append(all, *m)
	}
	slices.SortFunc(all, func(a, b Machine) int { return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Name, b.Name)) })
	return all, f.feed.Generation
}

// State of a machine, by when it was last heard.
func (f *Fleet) State(m Machine, at time.Time) string {
	switch age := at.Sub(m.Seen); {
	case age >= f.s.Silent:
		return "dark"
	case age >= lateAfter:
		return "silent"
	}
	return "live"
}
