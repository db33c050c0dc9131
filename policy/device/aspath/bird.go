package aspath

import (
	"fmt"
	"strings"
)

// parseBIRD reads a BIRD path mask, with or without its [= =]: ASNs, ranges
// "a..b", sets "[1, 2, 5..7]", "*" any sequence, "+" any non-empty one and "?"
// any one ASN. It matches the whole path.
func parseBIRD(text string) (Node, error) {
	t := strings.TrimSpace(text)
	if strings.HasPrefix(t, "[=") && strings.HasSuffix(t, "=]") && len(t) >= 4 {
		t = t[2 : len(t)-2]
	}
	p := &parser{text: t}
	seq := Seq{}
	for {
		p.skip()
		switch c := p.peek(); {
		case c == 0:
			return seq, nil
		case c == '*':
			p.pos++
			seq = append(seq, Star())
		case c == '+':
			p.pos++
			seq = append(seq, Repeat{Token{Any}, 1, -1})
		case c == '?':
			p.pos++
			seq = append(seq, Token{Any})
		case c == '[':
			n, err := p.bracket()
			if err != nil {
				return nil, err
			}
			seq = append(seq, n)
		case c >= '0' && c <= '9':
			r, err := p.asnRange()
			if err != nil {
				return nil, err
			}
			seq = append(seq, Token{Set{r}})
		default:
			return nil, fmt.Errorf("unexpected %q at column %d", p.text[p.pos:], p.pos+1)
		}
	}
}
