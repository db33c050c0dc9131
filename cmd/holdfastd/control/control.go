package control

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// every is how often what waits is tried again, and what is announced is
// compared with what is desired: a prefix may be approved after its customer
// began to announce it.
const every = 15 * time.Second

// Registry keeps desired state.
type Registry interface {
	Signal(ctx context.Context, req addressing.Request, cidr netip.Prefix, advertised bool) (addressing.BGPPrefix, addressing.ChangeSet, error)
}

// Config is what a Control is made of.
type Config struct {
	Accounts  map[string]string                    // id of the account that a neighbor speaks for, by the neighbor's name; see Speak
	Registry  func() Registry                      // nil while desired state cannot be used
	Announced func(neighbor string) []netip.Prefix // what it announces now
	Active    func() *snapshots.Snapshot           // nil before the first
	Off       func() bool                          // a person turned it off: signals wait; nil is never
	Log       *slog.Logger
}

// Control carries out signals. Make one with New.
type Control struct {
	cfg      Config
	poked    chan struct{}
	accounts atomic.Pointer[map[string]string]

	mu    sync.Mutex
	wants map[key]wish
	told  map[key]string       // refusals that were logged
	lost  map[string]time.Time // neighbors whose session was up and is down
	count Counts
}

type key struct {
	neighbor string
	prefix   netip.Prefix
}

// wish is a signal that has not been carried out yet.
type wish struct {
	advertise bool
	since     time.Time
	why       string // it was refused
}

// Counts counts signals since the start.
type Counts struct {
	Announced, Withdrawn int // carried out
	Refused              int // tries that a gate refused
}

// New makes a Control; nothing happens before Run.
func New(cfg Config) *Control {
	c := &Control{cfg: cfg, poked: make(chan struct{}, 1), wants: map[key]wish{}, told: map[key]string{}, lost: map[string]time.Time{}}
	c.accounts.Store(&cfg.Accounts)
	return c
}

// Speak says which neighbors speak for which accounts from now on. What one
// said that no longer does is forgotten, and withdraws nothing.
func (c *Control) Speak(accounts map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.speaking()
	c.accounts.Store(&accounts)
	gone := func(neighbor string) bool { return accounts[neighbor] != was[neighbor] }
	maps.DeleteFunc(c.wants, func(k key, _ wish) bool { return gone(k.neighbor) })
	maps.DeleteFunc(c.told, func(k key, _ string) bool { return gone(k.neighbor) })
	maps.DeleteFunc(c.lost, func(n string, _ time.Time) bool { return gone(n) })
	c.poke()
}

// speaking are the accounts that neighbors speak for.
func (c *Control) speaking() map[string]string { return *c.accounts.Load() }

// Allows reports whether a neighbor may signal a prefix: it is a BGP prefix of
// the neighbor's account, under BGP control. Everything else that it sends is
// dropped and counted by the guard.
func (c *Control) Allows(neighbor string, prefix netip.Prefix) bool {
	_, found := c.record(neighbor, prefix)
	return found
}

// record finds the BGP prefix in the active snapshot, which is there when the
// database is not.
func (c *Control) record(neighbor string, prefix netip.Prefix) (snapshots.BGPRecord, bool) {
	snap := c.cfg.Active()
	if snap == nil {
		return snapshots.BGPRecord{}, false
	}
	part, found := snap.Account(c.speaking()[neighbor])
	if !found {
		return snapshots.BGPRecord{}, false
	}
	for i := range part.Prefixes {
		p := &part.Prefixes[i]
		if p.Control != addressing.ControlBGP || !p.CIDR.Contains(prefix.Addr()) {
			continue
		}
		for _, b := range p.BGP {
			if b.CIDR == prefix {
				return b, true
			}
		}
	}
	return snapshots.BGPRecord{}, false
}

// See takes an event of the guard. It does not block.
func (c *Control) See(e bgp.Event) {
	if _, mine := c.speaking()[e.Neighbor]; !mine {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Kind {
	case bgp.SignalAnnounced, bgp.SignalWithdrawn:
		for _, p := range e.Prefixes {
			c.wants[key{e.Neighbor, p}] = wish{advertise: e.Kind == bgp.SignalAnnounced, since: e.At}
		}
		c.poke()
	case bgp.SessionUp:
		delete(c.lost, e.Neighbor)
		c.poke()
	case bgp.SessionDown:
		if _, known := c.lost[e.Neighbor]; !known {
			c.lost[e.Neighbor] = e.At
			c.cfg.Log.Error("BGP control: the session is lost; what was signalled last stays", "alert", "bgp_control_signal_lost",
				"neighbor", e.Neighbor, "account", c.speaking()[e.Neighbor], "why", e.Why)
		}
	}
}

func (c *Control) poke() {
	select {
	case c.poked <- struct{}{}:
	default:
	}
}

// Run carries out signals until ctx ends.
func (c *Control) Run(ctx context.Context) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.poked:
		case <-tick.C:
			c.compare(time.Now())
		}
		c.carryOut(ctx, time.Now())
	}
}

// compare wants what is announced and not desired. What is desired and not
// announced is left alone: only a withdrawal says that it is not wanted.
func (c *Control) compare(now time.Time) {
	for neighbor := range c.speaking() {
		for _, p := range c.cfg.Announced(neighbor) {
			if b, found := c.record(neighbor, p); !found || b.Advertised {
				continue
			}
			c.mu.Lock()
			if _, waits := c.wants[key{neighbor, p}]; !waits {
				c.wants[key{neighbor, p}] = wish{advertise: true, since: now}
			}
			c.mu.Unlock()
		}
	}
}

// carryOut tries everything that waits, announcements first, in order of
// prefix: what restores reachability must not wait behind what removes it.
func (c *Control) carryOut(ctx context.Context, now time.Time) {
	r := c.cfg.Registry()
	if r == nil || c.cfg.Off != nil && c.cfg.Off() {
		return
	}
	c.mu.Lock()
	wants := maps.Clone(c.wants)
	c.mu.Unlock()
	waiting := slices.Collect(maps.Keys(wants))
	slices.SortFunc(waiting, func(a, b key) int {
		if x, y := wants[a].advertise, wants[b].advertise; x != y {
			if x {
				return -1
			}
			return 1
		}
		return a.prefix.Compare(b.prefix)
	})
	for _, k := range waiting {
		if ctx.Err() != nil {
			return
		}
		c.one(ctx, r, k, wants[k], now)
	}
}

func (c *Control) one(ctx context.Context, r Registry, k key, w wish, now time.Time) {
	reason := "announced on its session with " + k.neighbor
	if !w.advertise {
		reason = "withdrawn on its session with " + k.neighbor
	}
	account := c.speaking()[k.neighbor]
	_, _, err := r.Signal(ctx, addressing.Request{
		Actor:  addressing.Actor{Kind: addressing.Owner, ID: "bgp/" + k.neighbor, Name: k.neighbor, AccountID: account},
		Scope:  addressing.OneAccount(account),
		Reason: reason, At: now,
	}, k.prefix, w.advertise)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wants[k].advertise != w.advertise || c.wants[k].since != w.since {
		return // a newer signal for the same prefix: it is next
	}
	switch code := addressing.CodeOf(err); {
	case err == nil:
		delete(c.wants, k)
		delete(c.told, k)
		if w.advertise {
			c.count.Announced++
		} else {
			c.count.Withdrawn++
		}
		c.cfg.Log.Info("BGP control", "neighbor", k.neighbor, "account", account, "prefix", k.prefix.String(), "advertised", w.advertise)
	case code == addressing.CodeNotFound || code == addressing.CodeConflict && w.advertise:
		// Not there, not approved, not bound: compare asks again while it is
		// announced.
		delete(c.wants, k)
		c.refused(k, w, err)
	default:
		w.why = err.Error()
		c.wants[k] = w
		c.refused(k, w, err)
	}
}

// refused counts and logs a refusal, the same one once: what is announced is
// tried again as long as it is.
func (c *Control) refused(k key, w wish, err error) {
	c.count.Refused++
	if c.told[k] == err.Error() {
		return
	}
	c.told[k] = err.Error()
	c.cfg.Log.Warn("BGP control: a signal was not carried out", "neighbor", k.neighbor, "prefix", k.prefix.String(), "advertise", w.advertise, "error", err)
}

// Lost is a neighbor whose session is down since At: its last signals stay.
type Lost struct {
	Neighbor string
	At       time.Time
}

// State is what a person may want to know.
type State struct {
	Counts  Counts
	Lost    []Lost // sorted by name
	Waiting int    // signals that were heard and not carried out
	Why     string // one of them was refused
}

// State tells how things stand.
func (c *Control) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := State{Counts: c.count, Waiting: len(c.wants)}
	for neighbor, at := range c.lost {
		out.Lost = append(out.Lost, Lost{neighbor, at})
	}
	slices.SortFunc(out.Lost, func(a, b Lost) int { return strings.Compare(a.Neighbor, b.Neighbor) })
	for k, w := range c.wants {
		if why := fmt.Sprintf("%s: %s", k.prefix, w.why); w.why != "" && (out.Why == "" || why < out.Why) {
			out.Why = why
		}
	}
	return out
}

// Risks are named in /v1/status.
func (c *Control) Risks() []string {
	s := c.State()
	var out []string
	for _, l := range s.Lost {
		out = append(out, fmt.Sprintf("bgp_control_signal_lost: the session with %s is down since %s; what it signalled last stays", l.Neighbor, l.At.UTC().Format(time.RFC3339)))
	}
	if s.Why != "" {
		out = append(out, fmt.Sprintf("bgp_control_waiting: %d signal(s) wait, e.g. %s", s.Waiting, s.Why))
	}
	return out
}
