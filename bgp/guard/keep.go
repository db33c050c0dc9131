package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// The Adj-RIB-Out of a neighbor is kept as the UPDATEs that would tell it again,
// with the End-of-RIB of both families behind: a stream of BGP messages that any
// tool for BGP reads, and whose end shows that it is whole.

const keptSuffix = ".bgp"

// keep writes the Adj-RIB-Out of every session that has told its whole table. A
// session that is down or is just beginning keeps its file: it is what the
// neighbor was told last, and may still hold.
func (g *Guard) keep() {
	if g.cfg.StateDir == "" {
		return
	}
	for _, n := range g.who.Load().neighbors {
		if err := n.keep(g.cfg.StateDir); err != nil {
			n.log.Error("adj-rib-out cannot be kept", "error", err)
		}
	}
}

func (n *neighbor) keep(dir string) error {
	var gr groups
	n.table.mu.Lock()
	whole := n.table.live && !n.table.dump.active && n.table.eor == 0
	if whole {
		n.table.each(func(_ int, p netip.Prefix, out wire.AttrSet) { gr.add(out, p) })
	}
	n.table.mu.Unlock()
	if !whole {
		return nil
	}
	raw, err := gr.encode(nil, wire.Encoding{}, &sent{})
	if err != nil {
		return err
	}
	for _, f := range addressing.Families() {
		raw = wire.AppendEndOfRIB(raw, wire.FamilyOf(f))
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, n.Name+keptSuffix), raw, 0o600); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}

// Kept is what a neighbor was last told, as an earlier process left it.
type Kept struct {
	Neighbor string
	At       time.Time // when it was written
	Routes   []snapshots.TargetRoute
	// Damage says why the file is not whole; Routes then has what could be read.
	Damage error
}

// ReadKept gives what every neighbor was last told, sorted by name, from the
// directory of the Adj-RIB-Outs. A directory that is not there holds nothing. A
// damaged file never hides the others.
func ReadKept(dir string) ([]Kept, error) {
	files, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read adj-rib-out: %w", err)
	}
	var out []Kept
	for _, file := range files {
		name, is := strings.CutSuffix(file.Name(), keptSuffix)
		if !is || !file.Type().IsRegular() || strings.HasPrefix(name, ".") {
			continue
		}
		k := Kept{Neighbor: name}
		if err := k.read(filepath.Join(dir, file.Name())); err != nil {
			k.Damage = fmt.Errorf("adj-rib-out of %s: %w", name, err)
		}
		sortRoutes(k.Routes)
		out = append(out, k)
	}
	return out, nil
}

func (k *Kept) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	k.At = st.ModTime()
	in := kept{
		reader: wire.NewReader(bufio.NewReader(f)), seen: map[netip.Prefix]struct{}{}, memo: map[wire.AttrSet]*snapshots.Attributes{},
		owed: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast),
	}
	err = in.all()
	k.Routes = in.routes
	return err
}

// told is what an earlier process told the neighbors last, by name.
func (g *Guard) told() map[string][]snapshots.TargetRoute {
	if g.cfg.StateDir == "" || !g.cfg.Restarting {
		return nil
	}
	all, err := ReadKept(g.cfg.StateDir)
	if err != nil {
		g.log.Error("what the neighbors were told last is not known", "error", err)
	}
	out := map[string][]snapshots.TargetRoute{}
	for _, k := range all {
		if k.Damage != nil {
			g.log.Warn("what a neighbor was told last is not known for certain", "neighbor", k.Neighbor, "error", k.Damage, "routes", len(k.Routes))
		}
		out[k.Neighbor] = k.Routes
	}
	return out
}

// Await keeps neighbors from connecting before their first Target: what they
// hold is not known, and a session without a table would take it from them. Call
// it before Start.
func (g *Guard) Await(names ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits = map[string]bool{}
	for _, name := range names {
		g.waits[name] = true
	}
}

// ready reports whether a neighbor may connect at start. After a restart one
// that was told routes waits for a Target: without one the session would come up
// with no promise to keep them (RFC 4724 section 4.2), and it would drop all.
func (g *Guard) ready(n *neighbor, told []snapshots.TargetRoute) bool {
	n.table.mu.Lock()
	t := n.table.target
	n.table.mu.Unlock()
	g.mu.Lock()
	waits := g.waits[n.Name]
	g.mu.Unlock()
	if t == nil && waits {
		n.log.Warn("what it holds is not known and it has no target: it may not connect until it has one")
		return false
	}
	if t == nil {
		if len(told) > 0 {
			n.log.Warn("was told routes and has no target: it may not connect until it has one", "routes", len(told))
		}
		return len(told) == 0
	}
	var gone []netip.Prefix
	for _, r := range told {
		if _, named := t.find(r.Prefix); !named {
			gone = append(gone, r.Prefix)
		}
	}
	if len(gone) > 0 {
		n.log.Warn("was told routes before the restart that its target does not name: they leave with End-of-RIB", "routes", len(gone), "first", gone[0].String())
	}
	return true
}

// kept is a file that is being read.
type kept struct {
	reader *wire.Reader
	owed   wire.FamilySet // End-of-RIBs
	routes []snapshots.TargetRoute
	seen   map[netip.Prefix]struct{}
	memo   map[wire.AttrSet]*snapshots.Attributes
}

// all reads to the end, or to the first damage.
func (k *kept) all() error {
	for n := 1; ; n++ {
		m, err := k.reader.ReadMessage()
		switch {
		case errors.Is(err, io.EOF) && k.owed == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it ends before its End-of-RIB")
		case err != nil:
			return fmt.Errorf("message %d: %w", n, err)
		case m.Type != wire.TypeUpdate:
			return fmt.Errorf("message %d is a %s", n, m.Type)
		}
		if err := k.update(m.Body); err != nil {
			return fmt.Errorf("message %d: %w", n, err)
		}
	}
}

func (k *kept) update(body []byte) error {
	s := wire.Session{Families: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast), LoopbackNextHop: true}
	u := s.Classify(body)
	if u.Action == wire.AttributeDiscard && u.Attribute == wire.AttrLocalPref {
		s.Internal = true // told over iBGP
		u = s.Classify(body)
	}
	if u.Action != wire.Accept {
		return fmt.Errorf("%s: %s", u.Attribute, u.Why)
	}
	if f, is := u.EndOfRIB(); is {
		k.owed &^= wire.NewFamilySet(f)
		return nil
	}
	for p := range u.Withdrawals() {
		return fmt.Errorf("it withdraws %s", p)
	}
	f, some := familyOf(&u)
	if !some {
		return errors.New("it says nothing")
	}
	attrs, err := u.Attributes(f)
	if err != nil {
		return err
	}
	set, err := attrs.Intern()
	if err != nil {
		return err
	}
	if k.memo[set] == nil {
		k.memo[set] = asTarget(set)
	}
	for p := range u.Advertisements() {
		if _, twice := k.seen[p]; twice {
			return fmt.Errorf("it tells %s twice", p)
		}
		k.seen[p] = struct{}{}
		k.routes = append(k.routes, snapshots.TargetRoute{Prefix: p, Attrs: k.memo[set]})
	}
	return nil
}
