package aspath

import (
	"fmt"
	"strconv"
	"strings"
)

// privateASNs are those of RFC 6996.
var privateASNs = Set{{64512, 65534}, {4200000000, 4294967294}}

// parser reads the ASN-based syntaxes: Junos regular expressions.
type parser struct {
	text string
	pos  int
}

// parseJunos reads a Junos as-path expression: ASNs, ranges "a-b", ".", groups,
// sets in brackets, the operators * + ? {m,n} and |. It matches the whole path;
// "^" and "$" say so again.
func parseJunos(text string) (Node, error) {
	t := strings.TrimSpace(text)
	negate := strings.HasPrefix(t, "!")
	if negate {
		return nil, fmt.Errorf("a negated expression is not modelled")
	}
	p := &parser{text: t}
	n, err := p.alternatives()
	if err != nil {
		return nil, err
	}
	if p.skip(); p.pos < len(p.text) {
		return nil, fmt.Errorf("unexpected %q at column %d", p.text[p.pos:], p.pos+1)
	}
	return n, nil
}

func (p *parser) skip() {
	for p.pos < len(p.text) && strings.IndexByte(" \t^$\"", p.text[p.pos]) >= 0 {
		p.pos++
	}
}

func (p *parser) peek() byte {
	if p.pos < len(p.text) {
		return p.text[p.pos]
	}
	return 0
}

func (p *parser) alternatives() (Node, error) {
	var alts Alt
	for {
		seq := Seq{}
		for {
			p.skip()
			if c := p.peek(); c == 0 || c == '|' || c == ')' {
				break
			}
			n, err := p.repeated()
			if err != nil {
				return nil, err
			}
			seq = append(seq, n)
		}
		alts = append(alts, seq)
		if p.peek() != '|' {
			break
		}
		p.pos++
	}
	if len(alts) == 1 {
		return alts[0], nil
	}
	return alts, nil
}

func (p *parser) repeated() (Node, error) {
	n, err := p.atom()
	for err == nil {
		p.skip()
		switch p.peek() {
		case '*':
			n = Repeat{n, 0, -1}
		case '+':
			n = Repeat{n, 1, -1}
		case '?':
			n = Repeat{n, 0, 1}
		case '{':
			n, err = p.bounds(n)
			continue
		default:
			return n, nil
		}
		p.pos++
	}
	return nil, err
}

// bounds reads {m}, {m,} or {m,n}.
func (p *parser) bounds(x Node) (Node, error) {
	end := strings.IndexByte(p.text[p.pos:], '}')
	if end < 0 {
		return nil, fmt.Errorf("missing } after column %d", p.pos+1)
	}
	inner := p.text[p.pos+1 : p.pos+end]
	p.pos += end + 1
	low, high, ranged := strings.Cut(inner, ",")
	m, err := strconv.Atoi(strings.TrimSpace(low))
	if err != nil || m < 0 || m > 255 {
		return nil, fmt.Errorf("repetition {%s}: want {m}, {m,} or {m,n} with m up to 255", inner)
	}
	switch high = strings.TrimSpace(high); {
	case !ranged:
		return Repeat{x, m, m}, nil
	case high == "":
		return Repeat{x, m, -1}, nil
	}
	n, err := strconv.Atoi(high)
	if err != nil || n < m || n > 255 {
		return nil, fmt.Errorf("repetition {%s}: want {m}, {m,} or {m,n} with m <= n <= 255", inner)
	}
	return Repeat{x, m, n}, nil
}

func (p *parser) atom() (Node, error) {
	switch c := p.peek(); {
	case c == '.':
		p.pos++
		return Token{Any}, nil
	case c == '(':
		p.pos++
		n, err := p.alternatives()
		if err != nil {
			return nil, err
		}
		if p.peek() != ')' {
			return nil, fmt.Errorf("missing ) at column %d", p.pos+1)
		}
		p.pos++
		return n, nil
	case c == '[':
		return p.bracket()
	case c >= '0' && c <= '9':
		r, err := p.asnRange()
		return Token{Set{r}}, err
	case strings.HasPrefix(p.text[p.pos:], "private"):
		p.pos += len("private")
		return Token{privateASNs}, nil
	}
	return nil, fmt.Errorf("unexpected %q at column %d", p.text[p.pos:], p.pos+1)
}

// bracket reads "[1 2 5-7]" or "[^1 2]".
func (p *parser) bracket() (Node, error) {
	p.pos++
	negated := p.peek() == '^'
	var s Set
	for {
		p.skip()
		switch c := p.peek(); {
		case c == ']':
			p.pos++
			s = Union(s)
			if negated {
				s = s.Complement()
			}
			return Token{s}, nil
		case c == ',':
			p.pos++
		case c >= '0' && c <= '9':
			r, err := p.asnRange()
			if err != nil {
				return nil, err
			}
			s = append(s, r)
		default:
			return nil, fmt.Errorf("unexpected %q in [ ] at column %d", p.text[p.pos:], p.pos+1)
		}
	}
}

// asnRange reads "n", "n-m" or "n..m".
func (p *parser) asnRange() (Range, error) {
	lo, err := p.number()
	if err != nil {
		return Range{}, err
	}
	rest := p.text[p.pos:]
	switch {
	case len(rest) > 1 && rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9':
		p.pos++
	case len(rest) > 2 && strings.HasPrefix(rest, "..") && rest[2] >= '0' && rest[2] <= '9':
		p.pos += 2
	default:
		return Range{lo, lo}, nil
	}
	hi, err := p.number()
	if err == nil && hi < lo {
		err = fmt.Errorf("range %d-%d is upside down", lo, hi)
	}
	return Range{lo, hi}, err
}

func (p *parser) number() (uint32, error) {
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, err := strconv.ParseUint(p.text[start:p.pos], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("ASN %q at column %d: want 0 to 4294967295", p.text[start:p.pos], start+1)
	}
	return uint32(n), nil
}
