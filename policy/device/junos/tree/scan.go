package tree

import (
	"bytes"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// kind of a token.
type kind uint8

const (
	end kind = iota
	word
	open      // {
	closing   // }
	semicolon // ;
	listOpen  // [
	listClose // ]
)

type token struct {
	kind   kind
	text   string
	pos    device.Pos
	quoted bool
}

// scanner cuts text into tokens. In lines mode braces and semicolons are part
// of words and a token does not cross the end of the line.
type scanner struct {
	file   string
	data   []byte
	at     int
	line   int
	start  int // of the line
	list   bool
	report func(device.Pos, string)
}

func (s *scanner) pos() device.Pos {
	return device.Pos{File: s.file, Line: s.line, Col: s.at - s.start + 1}
}

func (s *scanner) newline() {
	s.at++
	s.line++
	s.start = s.at
}

// blank skips white space and comments; within a line only when inLine.
func (s *scanner) blank(inLine bool) {
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '\n':
			if inLine {
				return
			}
			s.newline()
		case c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == 0:
			s.at++
		case c == '#':
			for s.at < len(s.data) && s.data[s.at] != '\n' {
				s.at++
			}
		case c == '/' && s.at+1 < len(s.data) && s.data[s.at+1] == '*':
			if !s.comment(inLine) {
				return
			}
		default:
			return
		}
	}
}

// comment skips /* … */; an unclosed one ends at the end of the line.
func (s *scanner) comment(inLine bool) bool {
	stop := bytes.Index(s.data[s.at+2:], []byte("*/"))
	eol := bytes.IndexByte(s.data[s.at:], '\n')
	if stop < 0 || inLine && eol >= 0 && stop+2 > eol {
		s.report(s.pos(), "comment without */")
		if eol < 0 {
			s.at = len(s.data)
			return true
		}
		s.at += eol
		return !inLine
	}
	for until := s.at + 2 + stop + 2; s.at < until; {
		if s.data[s.at] == '\n' {
			s.newline()
			continue
		}
		s.at++
	}
	return true
}

// token reads the next one; inLine gives an end token at the end of the line.
func (s *scanner) token(inLine bool) token {
	s.blank(inLine)
	t := token{pos: s.pos()}
	if s.at >= len(s.data) || s.data[s.at] == '\n' {
		return t
	}
	c := s.data[s.at]
	if m := s.template(); m > 0 {
		t.kind, t.text = word, string(s.data[s.at:s.at+m])
		s.at += m
		return t
	}
	single := map[byte]kind{'{': open, '}': closing, ';': semicolon, '[': listOpen, ']': listClose}[c]
	if single != end && !(inLine && (c == '{' || c == '}')) && !(c == ']' && !s.list) {
		s.at++
		t.kind = single
		return t
	}
	t.kind = word
	switch c {
	case '"':
		t.text, t.quoted = s.quoted(), true
	case '(', '!':
		t.text = s.group(inLine)
	default:
		t.text = s.plain(inLine)
	}
	t.text = strings.ToValidUTF8(t.text, "\uFFFD")
	return t
}

// template returns the length of a "{{ … }}" or "{% … %}" marker at this
// place, 0 when there is none.
func (s *scanner) template() int {
	rest := s.data[s.at:]
	for _, m := range [][2]string{{"{{", "}}"}, {"{%", "%}"}} {
		if !bytes.HasPrefix(rest, []byte(m[0])) {
			continue
		}
		if eol := bytes.IndexByte(rest, '\n'); eol >= 0 {
			rest = rest[:eol]
		}
		if stop := bytes.Index(rest, []byte(m[1])); stop > 0 {
			return stop + 2
		}
	}
	return 0
}

// quoted reads a string in quotes; without a closing one it ends at the end of
// the line.
func (s *scanner) quoted() string {
	at := s.pos()
	s.at++
	var b strings.Builder
	for s.at < len(s.data) && s.data[s.at] != '\n' {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return b.String()
		case c == '\\' && s.at+1 < len(s.data) && (s.data[s.at+1] == '"' || s.data[s.at+1] == '\\'):
			s.at++
			b.WriteByte(s.data[s.at])
		default:
			b.WriteByte(c)
		}
		s.at++
	}
	s.report(at, "quoted text without closing quote")
	return strings.TrimRight(b.String(), " \t\r;")
}

// group reads a word that begins with "(" or "!(" up to the matching bracket,
// so that a policy expression or an as-path expression is one word. Brackets
// that do not match within the statement make it a plain word.
func (s *scanner) group(inLine bool) string {
	depth := 0
	for i := s.at; i < len(s.data); i++ {
		switch c := s.data[i]; c {
		case '(':
			depth++
		case ')':
			if depth--; depth > 0 {
				continue
			}
			from := s.at
			s.at = i + 1
			rest := ""
			if depth == 0 {
				rest = s.plain(inLine)
			}
			return strings.Join(strings.Fields(string(s.data[from:i+1])), " ") + rest
		case '\n', ';', '"':
			return s.plain(inLine)
		case ' ', '\t', '{', '}':
			if depth == 0 || c == '{' && inLine {
				return s.plain(inLine)
			}
		}
	}
	return s.plain(inLine)
}

// plain reads up to white space or punctuation. "<…>" wildcards and "{{…}}"
// markers are kept whole.
func (s *scanner) plain(inLine bool) string {
	from := s.at
	wildcard := s.at < len(s.data) && s.data[s.at] == '<'
	for s.at < len(s.data) {
		c := s.data[s.at]
		if c == '>' {
			wildcard = false
		}
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' {
			break
		}
		if m := s.template(); m > 0 {
			s.at += m
			continue
		}
		if !inLine && (c == '{' || c == '}') || s.list && c == ']' && !wildcard {
			break
		}
		s.at++
	}
	if s.at == from && s.at < len(s.data) && s.data[s.at] != '\n' && s.data[s.at] != ';' {
		s.at++ // always move on
	}
	return string(s.data[from:s.at])
}
