package tree

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Limits against hostile input: no configuration comes near them.
const (
	maxWords = 256 // in one statement
	maxDepth = 64  // of braces
)

// Tree is a configuration as written.
type Tree struct {
	Root       *Node
	Statements []*Statement
	Problems   []Problem
	Lines      int
	Unclosed   bool // the text ends inside a block: something may be missing
	Templated  bool // holds template markers: it is not what a router would load

	clock int
}

// Statement is one end of the text: what a semicolon or the end of a set line
// closes. A list in brackets has several ends.
type Statement struct {
	Pos    device.Pos
	Leaves []*Node
}

// Problem is text that could not be read.
type Problem struct {
	Pos     device.Pos
	Message string
	err     error
}

// Error makes a Problem an error.
func (p Problem) Error() string { return fmt.Sprintf("%s: %s", p.Pos, p.Message) }

// Unwrap gives the error of a command that failed.
func (p Problem) Unwrap() error { return p.err }

// Parse reads a configuration. It always returns a tree.
func Parse(file string, data []byte) *Tree {
	t := &Tree{Root: &Node{}, Lines: bytes.Count(data, []byte{'\n'}) + 1}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	p := &parser{t: t, s: &scanner{file: file, data: data, line: 1, report: t.problem}}
	p.top()
	return t
}

// ParseAt reads a piece of a file that begins at a line of it.
func ParseAt(file string, data []byte, line int) *Tree {
	t := &Tree{Root: &Node{}}
	p := &parser{t: t, s: &scanner{file: file, data: data, line: line, report: t.problem}}
	p.top()
	return t
}

// Load carries out a script: commands, or statements in braces that are merged
// in. It stops for nothing, and returns the first thing that did not work.
func (t *Tree) Load(file string, data []byte) error {
	before := len(t.Problems)
	p := &parser{t: t, s: &scanner{file: file, data: data, line: 1, report: t.problem}}
	p.top()
	if len(t.Problems) > before {
		return t.Problems[before]
	}
	return nil
}

// Words cuts one line into words.
func Words(line string) []string {
	p := &parser{t: &Tree{}, s: &scanner{data: []byte(line), line: 1, report: func(device.Pos, string) {}}}
	words, list := p.words(true)
	return append(words, list...)
}

func (t *Tree) problem(pos device.Pos, message string) {
	t.Problems = append(t.Problems, Problem{Pos: pos, Message: message})
}

type parser struct {
	t    *Tree
	s    *scanner
	edit []string // the place "edit" went to
}

// top reads the text outside of all braces, where commands may stand.
func (p *parser) top() {
	for {
		p.s.blank(false)
		if p.s.at >= len(p.s.data) {
			return
		}
		if p.noise() {
			continue
		}
		if p.command() {
			continue
		}
		if !p.statement(p.t.Root, 0) {
			p.t.problem(p.s.pos(), "} without {")
			p.s.at++
		}
	}
}

// rest is the line from here on.
func (p *parser) rest() []byte {
	rest := p.s.data[p.s.at:]
	if eol := bytes.IndexByte(rest, '\n'); eol >= 0 {
		rest = rest[:eol]
	}
	return rest
}

// noise skips what a terminal adds: "{master:0}", "[edit]", prompts.
func (p *parser) noise() bool {
	line := strings.TrimSpace(string(p.rest()))
	switch {
	case strings.HasPrefix(line, "{master") || strings.HasPrefix(line, "{backup") || strings.HasPrefix(line, "{primary") || strings.HasPrefix(line, "{secondary") || strings.HasPrefix(line, "{linecard"),
		line == "[edit]":
		p.s.at += len(p.rest())
		return true
	}
	if name, rest, ok := strings.Cut(line, " "); ok && strings.Contains(name, "@") && (strings.HasSuffix(name, ">") || strings.HasSuffix(name, "#")) {
		skip := bytes.Index(p.rest(), []byte(name)) + len(name)
		if strings.HasSuffix(name, ">") || strings.HasPrefix(strings.TrimSpace(rest), "show") {
			skip = len(p.rest())
		}
		p.s.at += skip
		return true
	}
	return false
}

// command reads a line of configuration-mode commands; false when the text
// here is none.
func (p *parser) command() bool {
	first, _, _ := bytes.Cut(bytes.TrimSpace(p.rest()), []byte{' '})
	verb := string(first)
	if !verbs[verb] && !quiet[verb] {
		return false
	}
	pos := p.s.pos()
	words, list := p.words(true)
	if len(words) == 0 || quiet[verb] {
		return true
	}
	c := Command{Pos: pos, Verb: verb, Words: words[1:], List: list}
	if !p.move(&c) {
		return true
	}
	c.Words = append(slices.Clip(p.edit), c.Words...)
	if err := p.t.Run(c); err != nil {
		p.t.Problems = append(p.t.Problems, Problem{pos, err.Error(), err})
	}
	return true
}

// move follows edit, up, top and exit; false when nothing is left to do.
func (p *parser) move(c *Command) bool {
	switch c.Verb {
	case "edit":
		p.edit = append(slices.Clip(p.edit), c.Words...)
		return false
	case "up":
		p.edit = p.edit[:max(0, len(p.edit)-1)]
		return false
	case "exit":
		p.edit = nil
		return false
	case "top":
		p.edit = nil
		if len(c.Words) == 0 || !verbs[c.Words[0]] {
			return false
		}
		c.Verb, c.Words = c.Words[0], c.Words[1:]
		return p.move(c)
	}
	return true
}

// words reads up to the end of the line, or, not inLine, up to ; { or }. A
// list in brackets ends the statement. Policy expressions written without
// brackets around are joined to one word.
func (p *parser) words(inLine bool) (words []string, list []string) {
	inList := false
	var glue []bool // for each word: it is an operator
	s := p.s
	for {
		s.list = inList
		before := *s
		t := s.token(inLine)
		switch t.kind {
		case end:
			s.list = false
			return expressions(words, glue), list
		case open, closing:
			*s = before
			s.list = false
			return expressions(words, glue), list
		case semicolon:
			if !inLine {
				*s = before
				s.list = false
				return expressions(words, glue), list
			}
		case listOpen:
			inList = true
			if list == nil {
				list = []string{}
			}
		case listClose:
			inList = false
		case word:
			if strings.Contains(t.text, "{{") || strings.Contains(t.text, "{%") {
				if !p.t.Templated {
					p.t.problem(t.pos, fmt.Sprintf("template marker %s: this is not the text a router would load; lint what is rendered", t.text))
				}
				p.t.Templated = true
			}
			switch {
			case len(words)+len(list) >= maxWords && !inList:
				continue
			case inList:
				list = append(list, t.text)
			case list != nil:
				// Words behind a list belong to each of its members; no
				// statement of ours is written so.
				p.t.problem(t.pos, fmt.Sprintf("%q behind a list in brackets", t.text))
			default:
				words, glue = append(words, t.text), append(glue, operators[t.text] && !t.quoted)
			}
		}
	}
}

// operators of policy expressions.
var operators = map[string]bool{"&&": true, "||": true, "!": true}

// expressions joins "A && B" to one word.
func expressions(words []string, operator []bool) []string {
	if !slices.Contains(operator, true) {
		return words
	}
	var out []string
	open := false // the word before wants another one
	for i, w := range words {
		if len(out) > 0 && (open || operator[i] && w != "!") {
			out[len(out)-1] += " " + w
		} else {
			out = append(out, w)
		}
		open = operator[i]
	}
	return out
}

// tags in front of a statement.
var tags = map[string]bool{"inactive:": true, "active:": true, "protect:": true, "unprotect:": true, "replace:": true, "delete:": true}

// statement reads one statement into n; false at a closing brace or the end.
func (p *parser) statement(n *Node, depth int) bool {
	s := p.s
	s.blank(false)
	pos := s.pos()
	words, list := p.words(false)
	flags := map[string]bool{}
	for len(words) > 0 && tags[words[0]] {
		flags[words[0]] = true
		words = words[1:]
	}
	before := *s
	stop := s.token(false)
	if len(words) == 0 && stop.kind != open && list == nil {
		if stop.kind == semicolon {
			return true
		}
		*s = before
		return false
	}
	if len(words) == 0 {
		p.t.problem(pos, "statement without a name")
		p.skip(stop, before)
		return true
	}
	if flags["delete:"] {
		p.skip(stop, before)
		if err := p.t.Run(Command{Pos: pos, Verb: "delete", Words: append(n.Words(nil), words...), List: list}); err != nil {
			p.t.Problems = append(p.t.Problems, Problem{pos, err.Error(), err})
		}
		return true
	}
	leaf := p.t.follow(n, words, pos)
	if flags["replace:"] {
		for _, k := range slices.Clone(leaf.kids) {
			k.cut()
		}
	}
	if stop.kind == open {
		leaf.Inactive = leaf.Inactive && !flags["active:"] || flags["inactive:"]
		p.block(leaf, stop, depth+1)
		return true
	}
	p.t.close(leaf, list, pos, flags["inactive:"])
	if stop.kind != semicolon {
		// "then accept }" is taken as if the semicolon were there.
		*s = before
		if stop.kind != closing {
			p.t.problem(pos, "statement without ;")
		}
	}
	return true
}

// skip passes over a block that is not wanted.
func (p *parser) skip(stop token, before scanner) {
	switch stop.kind {
	case open:
		for depth := 1; depth > 0; {
			switch p.s.token(false).kind {
			case open:
				depth++
			case closing:
				depth--
			case end:
				return
			}
		}
	case closing, end:
		*p.s = before
	}
}

// block reads the statements up to the closing brace.
func (p *parser) block(n *Node, opened token, depth int) {
	if depth > maxDepth {
		p.t.problem(opened.pos, "blocks nested too deeply")
		p.skip(opened, *p.s)
		return
	}
	for p.statement(n, depth) {
	}
	at := p.s.pos()
	if p.s.token(false).kind != closing {
		p.t.problem(opened.pos, "block is never closed")
		p.t.Unclosed = true
		return
	}
	n.End = at
	if len(n.kids) == 0 {
		// An empty block is a statement of its own.
		p.t.Statements = append(p.t.Statements, &Statement{Pos: n.Pos, Leaves: []*Node{n}})
	}
}

// follow returns the node at the end of the words, made where it is missing.
func (t *Tree) follow(n *Node, words []string, pos device.Pos) *Node {
	for _, w := range words {
		n = t.add(n, w, pos)
	}
	return n
}

// close ends a statement at a node, or at each member of a list below it.
func (t *Tree) close(n *Node, list []string, pos device.Pos, inactive bool) {
	s := &Statement{Pos: pos}
	if list == nil {
		s.Leaves = []*Node{n}
	}
	for _, w := range list {
		s.Leaves = append(s.Leaves, t.add(n, w, pos))
	}
	for _, l := range s.Leaves {
		l.Inactive = l.Inactive || inactive
	}
	if list != nil && len(list) == 0 {
		s.Leaves = []*Node{n}
	}
	t.Statements = append(t.Statements, s)
}

// Live returns the ends of a statement that later commands did not remove.
func (s *Statement) Live() []*Node {
	return slices.DeleteFunc(slices.Clone(s.Leaves), func(n *Node) bool { return n.gone })
}
