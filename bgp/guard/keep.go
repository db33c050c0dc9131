package guard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// The Adj-RIB-Out of a neighbor is kept as the UPDATEs that would tell it again,
// with the End-of-RIB of both families behind: a stream of BGP messages that any
// tool for BGP reads, and whose end shows that it is whole. What changes after
// that is appended as further UPDATEs, so that keeping costs what changed and not
// what there is; the file is written anew once they have grown to its size.

const (
	keptSuffix = ".bgp"

	// keepEvery bounds how old what is kept can be when a process dies. Appended
	// messages are forced to the disk every syncEvery: only a power cut loses
	// what is not.
	keepEvery = 500 * time.Millisecond
	syncEvery = 10 * time.Second

	leastLog = 64 << 10 // octets appended that do not make a file be written anew
)

// file is how a neighbor's file stands. Guarded by Guard.keeping.
type file struct {
	base, log int64 // octets of the table, and appended to it
	synced    time.Time
	loose     bool // something appended is not forced to the disk
}

// keeper keeps the Adj-RIB-Outs until the guard is closed.
func (g *Guard) keeper() {
	if g.cfg.StateDir == "" {
		return
	}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.ctx.Done():
			return
		case <-tick.C:
			g.keep(false)
		}
	}
}

// keep writes what has changed in the Adj-RIB-Out of every session that has told
// its whole table. A session that is down or is just beginning keeps its file:
// it is what the neighbor was told last, and may still hold.
func (g *Guard) keep(last bool) {
	g.keeping.Lock()
	defer g.keeping.Unlock()
	changed, now := g.changed.Swap(false), time.Now()
	if g.cfg.StateDir == "" {
		return
	}
	for _, n := range g.who.Load().neighbors {
		path := filepath.Join(g.cfg.StateDir, n.Name+keptSuffix)
		var err error
		if changed {
			err = n.keep(path)
		}
		if n.file.loose && (last || now.Sub(n.file.synced) >= syncEvery) {
			err = errors.Join(err, n.file.sync(path, now))
		}
		if err != nil {
			n.log.Error("adj-rib-out cannot be kept", "error", err)
			n.table.forgetKept()
			g.changed.Store(true) // tried again
		}
	}
}

// keep brings a neighbor's file up to date.
func (n *neighbor) keep(path string) error {
	t := n.table
	t.mu.Lock()
	whole := t.live && !t.dump.active && t.eor == 0
	if whole && n.file.log > max(n.file.base, leastLog) {
		t.kept = false
	}
	gr, rest, anew := groups{}, t.rest, !t.kept
	t.rest = groups{}
	switch {
	case t.kept:
		t.changes(&gr)
	case whole:
		t.each(func(_ int, p netip.Prefix, out wire.AttrSet) { gr.add(out, p) })
	}
	t.kept, t.unkept = t.kept || whole, nil
	is := t.kept
	t.mu.Unlock()
	if err := n.file.add(path, &rest); err != nil || !is {
		return err
	}
	if !anew {
		return n.file.add(path, &gr)
	}
	raw, err := gr.encode(nil, wire.Encoding{}, &sent{})
	if err != nil {
		return err
	}
	return n.file.replace(path, raw)
}

// changes puts what is unkept into g, as it is on the wire now.
func (t *table) changes(g *groups) {
	slices.SortFunc(t.unkept, netip.Prefix.Compare)
	for _, p := range slices.Compact(t.unkept) {
		if out := t.told(p); out.IsZero() {
			g.withdraw(p)
		} else {
			g.add(out, p)
		}
	}
}

// told is what a prefix is on the wire with, zero if it is not.
func (t *table) told(p netip.Prefix) wire.AttrSet {
	if i, found := t.target.find(p); found && !t.learning() && t.state[i]&onWire != 0 {
		return t.target.sets[i]
	}
	return t.strays[p].out
}

// tell notes what is to be kept. Where that is most of the table, the whole of
// it is.
func (t *table) tell(events []bgp.Event) {
	for _, e := range events {
		if t.kept && (e.Kind == bgp.Advertised || e.Kind == bgp.Withdrawn) {
			t.unkept = append(t.unkept, e.Prefixes...)
		}
	}
	if len(t.unkept) > bulk+t.out[0]+t.out[1] {
		t.kept, t.unkept = false, nil
	}
}

// forgetKept makes the next keep write the whole table.
func (t *table) forgetKept() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept, t.unkept = false, nil
}

func (f *file) replace(path string, table []byte) error {
	for _, family := range addressing.Families() {
		table = wire.AppendEndOfRIB(table, wire.FamilyOf(family))
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := renameio.WriteFile(path, table, 0o600); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	*f = file{base: int64(len(table))}
	return nil
}

// add appends changes.
func (f *file) add(path string, g *groups) error {
	changes, err := g.encode(nil, wire.Encoding{}, &sent{})
	if err != nil || len(changes) == 0 {
		return err
	}
	out, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	_, err = out.Write(changes)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	f.log += int64(len(changes))
	f.loose = true
	return nil
}

func (f *file) sync(path string, at time.Time) error {
	out, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	f.synced, f.loose = at, false
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
		reader: wire.NewReader(bufio.NewReader(f)), seen: map[netip.Prefix]int{}, memo: map[wire.AttrSet]*snapshots.Attributes{},
		owed: wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast),
	}
	err = in.all()
	k.Routes = slices.DeleteFunc(in.routes, func(r snapshots.TargetRoute) bool { return r.Attrs == nil })
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
	seen   map[netip.Prefix]int // in routes; one that was withdrawn has no attributes there
	memo   map[wire.AttrSet]*snapshots.Attributes
}

// all reads to the end, or to the first damage. Behind the End-of-RIBs a message
// that is cut off is what a crash leaves: all before it was told.
func (k *kept) all() error {
	for n := 1; ; n++ {
		m, err := k.reader.ReadMessage()
		switch {
		case errors.Is(err, io.EOF) && k.owed == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("it ends before its End-of-RIB")
		case errors.Is(err, io.ErrUnexpectedEOF) && k.owed == 0:
			return nil
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
	gone := false
	for p := range u.Withdrawals() {
		if k.owed != 0 {
			return fmt.Errorf("it withdraws %s", p)
		}
		if i, there := k.seen[p]; there {
			k.routes[i].Attrs = nil
		}
		gone = true
	}
	f, some := familyOf(&u)
	if !some && gone {
		return nil
	}
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
		i, twice := k.seen[p]
		if twice && k.owed != 0 {
			return fmt.Errorf("it tells %s twice", p)
		}
		if twice {
			k.routes[i].Attrs = k.memo[set]
			continue
		}
		k.seen[p] = len(k.routes)
		k.routes = append(k.routes, snapshots.TargetRoute{Prefix: p, Attrs: k.memo[set]})
	}
	return nil
}
