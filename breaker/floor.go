package breaker

import "slices"

// peak is the trailing maximum of one neighbor's advertised count: per minute,
// IPv4, IPv6 and both together (W6).
type peak struct {
	head int64
	max  [buckets + 1][3]int64
	last [2]int64

	told   int64 // last time it was handed on to the journal
	news   bool  // rose since
	minute int64 // when
}

const (
	peakWidth = 60_000 // ms
	bothSides = 2
)

// sides are the families of peak's three maxima; no family is both together.
var sides = [3]Family{IPv4, IPv6, 0}

func sideOf(f Family) int {
	switch f {
	case IPv4:
		return 0
	case IPv6:
		return 1
	}
	return bothSides
}

func (m *Model) peak(neighbor string) *peak {
	p, ok := m.peaks[neighbor]
	if !ok {
		p = &peak{}
		m.peaks[neighbor] = p
	}
	return p
}

func (p *peak) advance(now int64) {
	b := now / peakWidth
	if b <= p.head {
		return
	}
	for i := max(p.head+1, b-buckets); i <= b; i++ {
		p.max[slot(i)] = [3]int64{}
	}
	p.head = b
}

// observe notes a count seen now and reports whether it is a new maximum of its
// minute, of the family or of both together.
func (p *peak) observe(now int64, f Family, n int64) bool {
	side := sideOf(f)
	p.last[side] = n
	rose := p.raise(now, side, n)
	return p.raise(now, bothSides, p.last[0]+p.last[1]) || rose
}

// raise lifts the maximum of the minute that a time falls into.
func (p *peak) raise(at int64, side int, n int64) bool {
	p.advance(at)
	b := at / peakWidth
	if b < p.head-buckets || n <= p.max[slot(b)][side] {
		return false
	}
	p.max[slot(b)][side] = n
	return true
}

// saw notes what a neighbor holds. A new maximum goes to the journal at most
// once a second, and always before the next charge and the next minute.
func (m *Model) saw(neighbor string, f Family, n int) {
	if f != IPv4 && f != IPv6 || n < 0 {
		return
	}
	p := m.peak(neighbor)
	if p.news && p.minute != m.now/peakWidth {
		m.tell(neighbor, p)
	}
	if !p.observe(m.now, f, int64(n)) {
		return
	}
	p.news, p.minute = true, m.now/peakWidth
	if m.now-p.told >= 1000 {
		m.tell(neighbor, p)
	}
}

// tell writes the maxima of a neighbor's last minute with news down.
func (m *Model) tell(neighbor string, p *peak) {
	p.told, p.news = m.now, false
	for side, f := range sides {
		if n := p.max[slot(p.minute)][side]; n > 0 {
			m.emit(Record{Kind: RecordPeak, Scope: Scope{ScopeNeighbor, neighbor}, From: int64(f), Until: p.minute * peakWidth, Number: n})
		}
	}
}

// tellAll writes down the maxima that a coming charge will be judged by after
// a restart.
func (m *Model) tellAll() {
	for _, name := range sortedKeys(m.peaks) {
		if p := m.peaks[name]; p.news {
			m.tell(name, p)
		}
	}
}

// forget drops the maxima: a person has acknowledged what is missing.
func (p *peak) forget() { p.max = [buckets + 1][3]int64{} }

// excusedIn lists the windows of what a neighbor lost with an excuse.
func (m *Model) excusedIn(neighbor string) []*ring {
	var rings []*ring
	for _, s := range []Scope{Global, {ScopeNeighbor, neighbor}} {
		if sh := m.ledgers[s]; sh != nil && sh[dimExcused] != nil {
			rings = append(rings, m.ledger(s, dimExcused).rings...)
		}
	}
	return rings
}

// maximum is the trailing maximum of a neighbor's count, lowered by what its
// owners, approvals and the emergency lane took down since. The minute before
// counts as since: the wire follows admission by a little.
func (m *Model) maximum(neighbor string) (top [3]int64) {
	p := m.peak(neighbor)
	p.advance(m.now)
	rings := m.excusedIn(neighbor)
	var since pair
	for i := p.head; i >= max(0, p.head-buckets); i-- {
		for _, w := range rings {
			since = since.plus(w.in(i - 1))
		}
		if i == p.head {
			for _, w := range rings {
				since = since.plus(w.in(i))
			}
		}
		for side, n := range p.max[slot(i)] {
			top[side] = max(top[side], n-since.side(side)/WeightFull)
		}
	}
	return top
}

// in is what one bucket holds; a bucket out of the window holds nothing.
func (w *ring) in(bucket int64) pair {
	if bucket < 0 || bucket > w.head || bucket < w.head-buckets {
		return pair{}
	}
	return w.n[slot(bucket)]
}

func (p pair) plus(o pair) pair { return pair{p[0] + o[0], p[1] + o[1]} }

// side is one family's part, or both.
func (p pair) side(i int) int64 {
	if i == bothSides {
		return p.total()
	}
	return p[i]
}

// room is how many routes may be missing under a maximum.
func (l *Limits) stateRoom(top int64) int64 {
	return max(int64(l.StateFloor), top*int64(l.StateShare)/1000)
}

// stateFloor judges W6 at admission: what a neighbor holds, less what was
// admitted since its trailing maximum, may not fall under the floor.
func (a *admission) stateFloor() bool {
	if a.m.limits.StateFloor <= 0 || len(a.counted) == 0 {
		return false
	}
	for _, name := range sortedKeys(a.b.Neighbors) {
		if br, ok := a.m.underFloor(name, a.counted, a.b.Neighbors[name]); ok {
			return a.decide([]breach{br}, entries(a.counted))
		}
	}
	return false
}

// underFloor checks one neighbor against its floor, by two estimates: from the
// losses of the last hour, and from the table it has.
func (m *Model) underFloor(name string, losses []Loss, have Count) (breach, bool) {
	var es []entry
	for i := range losses {
		if n := losses[i].Neighbors; len(n) == 0 || slices.Contains(n, name) {
			es = append(es, entry{prefixKey(losses[i].Prefix), WeightFull, losses[i].Account})
		}
	}
	if len(es) == 0 {
		return breach{}, false
	}
	m.saw(name, IPv4, have.IPv4)
	m.saw(name, IPv6, have.IPv6)
	top := m.maximum(name)
	scope := Scope{ScopeNeighbor, name}
	all, own := m.ledger(Global, dimState), m.ledger(scope, dimState)
	sums := make([]pair, 1)
	all.asks2(own, es, sums)
	used := all.rings[0].sum.plus(own.rings[0].sum)
	now := pair{int64(have.IPv4), int64(have.IPv6)}
	for side := range top {
		asked := sums[0].side(side)
		room := m.limits.stateRoom(top[side]) * int64(m.stateFactor(name)) / 1000 * WeightFull
		missing := max(used.side(side), (top[side]-now.side(side))*WeightFull)
		if asked > 0 && missing+asked > room {
			b := breach{scope: Global, ring: all.rings[0], l: all, used: missing, asked: asked, limit: room, alone: asked > room}
			if own.rings[0].sum.total() > all.rings[0].sum.total() {
				b.scope, b.l, b.ring = scope, own, own.rings[0]
			}
			return b, true
		}
	}
	return breach{}, false
}

func (m *Model) stateFactor(name string) int {
	return min(m.factor(Global), m.factor(Scope{ScopeNeighbor, name}))
}

// asks2 is what charging the entries would add, where a key counts in either
// of two ledgers.
func (l *ledger) asks2(o *ledger, es []entry, sums []pair) {
	for i := range es {
		if m, ok := o.known(es[i].k); ok && !m.restored {
			continue
		}
		l.asks(es[i].k, es[i].weight, sums)
	}
}
