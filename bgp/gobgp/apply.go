package gobgp

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// step is one change of what GoBGP holds; a nil class deletes the path.
type step struct {
	prefix netip.Prefix
	class  *class
}

// Apply implements bgp.Speaker. It refuses before it changes anything, or
// accepts the Target and works through the difference: additions and changes
// first, then what goes. When the context ends or GoBGP refuses a path the rest
// stays pending and the next Apply, of the same Target too, goes on with it.
func (s *Speaker) Apply(ctx context.Context, t snapshots.Target) error {
	s.applying.Lock()
	defer s.applying.Unlock()
	steps, err := s.accept(t)
	if err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	if err := s.work(ctx, steps, bgp.OrderOf(t)); err != nil {
		return fmt.Errorf("apply: %w", err)
	}
	return nil
}

// accept decides, plans and records; nothing has changed if it fails.
func (s *Speaker) accept(t snapshots.Target) ([]step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, bgp.ErrClosed
	}
	if err := bgp.Check(t, s.policies, s.seen); err != nil {
		return nil, err
	}
	targets := slices.Clone(s.targets)
	pending := slices.Clone(s.pending)
	for name, nt := range t.Neighbors {
		if err := checkTags(nt.Routes); err != nil {
			return nil, fmt.Errorf("neighbor %q: %w", name, err)
		}
		i := s.byName[name]
		pending = appendChanged(pending, targets[i], nt.Routes)
		targets[i] = nt.Routes
	}
	slices.SortFunc(pending, netip.Prefix.Compare)
	pending = slices.Compact(pending)
	steps, err := s.plan(targets, pending)
	if err != nil {
		return nil, err
	}
	s.targets, s.pending, s.seen, s.applied = targets, pending, bgp.OrderOf(t), true
	return steps, nil
}

// checkTags keeps the tags ours: a Target that carries one could let a path out
// to a neighbor that it does not name.
func checkTags(routes []snapshots.TargetRoute) error {
	var seen *snapshots.Attributes
	for _, r := range routes {
		if r.Attrs == seen {
			continue
		}
		seen = r.Attrs
		for _, l := range seen.LargeCommunities {
			if l.Global == tagASN {
				return fmt.Errorf("prefix %s: large community %s: AS %d is reserved: %w", r.Prefix, l, uint32(tagASN), bgp.ErrRoute)
			}
		}
	}
	return nil
}

// appendChanged appends the prefixes in which two sorted sets differ.
func appendChanged(out []netip.Prefix, before, after []snapshots.TargetRoute) []netip.Prefix {
	for len(before) > 0 && len(after) > 0 {
		switch b, a := before[0], after[0]; b.Prefix.Compare(a.Prefix) {
		case -1:
			out, before = append(out, b.Prefix), before[1:]
		case 1:
			out, after = append(out, a.Prefix), after[1:]
		default:
			if b.Attrs != a.Attrs && !equal(*b.Attrs, *a.Attrs) {
				out = append(out, a.Prefix)
			}
			before, after = before[1:], after[1:]
		}
	}
	for _, r := range before {
		out = append(out, r.Prefix)
	}
	for _, r := range after {
		out = append(out, r.Prefix)
	}
	return out
}

// plan finds the class of every pending prefix; the prefixes are sorted, so one
// pass over the targets is enough. Equal sets of attribute pointers give equal
// classes, which saves most of the work.
func (s *Speaker) plan(targets [][]snapshots.TargetRoute, pending []netip.Prefix) ([]step, error) {
	steps := make([]step, 0, len(pending))
	cursors := slices.Clone(targets)
	memo, fresh, ids := map[string]*class{}, map[string]*class{}, numbers{}
	var members []member
	var key []byte
	for _, p := range pending {
		members, key = members[:0], append(key[:0], byte(addressing.FamilyOf(p)))
		for i := range cursors {
			cursors[i] = seek(cursors[i], p)
			if len(cursors[i]) > 0 && cursors[i][0].Prefix == p {
				members = append(members, member{index: i, attrs: cursors[i][0].Attrs})
				key = binary.AppendUvarint(key, uint64(i))
				key = binary.AppendUvarint(key, ids.of(cursors[i][0].Attrs))
			}
		}
		if len(members) == 0 {
			steps = append(steps, step{prefix: p})
			continue
		}
		c, found := memo[string(key)]
		if !found {
			var err error
			if c, err = classify(s.neighbors, members, addressing.FamilyOf(p)); err != nil {
				return nil, fmt.Errorf("prefix %s: %w", p, err)
			}
			c = s.intern(fresh, c)
			memo[string(key)] = c
		}
		steps = append(steps, step{prefix: p, class: c})
	}
	return steps, nil
}

// numbers gives every value a number of its own.
type numbers map[*snapshots.Attributes]uint64

func (n numbers) of(a *snapshots.Attributes) uint64 {
	id, found := n[a]
	if !found {
		id = uint64(len(n))
		n[a] = id
	}
	return id
}

// seek skips the routes before p: by bisection, for a lone change among a
// million routes.
func seek(routes []snapshots.TargetRoute, p netip.Prefix) []snapshots.TargetRoute {
	if len(routes) == 0 || routes[0].Prefix.Compare(p) >= 0 {
		return routes
	}
	// Gallop first: the pending prefixes often lie close together.
	bound := 1
	for bound < len(routes) && routes[bound].Prefix.Compare(p) < 0 {
		bound *= 2
	}
	from, to := bound/2, min(bound+1, len(routes))
	i, _ := slices.BinarySearchFunc(routes[from:to], p, func(r snapshots.TargetRoute, p netip.Prefix) int {
		return r.Prefix.Compare(p)
	})
	return routes[from+i:]
}

// intern returns the one class that says what c says, be it loaded or fresh in
// this plan, so that equal classes are equal pointers.
func (s *Speaker) intern(fresh map[string]*class, c *class) *class {
	if have, found := s.classes[c.key]; found {
		return have
	}
	if have, found := fresh[c.key]; found {
		return have
	}
	fresh[c.key] = c
	return c
}

// chunk is how many paths are handed to GoBGP before others get the processor.
// Every path is an operation of its own in GoBGP's main loop, which serves the
// sessions in between.
const chunk = 256

// work hands the steps to GoBGP, additions and changes before deletions.
func (s *Speaker) work(ctx context.Context, steps []step, order bgp.Order) error {
	seen := newEvents(s, order)
	defer seen.flush()
	done := 0
	for _, deletions := range []bool{false, true} {
		for _, st := range steps {
			if (st.class == nil) != deletions {
				continue
			}
			if done++; done%chunk == 0 {
				seen.flush()
				runtime.Gosched()
				if err := ctx.Err(); err != nil {
					s.settle()
					return err
				}
			}
			if err := s.take(ctx, st, seen); err != nil {
				s.settle()
				return fmt.Errorf("prefix %s: %w", st.prefix, err)
			}
		}
	}
	s.mu.Lock()
	s.pending = nil
	s.mu.Unlock()
	return nil
}

// take makes one step, if GoBGP does not have it already.
func (s *Speaker) take(ctx context.Context, st step, seen *events) error {
	s.mu.Lock()
	before, closed := s.loaded[st.prefix], s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return bgp.ErrClosed
	case before == st.class:
		return nil
	case st.class == nil:
		if err := s.deletePath(ctx, before, st.prefix); err != nil {
			return err
		}
	default:
		if _, err := s.server.AddPath(ctx, &api.AddPathRequest{Path: st.class.path(st.prefix)}); err != nil {
			return fmt.Errorf("add path: %w", err)
		}
	}
	s.mu.Lock()
	s.record(st.prefix, before, st.class)
	s.mu.Unlock()
	seen.add(st.prefix, before, st.class)
	return nil
}

func (s *Speaker) deletePath(ctx context.Context, c *class, p netip.Prefix) error {
	if err := s.server.DeletePath(ctx, &api.DeletePathRequest{Path: c.path(p)}); err != nil {
		return fmt.Errorf("delete path: %w", err)
	}
	return nil
}

// record notes that GoBGP holds p with after instead of before.
func (s *Speaker) record(p netip.Prefix, before, after *class) {
	family := addressing.FamilyOf(p)
	if before != nil {
		if before.paths--; before.paths == 0 {
			delete(s.classes, before.key)
		}
		for _, m := range before.members {
			*s.counts[m.index].of(family)--
		}
	}
	if after == nil {
		delete(s.loaded, p)
		return
	}
	after.paths++
	s.classes[after.key] = after
	for _, m := range after.members {
		*s.counts[m.index].of(family)++
	}
	s.loaded[p] = after
}

// settle drops from pending what GoBGP has by now, after an Apply that broke off.
func (s *Speaker) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps, err := s.plan(s.targets, s.pending)
	if err != nil {
		return // planned before, so this cannot be; pending stays
	}
	left := s.pending[:0]
	for _, st := range steps {
		if s.loaded[st.prefix] != st.class {
			left = append(left, st.prefix)
		}
	}
	s.pending = left
}

// events gathers what one Apply handed to established sessions.
type events struct {
	speaker *Speaker
	order   bgp.Order
	batches map[eventKey][]netip.Prefix
}

type eventKey struct {
	kind     bgp.EventKind
	neighbor int
	family   addressing.Family
}

func newEvents(s *Speaker, o bgp.Order) *events {
	return &events{speaker: s, order: o, batches: map[eventKey][]netip.Prefix{}}
}

func (e *events) add(p netip.Prefix, before, after *class) {
	f := addressing.FamilyOf(p)
	if after != nil {
		for _, m := range after.members {
			old := before.member(m.index)
			if old == nil || old.variant != m.variant || !equal(*old.attrs, *m.attrs) {
				k := eventKey{bgp.Advertised, m.index, f}
				e.batches[k] = append(e.batches[k], p)
			}
		}
	}
	if before != nil {
		for _, m := range before.members {
			if after.member(m.index) == nil {
				k := eventKey{bgp.Withdrawn, m.index, f}
				e.batches[k] = append(e.batches[k], p)
			}
		}
	}
}

// flush sends one event per neighbor, family and kind.
func (e *events) flush() {
	for k, prefixes := range e.batches {
		delete(e.batches, k)
		if !e.speaker.sends(k.neighbor) {
			continue // it gets the whole table when its session is up
		}
		e.speaker.cfg.Events(bgp.Event{
			Kind: k.kind, Neighbor: e.speaker.neighbors[k.neighbor].Name, Family: k.family, Prefixes: prefixes,
			Epoch: e.order.Epoch, Generation: e.order.Generation, At: time.Now(),
		})
	}
}
