package snapshots

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
)

// STO-03: version is generation and hash, writes are conditional, what was
// pruned has a tombstone. 100,000 interleavings of two writers whose clocks are
// up to 50 ms apart: put, mark good, prune, a process killed between two writes,
// a copy away and back, a file damaged, the crawl. The disk would take hours
// for that, so it is a model of the two copies that is decided by the store's
// own functions; TestCopiesConverge does some hundreds on a disk.
func TestInterleavingsConverge(t *testing.T) {
	for seed := range uint64(100_000) {
		m := newTwoCopies(seed)
		for range 6 + m.rnd.IntN(18) {
			m.anything()
		}
		m.away = [2]bool{}
		m.open()
		m.crawl()
		m.check()
		if m.wrong != "" {
			t.Fatalf("seed %d: %s\ncopies %+v\nlog %v", seed, m.wrong, m.copies, m.log)
		}
	}
}

// twoCopies is the store as files, without the files.
type twoCopies struct {
	rnd    *rand.Rand
	copies [2]modelCopy
	marker mark // the one outside the store
	away   [2]bool

	// What the process that has the lock knows.
	skew    int64
	highest mark
	pruned  tombs

	clock    int64
	accepted map[uint64]Head // stored in at least one copy, and not pruned since
	good     Head            // newest that was ever marked
	buried   tombs           // everything that was ever pruned
	log      []string
	wrong    string
}

type modelCopy struct {
	heads  map[uint64]place
	good   place
	mark   mark
	pruned tombs
}

func newTwoCopies(seed uint64) *twoCopies {
	m := &twoCopies{rnd: rand.New(rand.NewPCG(seed, 3)), accepted: map[uint64]Head{}}
	for i := range m.copies {
		m.copies[i].heads = map[uint64]place{}
	}
	return m
}

func (m *twoCopies) anything() {
	m.clock += m.rnd.Int64N(20e6)
	op := m.rnd.IntN(10)
	m.log = append(m.log, fmt.Sprintf("%d%v", op, m.away))
	switch op {
	case 0, 1, 2, 3:
		m.put(1 + m.rnd.IntN(6)) // cut off before the last of them: killed
	case 4:
		m.markGood()
	case 5:
		m.prune()
	case 6: // never both: then nothing is written
		m.away = [2]bool{}
		m.away[m.rnd.IntN(2)] = m.rnd.IntN(3) > 0
	case 7:
		m.open()
	case 8:
		m.damage()
	case 9:
		m.crawl()
	}
}

// open is another process taking the lock, with another clock.
func (m *twoCopies) open() {
	m.skew = m.rnd.Int64N(100e6+1) - 50e6
	m.highest, m.pruned = m.marker, nil
	m.reach(func(c *modelCopy) {
		m.highest, m.pruned = m.highest.join(c.mark), m.pruned.with(c.pruned)
		for g, p := range c.heads {
			if p.sound {
				m.highest = m.highest.join(mark{p.head.Epoch, g})
			}
		}
	})
}

func (m *twoCopies) reach(f func(*modelCopy)) {
	for i := range m.copies {
		if !m.away[i] {
			f(&m.copies[i])
		}
	}
}

// put stores the next generation and is killed after so many writes.
func (m *twoCopies) put(writes int) {
	m.reach(func(c *modelCopy) { m.highest = m.highest.join(c.mark) })
	h := Head{Epoch: 1, Generation: m.highest.generation + 1, ID: ID(fmt.Sprintf("%08x", m.rnd.Uint32())), CreatedAt: m.clock + m.skew}
	if !m.highest.before(h) {
		m.wrong = "the next generation is not newer"
		return
	}
	step := func(f func()) {
		if writes--; writes >= 0 {
			f()
		}
	}
	next := mark{h.Epoch, h.Generation}
	step(func() { m.marker = next })
	m.reach(func(c *modelCopy) {
		step(func() { c.mark = next })
		step(func() {
			if old := c.heads[h.Generation]; old.there {
				m.wrong = fmt.Sprintf("generation %d was overwritten", h.Generation)
			}
			c.heads[h.Generation] = place{true, true, h}
			m.accepted[h.Generation] = h
		})
	})
	if writes < 0 {
		m.open()
		return
	}
	m.highest = next
}

// markGood marks any generation, an old one too: one that failed before is tried
// again late.
func (m *twoCopies) markGood() {
	for _, h := range m.accepted {
		if h.Generation+2 < m.highest.generation || m.rnd.IntN(2) == 0 {
			continue
		}
		cut := m.rnd.IntN(4) // killed between the copies
		m.reach(func(c *modelCopy) {
			if cut--; cut == 0 {
				return
			}
			m.writeGood(c, h)
		})
		return
	}
}

func (m *twoCopies) writeGood(c *modelCopy, h Head) {
	if !c.good.yields(h) {
		return
	}
	if c.good.sound && h.Generation < c.good.head.Generation {
		m.wrong = fmt.Sprintf("last-known-good %d over %d", h.Generation, c.good.head.Generation)
	}
	c.good = place{true, true, h}
	if h.version(m.good) > 0 {
		m.good = h
	}
}

// prune removes some of the history: from the copies that are there.
func (m *twoCopies) prune() {
	var gone []Head
	for g, h := range m.accepted {
		if h != m.good && g+1 < m.highest.generation && m.rnd.IntN(2) == 0 {
			gone = append(gone, h)
		}
	}
	m.reach(func(c *modelCopy) { m.pruned = m.pruned.with(c.pruned) })
	m.pruned = m.pruned.with(tombsOf(gone))
	m.reach(func(c *modelCopy) { c.pruned = m.pruned })
	killed := m.rnd.IntN(4) == 0
	for _, h := range gone {
		delete(m.accepted, h.Generation)
		m.buried = m.buried.with(tombsOf([]Head{h}))
		m.reach(func(c *modelCopy) {
			if !killed {
				delete(c.heads, h.Generation)
			}
		})
	}
}

// damage breaks or removes what the other copy has too.
func (m *twoCopies) damage() {
	i := m.rnd.IntN(2)
	c, other := &m.copies[i], &m.copies[1-i]
	if m.rnd.IntN(3) == 0 {
		if c.good == other.good {
			c.good = place{there: c.good.there && m.rnd.IntN(2) == 0}
		}
		return
	}
	for g, p := range c.heads {
		if p != other.heads[g] {
			continue
		}
		if delete(c.heads, g); m.rnd.IntN(2) == 0 {
			c.heads[g] = place{there: true}
		}
		return
	}
}

// crawl is one round, and what must hold after it of the copies that are there.
func (m *twoCopies) crawl() {
	if m.away[0] || m.away[1] {
		return // nothing to compare with
	}
	for i := range m.copies {
		m.pruned = m.pruned.with(m.copies[i].pruned)
		m.highest = m.highest.join(m.copies[i].mark)
	}
	all := map[uint64]bool{}
	for i := range m.copies {
		c := &m.copies[i]
		c.pruned, c.mark = m.pruned, m.highest
		for g := range c.heads {
			all[g] = true
		}
	}
	for g := range all {
		want, do := settle(m.pruned.has(g), [2]place{m.copies[0].heads[g], m.copies[1].heads[g]})
		for i, what := range do {
			heads := m.copies[i].heads
			switch what {
			case write:
				if old := heads[g]; old.sound && old.head.version(want) > 0 {
					m.wrong = fmt.Sprintf("generation %d: an older head over a newer one", g)
				}
				heads[g] = place{true, true, want}
			case remove:
				delete(heads, g)
			}
		}
	}
	want, do := settle(false, [2]place{m.copies[0].good, m.copies[1].good})
	for i, what := range do {
		if what == write {
			m.writeGood(&m.copies[i], want)
		}
	}
	m.converged()
}

func (m *twoCopies) converged() {
	if m.wrong == "" && !reflect.DeepEqual(m.copies[0], m.copies[1]) {
		m.wrong = "the copies differ after a crawl"
	}
}

// check holds the end against all that ever happened.
func (m *twoCopies) check() {
	m.converged()
	c := m.copies[0]
	for g, p := range c.heads {
		switch {
		case m.buried.has(g):
			m.wrong = fmt.Sprintf("generation %d was pruned and is back", g)
		case !p.sound || p.head != m.accepted[g]:
			m.wrong = fmt.Sprintf("generation %d is not what was stored", g)
		}
	}
	if len(c.heads) != len(m.accepted) {
		m.wrong = fmt.Sprintf("%d generations, stored and not pruned %d", len(c.heads), len(m.accepted))
	}
	if m.good.Generation > 0 && c.good.head != m.good {
		m.wrong = fmt.Sprintf("last-known-good is %d, the newest was %d", c.good.head.Generation, m.good.Generation)
	}
}

func TestSettle(t *testing.T) {
	old, now := Head{Epoch: 1, Generation: 4, ID: "f", CreatedAt: 9}, Head{Epoch: 1, Generation: 5, ID: "a", CreatedAt: 1}
	twin := Head{Epoch: 1, Generation: 5, ID: "b"} // of a writer that did not know of the other
	is := func(h Head) place { return place{true, true, h} }
	broken := place{there: true}
	for _, c := range []struct {
		name   string
		pruned bool
		has    [2]place
		want   Head
		do     [2]remedy
	}{
		{"nothing", false, [2]place{}, Head{}, [2]remedy{}},
		{"the same", false, [2]place{is(now), is(now)}, now, [2]remedy{}},
		{"missing", false, [2]place{{}, is(old)}, old, [2]remedy{write, leave}},
		{"broken", false, [2]place{is(old), broken}, old, [2]remedy{leave, write}},
		{"neither verifies", false, [2]place{broken, {}}, Head{}, [2]remedy{}},
		{"an older one with a later clock", false, [2]place{is(old), is(now)}, now, [2]remedy{write, leave}},
		{"one number, two contents", false, [2]place{is(twin), is(now)}, twin, [2]remedy{leave, write}},
		{"pruned", true, [2]place{{}, is(now)}, Head{}, [2]remedy{leave, remove}},
		{"pruned and broken", true, [2]place{broken, is(now)}, Head{}, [2]remedy{remove, remove}},
	} {
		want, do := settle(c.pruned, c.has)
		if want != c.want || do != c.do {
			t.Errorf("%s: %+v %v", c.name, want, do)
		}
	}
}

func TestTombs(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var set tombs
		in := map[uint64]bool{}
		for range rnd.IntN(40) {
			g := 1 + rnd.Uint64N(50)
			set, in[g] = set.with(tombs{{g, g}}), true
		}
		back, err := decodeTombs(set.encode())
		if err != nil || !reflect.DeepEqual(back, set) {
			t.Fatalf("%v: %v, %v", set, back, err)
		}
		for g := range uint64(60) {
			if set.has(g) != in[g] {
				t.Fatalf("%v has %d: %v", set, g, set.has(g))
			}
		}
	}
	raw := tombs{{3, 9}}.encode()
	for _, bad := range [][]byte{nil, raw[:len(raw)-1], append(raw[:len(raw)-2:len(raw)-2], "8\n"...), tombs{{3, 2}}.encode(), tombs{{5, 6}, {1, 2}}.encode()} {
		if set, err := decodeTombs(bad); err == nil {
			t.Errorf("%q was read as %v", bad, set)
		}
	}
}
