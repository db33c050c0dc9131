package breaker

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"net/netip"
	"slices"
)

// buckets is how many parts a window has. One more is kept, the one that the
// window's start falls into, so that an edge errs towards open.
const buckets = 60

// key is what is counted once per window: a prefix, or a prefix under a
// service, or a name. It holds no pointers, so that a million of them are
// nothing to the garbage collector.
type key struct {
	hi, lo uint64
	meta   uint64 // family << 8 | bits, and a service's hash in the upper half
}

func prefixKey(p netip.Prefix) key {
	a := p.Addr().As16()
	return key{
		hi:   binary.BigEndian.Uint64(a[:8]),
		lo:   binary.BigEndian.Uint64(a[8:]),
		meta: uint64(FamilyOf(p))<<8 | uint64(p.Bits()),
	}
}

// prefix is the inverse of prefixKey; the tag is dropped.
func (k key) prefix() netip.Prefix {
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], k.hi)
	binary.BigEndian.PutUint64(a[8:], k.lo)
	addr := netip.AddrFrom16(a)
	if k.family() == IPv4 {
		addr = addr.Unmap()
	}
	return netip.PrefixFrom(addr, k.bits())
}

func (k key) family() Family { return Family(k.meta >> 8) }
func (k key) bits() int      { return int(k.meta & 0xff) }

// under tells the same prefix under two services apart.
func (k key) under(service string) key {
	h := fnv.New32a()
	h.Write([]byte(service))
	k.meta |= uint64(h.Sum32()) << 32
	return k
}

// nameKey counts a name, e.g. an account, in no family.
func nameKey(id uint32) key { return key{lo: uint64(id)} }

// units is what a rung counts for one key, in thousandths.
func (u Unit) units(k key, weight int64) int64 {
	switch u {
	case Routes:
		return WeightFull
	case Space:
		return spaceOf(k) * weight
	}
	return weight
}

// spaceOf is the size of a prefix in /24s or /48s, never under one.
func spaceOf(k key) int64 {
	whole := 24
	if k.family() == IPv6 {
		whole = 48
	}
	return int64(1) << max(0, whole-k.bits())
}

// pair counts both families: index 0 is IPv4, 1 is IPv6 and everything that is
// in no family.
type pair [2]int64

func (k key) side() int {
	if k.family() == IPv4 {
		return 0
	}
	return 1
}

func (p pair) total() int64 { return p[0] + p[1] }

// ring is one rung's window: what was counted per bucket, and what the scope
// had advertised when it was.
type ring struct {
	rung  Rung
	width int64 // of a bucket, ms
	head  int64 // number of the newest bucket
	n     [buckets + 1]pair
	sum   pair
	base  [buckets + 1]pair // zero is not known
}

func newRing(r Rung) *ring { return &ring{rung: r, width: max(1, r.Span.Milliseconds()/buckets)} }

func slot(bucket int64) int { return int(bucket % (buckets + 1)) }

// advance moves the window to now. Time never runs back here.
func (w *ring) advance(now int64) {
	b := now / w.width
	if b <= w.head {
		return
	}
	for i := max(w.head+1, b-buckets); i <= b; i++ {
		s := slot(i)
		w.sum[0] -= w.n[s][0]
		w.sum[1] -= w.n[s][1]
		w.n[s] = pair{}
		w.base[s] = pair{}
	}
	w.head = b
}

// holds reports whether a time is still in the window.
func (w *ring) holds(at int64) bool {
	b := at / w.width
	return at >= 0 && b <= w.head && b >= w.head-buckets
}

func (w *ring) put(at int64, side int, units int64) {
	w.n[slot(at/w.width)][side] += units
	w.sum[side] += units
}

// frozen is the denominator of a scope that keeps no history: what it had at the
// first charge in the window, before it shrank by the charges.
func (w *ring) frozen(current pair) pair {
	for i := max(0, w.head-buckets); i <= w.head; i++ {
		if f := w.base[slot(i)]; f.total() > 0 {
			return pair{max(f[0], current[0]), max(f[1], current[1])}
		}
	}
	return current
}

// since is when the window's oldest bucket began.
func (w *ring) since() int64 { return max(0, w.head-buckets) * w.width }

// room is the time until the oldest counted bucket leaves the window, in ms.
func (w *ring) room(now int64) int64 {
	for b := max(0, w.head-buckets); b <= w.head; b++ {
		if w.n[slot(b)].total() > 0 {
			return max(0, (b+buckets+1)*w.width-now)
		}
	}
	return 0
}

// mark is the last time one key was counted.
type mark struct {
	at       int64
	weight   int64
	actor    uint32
	account  uint32
	seq      uint32 // of the record that charged it
	restored bool
}

// book keeps the marks of all ledgers, those of one key side by side: a loss
// that many ledgers count is looked up once.
type book struct {
	pages   map[key]*page
	ledgers []*ledger
	last    *page // of lastKey
	lastKey key
	swept   int // pages left by the last sweep
}

// page is one key's marks.
type page struct{ marks []entered }

// entered is one ledger's mark of a key, and the one that it replaced, for as
// long as its charge may be released.
type entered struct {
	ledger uint32
	had    had
	mark
	prev mark
}

// had says what stood before a mark.
type had uint8

const (
	hadUnknown had = iota // it stays when it is released
	hadNothing
	hadPrev
)

func newBook() *book { return &book{pages: map[key]*page{}} }

func (b *book) page(k key) *page {
	if b.last == nil || b.lastKey != k {
		b.last, b.lastKey = b.pages[k], k
	}
	return b.last
}

func (b *book) turn(k key) *page {
	p := b.page(k)
	if p == nil {
		b.sweep()
		p = &page{marks: make([]entered, 0, 5)} // as many as count an ordinary loss
		b.pages[k], b.last, b.lastKey = p, p, k
	}
	return p
}

func (p *page) of(ledger uint32) *entered {
	if p == nil {
		return nil
	}
	for i := range p.marks {
		if p.marks[i].ledger == ledger {
			return &p.marks[i]
		}
	}
	return nil
}

// sweep drops marks that no window holds, each time the pages have doubled.
func (b *book) sweep() {
	if len(b.pages) < 64 || len(b.pages) < 2*b.swept {
		return
	}
	b.drop(func(k key, e *entered) bool {
		_, held := b.ledgers[e.ledger].known(k)
		return !held
	})
	b.swept = len(b.pages)
}

// drop removes the marks that gone picks.
func (b *book) drop(gone func(key, *entered) bool) {
	for k, p := range b.pages {
		p.marks = slices.DeleteFunc(p.marks, func(e entered) bool { return gone(k, &e) })
		if len(p.marks) == 0 {
			delete(b.pages, k)
		}
	}
	b.last = nil
}

// restore takes k out of the windows that are net of restores, in every ledger.
func (b *book) restore(k key, now int64) {
	p := b.page(k)
	if p == nil {
		return
	}
	for i := range p.marks {
		l := b.ledgers[p.marks[i].ledger]
		l.advance(now)
		l.restore(k)
	}
}

// ledger counts distinct keys over several windows. It keeps one mark per key
// and one number per bucket, whatever the number of events.
type ledger struct {
	rings []*ring
	next  int64 // no window moves before
	book  *book
	id    uint32
}

func newLedger(b *book, rungs []Rung) *ledger {
	l := &ledger{book: b, id: uint32(len(b.ledgers)), rings: newRings(rungs)}
	b.ledgers = append(b.ledgers, l)
	return l
}

func newRings(rungs []Rung) []*ring {
	rings := make([]*ring, len(rungs))
	for i := range rungs {
		rings[i] = newRing(rungs[i])
	}
	return rings
}

func (l *ledger) advance(now int64) {
	if now < l.next {
		return
	}
	l.next = math.MaxInt64
	for _, w := range l.rings {
		w.advance(now)
		l.next = min(l.next, (w.head+1)*w.width)
	}
}

// known returns the mark of k if any window still holds it.
func (l *ledger) known(k key) (mark, bool) {
	e := l.book.page(k).of(l.id)
	if e == nil || !l.holds(e.at) {
		return mark{}, false
	}
	return e.mark, true
}

// holds reports whether any window holds a time.
func (l *ledger) holds(at int64) bool {
	for _, w := range l.rings {
		if w.holds(at) {
			return true
		}
	}
	return false
}

// entry returns where the mark of k is written.
func (l *ledger) entry(k key) *entered {
	p := l.book.turn(k)
	if e := p.of(l.id); e != nil {
		return e
	}
	p.marks = append(p.marks, entered{ledger: l.id})
	return &p.marks[len(p.marks)-1]
}

// each calls fn for every mark of the ledger that a window holds.
func (l *ledger) each(fn func(key, mark)) {
	for k, p := range l.book.pages {
		if p.of(l.id) == nil {
			continue
		}
		if m, ok := l.known(k); ok {
			fn(k, m)
		}
	}
}

// counted is what m contributes to w now.
func (w *ring) counted(k key, m mark, ok bool) int64 {
	if !ok || !w.holds(m.at) || w.rung.Net && m.restored {
		return 0
	}
	return w.rung.Unit.units(k, m.weight)
}

// asks adds to each of sums what charging k would add to each window.
func (l *ledger) asks(k key, weight int64, sums []pair) {
	m, ok := l.known(k)
	if ok {
		weight = max(weight, m.weight)
	}
	for i, w := range l.rings {
		sums[i][k.side()] += w.rung.Unit.units(k, weight) - w.counted(k, m, ok)
	}
}

// charge counts k at n.at, now. A key is in a window once, at its last time.
func (l *ledger) charge(k key, n mark) {
	m, ok := l.known(k)
	if ok {
		n.weight = max(n.weight, m.weight)
	}
	l.move(k, m, ok, n, true)
	e := l.entry(k)
	e.mark, e.prev, e.had = n, m, hadNothing
	if ok {
		e.had = hadPrev
	}
}

// move takes the old mark of k out of every window and puts the new one in.
func (l *ledger) move(k key, old mark, had bool, n mark, has bool) {
	for _, w := range l.rings {
		if u := w.counted(k, old, had); u != 0 {
			w.put(old.at, k.side(), -u)
		}
		if u := w.counted(k, n, has); u != 0 {
			w.put(n.at, k.side(), u)
		}
	}
}

// uncharge takes back the charges of k made by one record, in every ledger,
// putting back the marks they had replaced. A later charge of the same key
// stays, and so does one that is no longer known to have replaced nothing.
func (b *book) uncharge(k key, seq uint32, now int64) {
	p := b.page(k)
	if p == nil {
		return
	}
	for i := range p.marks {
		e := &p.marks[i]
		if e.seq != seq || e.had == hadUnknown {
			continue
		}
		l := b.ledgers[e.ledger]
		l.advance(now)
		l.move(k, e.mark, true, e.prev, e.had == hadPrev)
		if e.had == hadNothing {
			e.prev = mark{at: -1} // in no window
		}
		e.mark, e.prev, e.had = e.prev, mark{}, hadUnknown
	}
}

// restore takes k out of the windows that are net of restores.
func (l *ledger) restore(k key) {
	m, ok := l.known(k)
	if !ok || m.restored {
		return
	}
	n := m
	n.restored = true
	l.move(k, m, true, n, true)
	l.entry(k).mark = n
}

// observe notes what is advertised before a charge; the first one in a bucket
// counts.
func (l *ledger) observe(count, space pair) {
	for _, w := range l.rings {
		c := count
		if w.rung.Unit == Space {
			c = space
		}
		if c.total() > 0 && w.base[slot(w.head)].total() == 0 {
			w.base[slot(w.head)] = c
		}
	}
}

// forget empties the windows: a person has acknowledged what they held.
func (l *ledger) forget() {
	l.book.drop(func(_ key, e *entered) bool { return e.ledger == l.id })
	for _, w := range l.rings {
		w.n, w.sum = [buckets + 1]pair{}, pair{}
	}
}

// count puts a mark into every window that holds its time.
func (l *ledger) count(k key, m mark) {
	for _, w := range l.rings {
		if u := w.counted(k, m, true); u != 0 {
			w.put(m.at, k.side(), u)
		}
	}
}

// load counts a mark read back from the journal.
func (l *ledger) load(k key, m mark) {
	l.count(k, m)
	e := l.entry(k)
	e.mark, e.had = m, hadUnknown
}

// share is who counted how much in one window.
type share struct{ actor, account map[uint32]int64 }

func (s share) plus(o share) {
	for id, n := range o.actor {
		s.actor[id] += n
	}
	for id, n := range o.account {
		s.account[id] += n
	}
}

// shares tallies a window. It reads every mark, and is used only to explain.
func (l *ledger) shares(w *ring) share {
	s := share{map[uint32]int64{}, map[uint32]int64{}}
	l.each(func(k key, m mark) {
		if u := w.counted(k, m, true); u != 0 {
			s.actor[m.actor] += u
			s.account[m.account] += u
		}
	})
	return s
}

// rebase loads the denominators of a compacted ledger.
func (l *ledger) rebase(runs []run) {
	for _, u := range runs {
		if u.ring >= 0 && u.ring < len(l.rings) && u.bucket >= 0 && l.rings[u.ring].holds(u.bucket*l.rings[u.ring].width) {
			l.rings[u.ring].base[slot(u.bucket)] = u.base
		}
	}
}

// runs are the denominators of a ledger, to be compacted.
func (l *ledger) runs() []run {
	var runs []run
	for i, w := range l.rings {
		for b := max(0, w.head-buckets); b <= w.head; b++ {
			if c := w.base[slot(b)]; c.total() > 0 {
				runs = append(runs, run{i, b, c})
			}
		}
	}
	return runs
}
