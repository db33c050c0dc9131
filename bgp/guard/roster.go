package guard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// roster is who the neighbors are. It is immutable: another configuration is
// another roster.
type roster struct {
	neighbors []*neighbor // sorted by name
	byName    map[string]*neighbor
	byAddress map[netip.Addr]*neighbor
	policies  map[string]policy.Neighbor
}

func newRoster(all []*neighbor) *roster {
	r := &roster{neighbors: all, byName: map[string]*neighbor{}, byAddress: map[netip.Addr]*neighbor{}, policies: map[string]policy.Neighbor{}}
	slices.SortFunc(r.neighbors, func(a, b *neighbor) int { return strings.Compare(a.Name, b.Name) })
	for _, n := range all {
		r.byName[n.Name], r.byAddress[n.Address], r.policies[n.Name] = n, n, *n.shown.Load()
	}
	return r
}

// Configure makes these the neighbors. The session of one whose transport and
// OPEN stay as they are is not touched, whatever else changes of it. One that
// changes otherwise is closed without NOTIFICATION, so that it keeps its routes
// (RFC 4724), and begins anew with the Target it has. One that goes is told so
// (Cease, Peer De-configured). One that comes is let in with its first Target.
// On an error nothing was changed.
func (g *Guard) Configure(ctx context.Context, neighbors []Neighbor) error {
	g.applying.Lock()
	defer g.applying.Unlock()
	g.mu.Lock()
	closed := g.closed
	g.mu.Unlock()
	if closed {
		return fmt.Errorf("configure: %w", bgp.ErrClosed)
	}
	cfg := g.cfg
	cfg.Neighbors = g.withLoopbacks(neighbors)
	cfg, err := cfg.withDefaults()
	if err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	m := g.moveTo(cfg.Neighbors)
	if err := g.engage(ctx, m); err != nil {
		for _, n := range m.come {
			n.stop()
			n.leg.part(n)
		}
		return fmt.Errorf("configure: %w", err)
	}
	for _, n := range m.stay {
		n.shown.Store(m.policies[n.Name])
	}
	next := newRoster(slices.Concat(m.stay, m.come))
	if err := g.forget(ctx, m.gone, next); err != nil {
		// The engine still holds what nobody is to get: no Target names it, so
		// it stays inside, and the next Apply tries again.
		g.log.Warn("configure: the routing engine keeps routes of a neighbor that went", "error", err)
	}
	g.who.Store(next)
	for _, n := range m.gone {
		replaced := next.byName[n.Name] != nil
		g.group.Go(func() { n.retire(replaced) })
	}
	g.mu.Lock()
	started, waits := g.started, g.seen != bgp.Order{}
	g.mu.Unlock()
	for _, n := range m.come {
		if started && (g.inherit(n) || !waits) {
			n.begin()
		}
	}
	return nil
}

// move is from one roster to the next. A neighbor that begins anew is among
// those that go and those that come.
type move struct {
	stay, come, gone []*neighbor
	policies         map[string]*policy.Neighbor
}

func (g *Guard) moveTo(neighbors []Neighbor) move {
	now := g.who.Load()
	m := move{policies: map[string]*policy.Neighbor{}}
	stays := map[*neighbor]bool{}
	for _, c := range neighbors {
		m.policies[c.Name] = &c.Neighbor
		old := now.byName[c.Name]
		if old != nil && sameSession(old.Neighbor, c) {
			m.stay = append(m.stay, old)
			stays[old] = true
			continue
		}
		n := newNeighbor(g, c)
		n.wasUp = old != nil
		if old != nil {
			old.mu.Lock()
			n.shut, n.status.lastError = old.shut, old.status.lastError
			old.mu.Unlock()
		}
		m.come = append(m.come, n)
	}
	for _, n := range now.neighbors {
		if !stays[n] {
			m.gone = append(m.gone, n)
		}
	}
	return m
}

// sameSession reports whether two configurations of a neighbor differ in
// nothing that its session depends on: what is only in the Target's routes may.
func sameSession(a, b Neighbor) bool {
	for _, n := range []*Neighbor{&a, &b} {
		n.Accept, n.Loopback = nil, netip.Addr{}
		n.Neighbor = policy.Neighbor{
			Name: n.Name, Kind: n.Kind, Address: n.Address, ASN: n.ASN, LocalASN: n.LocalASN, Role: n.Role, Families: n.Families, Receive: n.Receive,
		}
	}
	return reflect.DeepEqual(a, b)
}

// withLoopbacks gives neighbors that may send routes a loopback address that no
// leg has or had, unless they have one.
func (g *Guard) withLoopbacks(neighbors []Neighbor) []Neighbor {
	out := slices.Clone(neighbors)
	now := g.who.Load()
	taken := map[netip.Addr]bool{}
	for i := range out {
		n := &out[i]
		if n.Receive != policy.ReceiveControl {
			continue
		}
		if old := now.byName[n.Name]; old != nil && old.Receive == policy.ReceiveControl && old.role() == n.role() {
			n.Loopback = old.Loopback
			taken[n.Loopback] = true
			continue
		}
		at := LegNetwork(n.role()).Addr().Next().Next() // the first is the shared leg's
		for g.legs[at] != nil || taken[at] {
			at = at.Next()
		}
		n.Loopback = at
		taken[at] = true
	}
	return out
}

// engage prepares what the neighbors that come need: keys at the listeners and
// legs to the engine.
func (g *Guard) engage(ctx context.Context, m move) error {
	for _, n := range m.gone {
		if n.MD5 != "" {
			if err := g.key(n.Address, ""); err != nil {
				return fmt.Errorf("neighbor %q: %w", n.Name, err)
			}
		}
	}
	for _, n := range m.come {
		if err := g.key(n.Address, n.MD5); err != nil {
			return fmt.Errorf("neighbor %q: %w", n.Name, err)
		}
	}
	g.mu.Lock()
	started := g.started
	g.mu.Unlock()
	if !started {
		return nil
	}
	for _, n := range m.come {
		l := n.leg
		if l.running {
			continue
		}
		if err := g.cfg.RIB.Connect(ctx, l.Leg); err != nil {
			return fmt.Errorf("leg %q: %w", l.Name, err)
		}
		l.running = true
		g.group.Go(func() { l.run(g.ctx) })
	}
	return nil
}

// key sets the TCP-MD5 key that the listeners want from an address.
func (g *Guard) key(address netip.Addr, key string) error {
	for _, l := range g.listeners {
		at, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil || at.Addr().Is4() != address.Is4() {
			continue
		}
		raw, err := l.(*net.TCPListener).SyscallConn()
		if err != nil {
			return err
		}
		if err := control(raw, func(fd int) error { return resetMD5(fd, address, key) }); err != nil {
			return err
		}
	}
	return nil
}

// forget takes the Targets of neighbors that go away, and what only they named
// out of the engine. Those that begin anew keep theirs if it fits them.
func (g *Guard) forget(ctx context.Context, gone []*neighbor, next *roster) error {
	leave := map[string]*target{}
	for _, n := range gone {
		if after := next.byName[n.Name]; after == nil || !g.fits(after) {
			leave[n.Name] = nil
		}
	}
	if len(leave) == 0 {
		return nil
	}
	add, remove, union := g.difference(leave)
	g.mu.Lock()
	g.union = union
	for name := range leave {
		delete(g.targets, name)
		delete(g.drift, name)
	}
	g.mu.Unlock()
	if err := errors.Join(g.cfg.RIB.Change(ctx, add, nil), g.cfg.RIB.Change(ctx, nil, remove)); err != nil {
		return err
	}
	g.mu.Lock()
	g.pending = nil
	g.mu.Unlock()
	return nil
}

// fits reports whether the Target that a neighbor of this name has can be sent
// to it as it is now.
func (g *Guard) fits(n *neighbor) bool {
	g.mu.Lock()
	had := g.targets[n.Name]
	g.mu.Unlock()
	if had == nil {
		return true
	}
	if bgp.CheckRoutes(n.Neighbor.Neighbor, had.routes) != nil {
		return false
	}
	_, err := compiler{}.target(&n.Neighbor, had.order, had.routes)
	return err == nil
}

// inherit gives a neighbor that begins anew the Target it had, and reports
// whether there was one.
func (g *Guard) inherit(n *neighbor) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	had := g.targets[n.Name]
	if had == nil {
		return false
	}
	t, err := compiler{}.target(&n.Neighbor, had.order, had.routes)
	if err != nil {
		return false // cannot be: it fits
	}
	g.targets[n.Name] = t
	n.table.mu.Lock()
	n.table.swap(t)
	n.table.mu.Unlock()
	return true
}

// begin lets the neighbor in once the engine has offered its table. It does so
// once.
func (n *neighbor) begin() {
	n.once.Do(func() {
		n.guard.group.Go(func() {
			select {
			case <-n.leg.synced:
			case <-time.After(deferral):
				n.log.Warn("the routing engine has not offered its table in time")
			case <-n.ctx.Done():
				return
			}
			n.admit(n.ctx)
		})
	})
}

// retire ends a neighbor for good. One that is replaced keeps its routes; the
// others are told (RFC 4486 section 4).
func (n *neighbor) retire(replaced bool) {
	n.mu.Lock()
	n.admitted = false
	up := n.up
	if up != nil {
		up.why = "removed from the configuration"
		if replaced {
			up.why = "its configuration changed"
		}
	}
	n.mu.Unlock()
	if up != nil && !replaced {
		refuse(up, &wire.Notification{Code: wire.CodeCease, Subcode: wire.SubPeerDeconfigured})
	}
	n.stop()
	n.leg.part(n)
}
