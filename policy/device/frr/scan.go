package frr

import (
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// word is one word of a line with its column.
type word struct {
	text string
	col  int
}

// line is a line of the file with the lines of the block it opens. A leading
// "no" is taken off the words.
type line struct {
	words  []word
	pos    device.Pos
	end    device.Pos // last line of the block
	indent int
	no     bool
	flat   bool // its block stands at its own indentation
	kids   []*line

	filed  bool
	state  device.StatementState
	policy bool
	why    string
}

// at is the i-th word, "" when there is none.
func (l *line) at(i int) string {
	if i < 0 || i >= len(l.words) {
		return ""
	}
	return l.words[i].text
}

// rest are the words from the i-th on.
func (l *line) rest(i int) []string {
	var out []string
	for ; i < len(l.words); i++ {
		out = append(out, l.words[i].text)
	}
	return out
}

func (l *line) text() string {
	s := strings.Join(l.rest(0), " ")
	if l.no {
		return "no " + s
	}
	return s
}

// starts reports whether the line begins with the words.
func (l *line) starts(words ...string) bool {
	for i, w := range words {
		if l.at(i) != w {
			return false
		}
	}
	return true
}

// file files the line under a state.
func (l *line) file(s device.StatementState, policy bool, why string) {
	l.filed, l.state, l.policy, l.why = true, s, policy, why
}

// bodies are the words that may begin a line of a block that stands at the
// indentation of its head.
var bodies = map[string]map[string]bool{
	"route-map":      set("match set continue on-match call description"),
	"router":         set("neighbor network redistribute aggregate-address address-family exit-address-family timers distance maximum-paths bgp synchronization auto-summary no"),
	"address-family": set("neighbor network redistribute aggregate-address maximum-paths no"),
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}

// topLevel are "bgp" lines that do not belong to a router block.
var topLevel = set("community-list large-community-list extcommunity-list as-path community")

type scanner struct {
	t     *traits
	roots []*line
	stack []*line
}

// scan makes a tree of the lines. Indentation decides; where a dialect allows
// blocks that are not indented, the words do.
func scan(path string, data []byte, t *traits) (roots []*line, lines int, templated device.Pos) {
	s := &scanner{t: t}
	until := ""
	for text := range strings.Lines(string(data)) {
		lines++
		text = strings.TrimRight(text, "\r\n")
		if until != "" {
			if strings.Contains(text, until) {
				until = ""
			}
			continue
		}
		if templated.IsZero() && (strings.Contains(text, "{{") || strings.Contains(text, "{%")) {
			templated = device.Pos{File: path, Line: lines, Col: 1}
		}
		l := split(text)
		if l == nil {
			continue
		}
		l.pos.File, l.pos.Line, l.end = path, lines, l.pos
		l.end.File, l.end.Line = path, lines
		s.add(l)
		until = banner(l, text)
	}
	return s.roots, lines, templated
}

// banner gives the text that ends a banner, "" when the line opens none.
func banner(l *line, text string) string {
	if l.at(0) != "banner" || len(l.words) < 2 {
		return ""
	}
	if len(l.words) == 2 {
		return "EOF" // EOS
	}
	mark := l.at(2)
	if strings.HasPrefix(mark, "^") && len(mark) > 1 {
		mark = mark[:2]
	} else {
		mark = mark[:1]
	}
	if at := strings.Index(text, mark); at >= 0 && strings.Contains(text[at+len(mark):], mark) {
		return ""
	}
	return mark
}

// split cuts a line into words; nil for blank lines and comments. Double
// quotes keep words together.
func split(text string) *line {
	l := &line{}
	i := 0
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	l.indent = i
	if i == len(text) || text[i] == '!' || text[i] == '#' {
		return nil
	}
	for i < len(text) {
		if text[i] == ' ' || text[i] == '\t' {
			i++
			continue
		}
		from := i
		if text[i] == '"' {
			if end := strings.IndexByte(text[i+1:], '"'); end >= 0 {
				l.words = append(l.words, word{text[i+1 : i+1+end], from + 1})
				i += end + 2
				continue
			}
		}
		for i < len(text) && text[i] != ' ' && text[i] != '\t' {
			i++
		}
		l.words = append(l.words, word{text[from:i], from + 1})
	}
	l.pos.Col = l.words[0].col
	if len(l.words) > 1 && l.words[0].text == "no" {
		l.no, l.words = true, l.words[1:]
	}
	return l
}

func (s *scanner) add(l *line) {
	for len(s.stack) > 0 && !s.belongs(l, s.stack[len(s.stack)-1]) {
		s.stack = s.stack[:len(s.stack)-1]
	}
	for _, open := range s.stack {
		open.end = l.pos
	}
	if n := len(s.stack); n > 0 {
		parent := s.stack[n-1]
		if len(parent.kids) == 0 {
			parent.flat = l.indent <= parent.indent
		}
		parent.kids = append(parent.kids, l)
	} else {
		s.roots = append(s.roots, l)
	}
	if !s.leaf(l) {
		s.stack = append(s.stack, l)
	}
}

var leaves = set("match set continue on-match call network redistribute description activate bgp aggregate-address")

// leaf reports whether the line cannot open a block.
func (s *scanner) leaf(l *line) bool {
	return leaves[l.at(0)] || l.at(0) == "neighbor" && !s.t.blocks
}

func (s *scanner) belongs(l, head *line) bool {
	if l.indent > head.indent {
		return true
	}
	if !s.t.flat || l.indent < head.indent || len(head.kids) > 0 && !head.flat {
		return false
	}
	word := l.at(0)
	if word == "bgp" && topLevel[l.at(1)] {
		return false
	}
	return bodies[head.at(0)][word]
}
