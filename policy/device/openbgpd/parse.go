package openbgpd

import (
	"bytes"
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Parse reads one configuration file. It always returns a Config: what cannot
// be read is in its diagnostics.
func Parse(in device.Input) *device.Config {
	p := &parser{
		cfg: &device.Config{
			Dialect: device.OpenBGPD, Version: in.Version,
			Files:    []device.File{{Path: in.Path, Lines: bytes.Count(in.Data, []byte{'\n'}) + 1}},
			Defaults: device.Defaults{Import: device.Reject, ExportBGP: device.Reject, ExportOther: device.Reject},
		},
		in:         in,
		prefixSets: map[string]*prefixSet{}, asSets: map[string]*asSet{}, originSets: map[string]*roaSet{},
		groups: map[string]int{}, opened: map[string]bool{in.Path: true},
	}
	p.lex = &lexer{macros: map[string]string{}, missing: p.undefinedMacro}
	p.lex.push(&source{file: in.Path, data: string(in.Data), line: 1})
	p.read()
	p.config()
	p.lower()
	p.cfg.SortDiagnostics()
	return p.cfg
}

type parser struct {
	cfg *device.Config
	in  device.Input
	lex *lexer
	tok token // the next one

	opened      map[string]bool
	transparent bool
	prefixSets  map[string]*prefixSet
	asSets      map[string]*asSet
	originSets  map[string]*roaSet
	roas        roaSet
	rtr         bool // validation data comes from elsewhere too
	ribs        bool // more than one RIB is defined
	neighbors   []*neighbor
	groups      map[string]int // the first block of the name that has a neighbor
	blocks      int
	groupSets   []*rule // what groups set, before what neighbors set
	peerSets    []*rule
	rules       []*rule
	networks    []network
}

func (p *parser) read() { p.tok = p.lex.next() }

// take returns the next token and goes on.
func (p *parser) take() token {
	t := p.tok
	p.read()
	return t
}

// accept takes the next token if it is the text.
func (p *parser) accept(text string) bool {
	if !p.tok.is(text) {
		return false
	}
	p.read()
	return true
}

// lines skips ends of lines.
func (p *parser) lines() {
	for p.tok.kind == newline {
		p.read()
	}
}

// done reports whether a statement ends here.
func (p *parser) done() bool { return p.tok.kind == newline || p.tok.kind == end || p.tok.is("}") }

func (p *parser) report(d device.Diagnostic) { p.cfg.Diagnostics = append(p.cfg.Diagnostics, d) }

// refused records what bgpd does not load: nothing can be said of any session.
func (p *parser) refused(pos device.Pos, rule, message, fix string) {
	if p.cfg.Incomplete {
		// What is missing may be in the file that is missing.
		p.report(device.Diagnostic{At: device.At{Pos: pos}, Rule: rule, Severity: device.Warning, Message: message + "; it may be defined in the included file that is missing", Fix: fix})
		return
	}
	p.cfg.Broken = true
	p.report(device.Diagnostic{At: device.At{Pos: pos}, Rule: rule, Message: message + ": bgpd refuses to load the file", Fix: fix})
}

func (p *parser) undefinedMacro(name string, pos device.Pos) {
	p.refused(pos, "RL301", fmt.Sprintf("macro %q is not defined", name), "define it before it is used")
}

// file records a statement with its state.
func (p *parser) file(pos device.Pos, text string, state device.StatementState, policy bool, why string) {
	p.cfg.Statements = append(p.cfg.Statements, device.Statement{At: device.At{Pos: pos}, State: state, Policy: policy, Text: text, Why: why})
}

// skip leaves the rest of a statement out, with the block it may open.
func (p *parser) skip() {
	depth := 0
	for p.tok.kind != end {
		switch {
		case p.tok.is("{"):
			depth++
		case p.tok.is("}"):
			if depth == 0 {
				return
			}
			depth--
		case p.tok.kind == newline && depth == 0:
			return
		}
		p.read()
	}
}

// unread reports a statement that could not be read to its end.
func (p *parser) unread(pos device.Pos, text string, policy bool) {
	found := p.tok
	if text == "" {
		text = "statement"
	}
	p.skip()
	p.file(pos, text, device.Unread, policy, "not understood at "+strconv.Quote(found.text))
	sev := device.Warning
	if policy {
		sev = device.Error
	}
	p.report(device.Diagnostic{
		At: device.At{Pos: found.pos}, Rule: "RL902", Severity: sev,
		Message: fmt.Sprintf("%s: not understood at %q", text, strings.TrimSpace(found.text)),
		Fix:     "run bgpd -n -f on the file; if bgpd loads it, the word is newer than this linter",
	})
}

func (p *parser) config() {
	for {
		p.lines()
		switch {
		case p.tok.kind == end:
			return
		case p.tok.is("}"):
			p.unread(p.tok.pos, "}", false)
			p.read()
		default:
			p.statement()
		}
	}
}

// plain are statements without a bearing on what is advertised.
var plain = map[string]bool{
	"router-id": true, "fib-update": true, "fib-priority": true, "holdtime": true, "listen": true, "log": true, "dump": true,
	"nexthop": true, "rtable": true, "socket": true, "connect-retry": true, "staletime": true, "port": true, "reject": true,
}

func (p *parser) statement() {
	first := p.take()
	if first.kind == word && p.tok.is("=") {
		p.macro(first)
		return
	}
	switch first.text {
	case "include":
		p.include(first)
	case "AS":
		p.localAS(first)
	case "transparent-as":
		p.transparent = p.accept("yes")
		p.endOf(first, device.Modelled, true)
	case "prefix-set", "as-set", "origin-set", "roa-set", "aspa-set", "rtr":
		p.set(first)
	case "network":
		p.network(first)
	case "neighbor":
		p.neighbor(first, nil)
	case "group":
		p.group(first)
	case "allow", "deny", "match":
		p.rule(first)
	case "rde":
		p.rde(first)
	case "vpn":
		p.skip()
		p.file(first.pos, "vpn", device.IgnoredKnown, false, "VPN routes are not judged")
	case "flowspec":
		p.skip()
		p.file(first.pos, "flowspec", device.IgnoredKnown, false, "flow specifications are not judged")
	default:
		if plain[first.text] {
			p.skip()
			p.file(first.pos, first.text, device.IgnoredKnown, false, "")
			return
		}
		p.unread(first.pos, first.text, true)
	}
}

// endOf files a statement that ends here.
func (p *parser) endOf(first token, state device.StatementState, policy bool) {
	if !p.done() {
		if !p.accept("no") && !p.accept("yes") || !p.done() {
			p.unread(first.pos, first.text, policy)
			return
		}
	}
	p.file(first.pos, first.text, state, policy, "")
}

func (p *parser) macro(name token) {
	p.read()
	var parts []string
	for !p.done() && p.tok.kind == word {
		parts = append(parts, p.tok.text)
		if p.lex.peekIsLineEnd() {
			p.tok = token{kind: newline, pos: p.tok.pos}
			break
		}
		p.read()
	}
	if len(parts) == 0 || !p.done() {
		p.unread(name.pos, name.text, true)
		return
	}
	p.lex.macros[name.text] = strings.Join(parts, " ")
	p.file(name.pos, name.text+" =", device.Modelled, true, "")
}

// peekIsLineEnd skips blanks and reports whether the line ends: a macro is
// defined before the next line is read.
func (l *lexer) peekIsLineEnd() bool {
	for c := l.peek(); c == ' ' || c == '\t' || c == '\r'; c = l.peek() {
		l.advance()
	}
	return l.peek() == '\n'
}

func (p *parser) include(first token) {
	name := p.tok
	if name.kind != word {
		p.unread(first.pos, "include", true)
		return
	}
	// The rest of the line is read before the file is.
	for {
		t := p.lex.next()
		if t.kind == newline || t.kind == end {
			break
		}
	}
	p.file(first.pos, "include "+name.text, device.Modelled, true, "")
	missing := func(why string) {
		p.cfg.Incomplete = true
		p.report(device.Diagnostic{
			At: device.At{Pos: first.pos}, Rule: "RL310", Message: fmt.Sprintf("included file %q: %s", name.text, why),
			Fix: "give leaklint the file, or name its directory in include:",
		})
	}
	switch {
	case p.opened[name.text]:
		missing("it includes itself")
	case p.in.Open == nil:
		missing("there is no way to read it")
	default:
		data, err := p.in.Open(name.text)
		if err != nil {
			missing(err.Error())
			break
		}
		p.opened[name.text] = true
		shown := name.text
		if !path.IsAbs(shown) {
			shown = path.Join(path.Dir(p.in.Path), shown)
		}
		if !p.lex.push(&source{file: shown, data: string(data), line: 1}) {
			missing("files include each other too deep")
			break
		}
		p.cfg.Files = append(p.cfg.Files, device.File{Path: shown, Lines: bytes.Count(data, []byte{'\n'}) + 1})
	}
	p.read()
}

func (p *parser) localAS(first token) {
	n, ok := asn(p.tok)
	if !ok {
		p.unread(first.pos, "AS", true)
		return
	}
	p.read()
	p.cfg.ASN = n
	if _, fallback := asn(p.tok); fallback {
		p.read()
	}
	p.endOf(first, device.Modelled, true)
}

func (p *parser) rde(first token) {
	text := "rde " + p.tok.text
	if p.tok.is("rib") {
		p.read()
		p.ribs = p.ribs || !p.tok.is("Loc-RIB")
	}
	p.skip()
	p.file(first.pos, text, device.IgnoredKnown, false, "")
}

// asn reads an AS number, plain or with a dot.
func asn(t token) (uint32, bool) {
	if t.kind != word || t.quoted && strings.ContainsAny(t.text, " ") {
		return 0, false
	}
	high, low, dotted := strings.Cut(t.text, ".")
	if !dotted {
		n, err := strconv.ParseUint(t.text, 10, 32)
		return uint32(n), err == nil
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	n, err2 := strconv.ParseUint(low, 10, 16)
	return uint32(h<<16 | n), err1 == nil && err2 == nil
}

func number(t token) (int64, bool) {
	n, err := strconv.ParseInt(t.text, 10, 64)
	return n, t.kind == word && err == nil
}

// address reads an address without its zone.
func address(t token) (netip.Addr, bool) {
	if t.kind != word {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(t.text)
	return a.WithZone("").Unmap(), err == nil
}

// prefix reads "192.0.2.0/24"; the missing parts of a short IPv4 network are 0.
func (p *parser) prefix() (netip.Prefix, bool) {
	t := p.tok
	if t.kind != word {
		return netip.Prefix{}, false
	}
	p.read()
	if !p.accept("/") {
		return netip.Prefix{}, false
	}
	bits, ok := number(p.tok)
	if !ok || bits < 0 || bits > 128 {
		return netip.Prefix{}, false
	}
	p.read()
	text := t.text
	if !strings.Contains(text, ":") {
		for strings.Count(text, ".") < 3 {
			text += ".0"
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || int(bits) > a.BitLen() {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, int(bits)).Masked(), true
}

// list reads the members of a block in braces, set apart by commas, blanks or
// ends of lines; each reads one member and reports whether it could.
func (p *parser) list(each func() bool) bool {
	if !p.accept("{") {
		return false
	}
	for {
		for p.tok.kind == newline || p.tok.is(",") {
			p.read()
		}
		if p.accept("}") {
			return true
		}
		if p.tok.kind == end || !each() {
			return false
		}
	}
}
