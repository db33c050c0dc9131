package breaker

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
