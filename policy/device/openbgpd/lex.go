package openbgpd

import (
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// kind of a token.
type kind uint8

const (
	end kind = iota // of the input
	newline
	word   // also numbers and quoted text
	symbol // braces, comma, slash, comparison
	broken // text that is no token
)

// token is one word of the file. Pos is where it was written, for a macro where
// it was used.
type token struct {
	kind   kind
	text   string
	quoted bool
	pos    device.Pos
}

func (t token) is(text string) bool { return t.text == text && !t.quoted && t.kind != broken }

// source is text that is read: a file, or the value of a macro.
type source struct {
	file  string
	data  string
	at    int
	line  int
	start int        // of the line
	use   device.Pos // of a macro: every position in it is that of its use
	macro bool
}

// maxDepth bounds files and macros inside one another.
const maxDepth = 16

// lexer turns text into tokens. Macros are replaced as text, so that they may
// be part of a word.
type lexer struct {
	sources []*source // innermost last
	macros  map[string]string
	missing func(name string, pos device.Pos) // an undefined macro
}

func (l *lexer) push(s *source) bool {
	if len(l.sources) >= maxDepth {
		return false
	}
	l.sources = append(l.sources, s)
	return true
}

func (l *lexer) pos() device.Pos {
	if len(l.sources) == 0 {
		return device.Pos{}
	}
	s := l.sources[len(l.sources)-1]
	if s.macro {
		return s.use
	}
	return device.Pos{File: s.file, Line: s.line, Col: s.at - s.start + 1}
}

// peek returns the next byte, 0 at the end of everything. The end of a macro is
// not seen; the end of a file reads as a newline once.
func (l *lexer) peek() byte {
	for len(l.sources) > 0 {
		s := l.sources[len(l.sources)-1]
		if s.at < len(s.data) {
			if s.data[s.at] == '\\' && s.at+1 < len(s.data) && s.data[s.at+1] == '\n' {
				s.at += 2
				s.line++
				s.start = s.at
				continue
			}
			return s.data[s.at]
		}
		if !s.macro && s.at == len(s.data) {
			return '\n'
		}
		l.sources = l.sources[:len(l.sources)-1]
	}
	return 0
}

func (l *lexer) advance() {
	if len(l.sources) == 0 {
		return
	}
	s := l.sources[len(l.sources)-1]
	if s.at < len(s.data) && s.data[s.at] == '\n' {
		s.line++
		s.start = s.at + 1
	}
	s.at++
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// inWord are the bytes a word goes on with.
func inWord(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune("(){}<>!=/#,\"'", rune(c))
}

func (l *lexer) next() token {
	for {
		c := l.peek()
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			l.advance()
		case c == '#':
			for c := l.peek(); c != '\n' && c != 0; c = l.peek() {
				l.advance()
			}
		case c == '$' && !l.inMacro():
			l.expand()
		default:
			return l.token(c)
		}
	}
}

func (l *lexer) inMacro() bool {
	return len(l.sources) > 0 && l.sources[len(l.sources)-1].macro
}

// expand replaces $name by its value.
func (l *lexer) expand() {
	pos := l.pos()
	l.advance()
	var name []byte
	for c := l.peek(); letter(c); c = l.peek() {
		name = append(name, c)
		l.advance()
	}
	value, ok := l.macros[string(name)]
	if !ok {
		l.missing(string(name), pos)
		return
	}
	l.push(&source{data: value, use: pos, macro: true})
}

func (l *lexer) token(c byte) token {
	t := token{pos: l.pos()}
	switch {
	case c == 0:
		return t
	case c == '\n':
		l.advance()
		t.kind, t.text = newline, "\n"
		return t
	case c == '"' || c == '\'':
		return l.quoted(c, t)
	case strings.IndexByte("{}()=,/<>!+", c) >= 0:
		t.kind, t.text = symbol, string(c)
		l.advance()
		if n := l.peek(); n == '=' && (c == '<' || c == '>' || c == '!') || n == '<' && c == '>' {
			t.text += string(n)
			l.advance()
		}
		return t
	case c == '-':
		return l.minus(t)
	case inWord(c):
		t.kind = word
		t.text = l.word()
		return t
	}
	l.advance()
	t.kind, t.text = broken, string(c)
	return t
}

// minus begins a negative number, or is an operator on its own.
func (l *lexer) minus(t token) token {
	l.advance()
	t.kind, t.text = symbol, "-"
	if c := l.peek(); c >= '0' && c <= '9' {
		t.kind, t.text = word, "-"+l.word()
	}
	return t
}

// word reads to the end of a word.
func (l *lexer) word() string {
	var out []byte
	for c := l.peek(); c != 0 && inWord(c); c = l.peek() {
		if c == '$' && !l.inMacro() {
			l.expand()
			continue
		}
		out = append(out, c)
		l.advance()
	}
	return string(out)
}

func (l *lexer) quoted(q byte, t token) token {
	t.kind, t.quoted = word, true
	l.advance()
	var out []byte
	for {
		c := l.peek()
		switch {
		case c == 0:
			t.kind, t.text = broken, string(out)
			return t
		case c == q:
			l.advance()
			t.text = string(out)
			return t
		case c == '\\':
			l.advance()
			if n := l.peek(); n == q || n == ' ' || n == '\t' {
				c = n
			} else {
				out = append(out, '\\')
				continue
			}
		case c == '\n':
			// A quoted text goes on behind the end of the line.
			if s := l.sources[len(l.sources)-1]; s.at >= len(s.data) {
				t.kind, t.text = broken, string(out)
				return t
			}
			l.advance()
			continue
		}
		out = append(out, c)
		l.advance()
	}
}
