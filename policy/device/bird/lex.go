package bird

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// kind of a token.
type kind uint8

const (
	end kind = iota
	symbol
	number
	addr
	text
	punct
	include // the file named by text
	broken
)

type token struct {
	kind kind
	text string
	num  uint32
	ip   netip.Addr
	pos  device.Pos
	line bool // first on its line
}

func (t token) is(s string) bool { return t.text == s && (t.kind == symbol || t.kind == punct) }

// lexer turns one file into tokens.
type lexer struct {
	file  string // as shown
	rel   string // from the directory of the root file
	data  string
	at    int
	line  int
	start int
	fresh bool // nothing on this line yet
}

func newLexer(file, rel string, data []byte) *lexer {
	return &lexer{file: file, rel: rel, data: string(data), line: 1, fresh: true}
}

func (l *lexer) pos() device.Pos {
	return device.Pos{File: l.file, Line: l.line, Col: l.at - l.start + 1}
}

// blank skips blanks and comments.
func (l *lexer) blank() {
	for l.at < len(l.data) {
		switch c := l.data[l.at]; {
		case c == '\n':
			l.newline()
		case c == ' ' || c == '\t' || c == '\r':
			l.at++
		case c == '#':
			for l.at < len(l.data) && l.data[l.at] != '\n' {
				l.at++
			}
		case strings.HasPrefix(l.data[l.at:], "/*"):
			stop := strings.Index(l.data[l.at+2:], "*/")
			last := len(l.data)
			if stop >= 0 {
				last = l.at + 2 + stop + 2
			}
			for l.at < last {
				if l.data[l.at] == '\n' {
					l.newline()
					continue
				}
				l.at++
			}
		default:
			return
		}
	}
}

func (l *lexer) newline() {
	l.at++
	l.line, l.start, l.fresh = l.line+1, l.at, true
}

// operators of more than one byte, the longest first.
var operators = []string{"[=", "=]", "&&", "||", "!=", "!~", "<=", ">=", ".."}

func (l *lexer) next() token {
	l.blank()
	t := token{pos: l.pos(), line: l.fresh}
	l.fresh = false
	if l.at >= len(l.data) {
		return t
	}
	rest := l.data[l.at:]
	switch c := rest[0]; {
	case c == '"':
		return l.quoted(t, '"', text)
	case c == '\'':
		return l.quoted(t, '\'', symbol)
	case isAlpha(c):
		t.kind, t.text = symbol, rest[:span(rest, isAlnum)]
		if t.text == "include" && t.line {
			if f, ok := l.included(rest); ok {
				t.kind, t.text = include, f
				return t
			}
		}
		if n := span(rest, isHexColon); strings.Count(rest[:n], ":") >= 2 && isAddr(rest[:n]) {
			t.text = rest[:n]
		}
	case c >= '0' && c <= '9' || c == ':':
		t.text = rest[:numeral(rest)]
	default:
		t.kind, t.text = punct, rest[:1]
		for _, op := range operators {
			if strings.HasPrefix(rest, op) {
				t.text = op
				break
			}
		}
		if !strings.Contains("={}:;,.()+*/%<>~[]?!|&-", t.text[:1]) {
			t.kind = broken
		}
		l.at += len(t.text)
		return t
	}
	l.at += len(t.text)
	return classify(t)
}

func isAlpha(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func isAlnum(c byte) bool { return isAlpha(c) || c >= '0' && c <= '9' }
func isHexColon(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' || c == ':' || c == '.'
}

func isAddr(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

func span(s string, in func(byte) bool) int {
	n := 0
	for n < len(s) && in(s[n]) {
		n++
	}
	return n
}

// numeral is the length of an address or number at the beginning.
func numeral(s string) int {
	n := span(s, isHexColon)
	for try := n; try > 0; try-- {
		if strings.ContainsAny(s[:try], ":") && strings.Count(s[:try], ":") >= 2 && isAddr(s[:try]) {
			return try
		}
	}
	if strings.HasPrefix(s, "0x") {
		return 2 + span(s[2:], func(c byte) bool { return isHexColon(c) && c != ':' && c != '.' })
	}
	digits := func(c byte) bool { return c >= '0' && c <= '9' }
	d := span(s, digits)
	if d == 0 {
		return 1 // a colon on its own
	}
	if dotted := span(s, func(c byte) bool { return digits(c) || c == '.' }); strings.Count(s[:dotted], ".") == 3 && isAddr(s[:dotted]) {
		return dotted
	}
	return d
}

func classify(t token) token {
	if t.kind == symbol && !strings.Contains(t.text, ":") {
		return t
	}
	if t.text == ":" {
		t.kind = punct
		return t
	}
	if a, err := netip.ParseAddr(t.text); err == nil {
		t.kind, t.ip = addr, a
		return t
	}
	n, err := strconv.ParseUint(t.text, 0, 32)
	if strings.HasPrefix(t.text, "0") && !strings.HasPrefix(t.text, "0x") {
		n, err = strconv.ParseUint(t.text, 10, 32)
	}
	t.kind, t.num = number, uint32(n)
	if err != nil {
		t.kind = broken
	}
	return t
}

func (l *lexer) quoted(t token, q byte, k kind) token {
	stop := strings.IndexByte(l.data[l.at+1:], q)
	if nl := strings.IndexByte(l.data[l.at+1:], '\n'); stop < 0 || nl >= 0 && nl < stop {
		t.kind, t.text = broken, l.data[l.at:l.at+1]
		l.at++
		return t
	}
	t.kind, t.text = k, l.data[l.at+1:l.at+1+stop]
	l.at += stop + 2
	return t
}

// included reads `include "file";`, which has a line of its own.
func (l *lexer) included(rest string) (string, bool) {
	line, _, _ := strings.Cut(rest, "\n")
	_, quoted, ok := strings.Cut(line, `"`)
	name, after, closed := strings.Cut(quoted, `"`)
	if !ok || !closed || !strings.HasPrefix(strings.TrimSpace(after), ";") {
		return "", false
	}
	l.at += len(line) - len(after) + strings.IndexByte(after, ';') + 1
	return name, true
}
