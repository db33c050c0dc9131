package aspath

// Node is an expression over whole ASNs. Front ends whose dialect works on
// ASNs build one and call FromNode.
type Node interface{ node() }

// Token is one ASN out of a set.
type Token struct{ Set Set }

// Seq is one expression after the other; an empty one is the empty path.
type Seq []Node

// Alt is one of several; an empty one matches nothing.
type Alt []Node

// Repeat is X from Min to Max times; a negative Max is without bound.
type Repeat struct {
	X        Node
	Min, Max int
}

func (Token) node()  {}
func (Seq) node()    {}
func (Alt) node()    {}
func (Repeat) node() {}

// Star is any sequence of ASNs, also none.
func Star() Node { return Repeat{Token{Any}, 0, -1} }

const (
	maxNFA    = 4_000 // nested repetitions end here
	maxStates = 1_000
)

// nfa is a Thompson automaton over ASN sets.
type nfa struct {
	eps  [][]int
	set  []Set // set[q] leads to next[q]; nil for none
	next []int

	seen  []int // by state, the round it was last seen in
	round int
}

func (n *nfa) add() int {
	n.eps, n.set, n.next = append(n.eps, nil), append(n.set, nil), append(n.next, -1)
	return len(n.eps) - 1
}

func (n *nfa) link(a, b int) { n.eps[a] = append(n.eps[a], b) }

// build returns the states the fragment starts and ends in; ok is false when
// the automaton grew too large.
func (n *nfa) build(x Node) (start, end int, ok bool) {
	if len(n.eps) > maxNFA {
		return 0, 0, false
	}
	start = n.add()
	switch t := x.(type) {
	case Token:
		end = n.add()
		n.set[start], n.next[start] = t.Set, end
		return start, end, true
	case Seq:
		end = start
		for _, c := range t {
			s, e, ok := n.build(c)
			if !ok {
				return 0, 0, false
			}
			n.link(end, s)
			end = e
		}
		return start, end, true
	case Alt:
		end = n.add()
		for _, c := range t {
			s, e, ok := n.build(c)
			if !ok {
				return 0, 0, false
			}
			n.link(start, s)
			n.link(e, end)
		}
		return start, end, true
	case Repeat:
		return n.repeat(t, start)
	}
	return start, start, true
}

func (n *nfa) repeat(t Repeat, start int) (int, int, bool) {
	end := start
	for i := 0; i < t.Min; i++ {
		s, e, ok := n.build(t.X)
		if !ok {
			return 0, 0, false
		}
		n.link(end, s)
		end = e
	}
	if t.Max < 0 {
		s, e, ok := n.build(t.X)
		if !ok {
			return 0, 0, false
		}
		last := n.add()
		n.link(end, s)
		n.link(end, last)
		n.link(e, s)
		n.link(e, last)
		return start, last, true
	}
	last := n.add()
	n.link(end, last)
	for i := t.Min; i < t.Max; i++ {
		s, e, ok := n.build(t.X)
		if !ok {
			return 0, 0, false
		}
		n.link(end, s)
		n.link(e, last)
		end = e
	}
	return start, last, true
}

// closure extends a set of states by empty moves; sorted, without duplicates.
func (n *nfa) closure(qs []int) []int {
	if len(n.seen) < len(n.eps) {
		n.seen = make([]int, len(n.eps))
	}
	n.round++
	stack := append([]int(nil), qs...)
	var out []int
	for len(stack) > 0 {
		q := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if n.seen[q] == n.round {
			continue
		}
		n.seen[q] = n.round
		out = append(out, q)
		stack = append(stack, n.eps[q]...)
	}
	return sorted(out)
}
