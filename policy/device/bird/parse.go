package bird

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
			Dialect: device.BIRD, Version: in.Version,
			Files:    []device.File{{Path: in.Path, Lines: bytes.Count(in.Data, []byte{'\n'}) + 1}},
			Defaults: device.Defaults{Import: device.Reject, ExportBGP: device.Reject, ExportOther: device.Reject},
		},
		in: in, opened: map[string]bool{path.Base(in.Path): true},
		constants: map[string]value{}, functions: map[string]*function{}, filters: map[string]*function{},
		attributes: map[string]bool{}, protocols: map[string]*protocol{}, tables: map[string]string{"master4": "ipv4", "master6": "ipv6"},
		policies: map[string]*device.Policy{},
	}
	p.lex = newLexer(in.Path, path.Base(in.Path), in.Data)
	p.read()
	p.config()
	p.lower()
	p.cfg.SortDiagnostics()
	return p.cfg
}

type parser struct {
	cfg   *device.Config
	in    device.Input
	lex   *lexer
	stack []*lexer
	tok   token
	last  device.Pos // of the token before
	depth int

	opened     map[string]bool
	constants  map[string]value
	functions  map[string]*function
	filters    map[string]*function
	attributes map[string]bool
	protocols  map[string]*protocol // and templates
	order      []*protocol
	tables     map[string]string
	policies   map[string]*device.Policy
	counter    map[string]int
}

func (p *parser) read() {
	p.last = p.tok.pos
	for {
		p.tok = p.lex.next()
		switch {
		case p.tok.kind == include:
			p.include(p.tok)
		case p.tok.kind == end && len(p.stack) > 0:
			p.lex, p.stack = p.stack[len(p.stack)-1], p.stack[:len(p.stack)-1]
		default:
			return
		}
	}
}

func (p *parser) take() token {
	t := p.tok
	p.read()
	return t
}

func (p *parser) accept(s string) bool {
	if !p.tok.is(s) {
		return false
	}
	p.read()
	return true
}

func (p *parser) report(d device.Diagnostic) { p.cfg.Diagnostics = append(p.cfg.Diagnostics, d) }

// refused records what BIRD does not load.
func (p *parser) refused(pos device.Pos, rule, message, fix string) {
	if p.cfg.Incomplete {
		p.report(device.Diagnostic{At: device.At{Pos: pos}, Rule: rule, Severity: device.Warning, Message: message + "; it may be in the included file that is missing", Fix: fix})
		return
	}
	p.cfg.Broken = true
	p.report(device.Diagnostic{At: device.At{Pos: pos}, Rule: rule, Message: message + ": BIRD refuses to load the file", Fix: fix})
}

func (p *parser) file(pos device.Pos, text string, state device.StatementState, policy bool, why string) {
	p.cfg.Statements = append(p.cfg.Statements, device.Statement{At: device.At{Pos: pos}, State: state, Policy: policy, Text: text, Why: why})
}

func (p *parser) notUnderstood(pos device.Pos, what string, found token) {
	p.file(pos, what, device.Unread, true, "not understood at "+strconv.Quote(found.text))
	p.report(device.Diagnostic{
		At: device.At{Pos: pos}, Rule: "RL902",
		Message: fmt.Sprintf("%s: not understood at %q", what, found.text),
		Fix:     "run bird -p -c on the file; if BIRD loads it, the word is newer than this linter",
	})
}

// maxDepth bounds files that include one another, as BIRD does.
const maxDepth = 8

func (p *parser) include(t token) {
	p.file(t.pos, "include "+t.text, device.Modelled, true, "")
	missing := func(why string) {
		p.cfg.Incomplete = true
		p.report(device.Diagnostic{
			At: device.At{Pos: t.pos}, Rule: "RL310", Message: fmt.Sprintf("included file %q: %s", t.text, why),
			Fix: "give leaklint the file, or name its directory in include:",
		})
	}
	wanted := t.text
	if !path.IsAbs(wanted) {
		wanted = path.Join(path.Dir(p.lex.rel), wanted)
	}
	names := []string{wanted}
	if strings.ContainsAny(wanted, "*?[") {
		if p.in.Glob == nil {
			missing("there is no way to list the files")
			return
		}
		var err error
		if names, err = p.in.Glob(wanted); err != nil {
			missing(err.Error())
			return
		}
	}
	if len(p.stack)+1 >= maxDepth {
		missing("files include each other too deep")
		return
	}
	if p.in.Open == nil {
		missing("there is no way to read it")
		return
	}
	// The last file is read first off the stack.
	p.stack = append(p.stack, p.lex)
	for i := len(names) - 1; i >= 0; i-- {
		name := names[i]
		data, err := p.in.Open(name)
		switch {
		case p.opened[name]:
			missing("it is included twice")
			continue
		case err != nil:
			missing(err.Error())
			continue
		}
		p.opened[name] = true
		shown := name
		if !path.IsAbs(name) {
			shown = path.Join(path.Dir(p.in.Path), name)
		}
		p.stack = append(p.stack, newLexer(shown, name, data))
		p.cfg.Files = append(p.cfg.Files, device.File{Path: shown, Lines: bytes.Count(data, []byte{'\n'}) + 1})
	}
	p.lex, p.stack = p.stack[len(p.stack)-1], p.stack[:len(p.stack)-1]
}

// skipStatement reads to the end of a statement: its semicolon, or the block it
// ends with.
func (p *parser) skipStatement() {
	depth := 0
	for p.tok.kind != end {
		switch {
		case p.tok.is("{") || p.tok.is("(") || p.tok.is("["):
			depth++
		case p.tok.is("}") || p.tok.is(")") || p.tok.is("]"):
			if depth == 0 && p.tok.is("}") {
				return
			}
			if depth = max(depth-1, 0); depth == 0 && p.tok.is("}") {
				p.read()
				p.accept(";")
				return
			}
		case p.tok.is(";") && depth == 0:
			p.read()
			return
		}
		p.read()
	}
}

// quietStatements have no bearing on what is advertised.
var quietStatements = map[string]bool{
	"router": true, "log": true, "debug": true, "mrtdump": true, "timeformat": true, "graceful": true, "watchdog": true, "hostname": true,
	"eval": true, "threads": true, "cli": true, "mpls": true,
}

func (p *parser) config() {
	for p.tok.kind != end {
		t := p.tok
		switch {
		case p.accept(";"):
		case p.accept("define"):
			p.define(t)
		case p.accept("filter"):
			p.functionStatement(t, true)
		case p.accept("function"):
			p.functionStatement(t, false)
		case p.accept("protocol"):
			p.protocol(t, false)
		case p.accept("template"):
			p.protocol(t, true)
		case p.accept("attribute"):
			p.skipType()
			p.attributes[p.tok.text] = true
			p.skipStatement()
			p.file(t.pos, "attribute", device.Partly, true, "its value is not followed")
		case p.isTable():
			p.table(t)
		case t.kind == symbol && quietStatements[t.text]:
			p.skipStatement()
			p.file(t.pos, t.text, device.IgnoredKnown, false, "")
		default:
			p.read()
			p.skipStatement()
			p.notUnderstood(t.pos, "statement "+t.text, t)
			p.accept("}")
		}
	}
}

func (p *parser) define(first token) {
	name := p.take()
	if name.kind != symbol || !p.accept("=") {
		p.skipStatement()
		p.notUnderstood(first.pos, "define", name)
		return
	}
	x := p.term()
	if x == nil || !p.accept(";") {
		found := p.tok
		p.skipStatement()
		p.notUnderstood(first.pos, "define "+name.text, found)
		p.constants[name.text] = unknownValue{"its definition was not understood"}
		return
	}
	v := p.constant(x)
	if s, ok := v.(*setValue); ok {
		if s.name == "" {
			named := *s
			named.name = name.text
			named.def = &device.Set{At: device.At{Pos: name.pos}, End: p.last, Kind: named.kind(), Name: name.text, Len: named.size(), Prefixes: named.prefixSet()}
			p.cfg.Sets = append(p.cfg.Sets, named.def)
			v = &named
		}
	}
	p.constants[name.text] = v
	state, why := device.Modelled, ""
	if u, ok := v.(unknownValue); ok {
		state, why = device.Unmodelled, u.why
	}
	p.file(first.pos, "define "+name.text, state, true, why)
}

func (p *parser) functionStatement(first token, filter bool) {
	f := p.functionDef(filter)
	if f == nil {
		found := p.tok
		p.skipStatement()
		p.notUnderstood(first.pos, first.text, found)
		return
	}
	f.pos = first.pos
	p.file(first.pos, first.text+" "+f.name, device.Modelled, true, "")
	p.fileBody(f.body)
	if filter {
		p.filters[f.name] = f
	} else {
		p.functions[f.name] = f
	}
}

// fileBody counts the statements of a program.
func (p *parser) fileBody(body []*stmt) {
	for _, s := range body {
		if s.op != doBroken && s.op != doBlock {
			p.file(s.pos, s.source, device.Modelled, s.op != doPrint, "")
		}
		p.fileBody(s.body)
		p.fileBody(s.alt)
		for _, a := range s.cases {
			p.fileBody(a.body)
		}
	}
}

var netTypes = map[string]device.Family{
	"ipv4": device.IPv4, "ipv6": device.IPv6, "vpn4": device.OtherFamily, "vpn6": device.OtherFamily, "roa4": device.OtherFamily,
	"roa6": device.OtherFamily, "flow4": device.OtherFamily, "flow6": device.OtherFamily, "mpls": device.OtherFamily, "eth": device.OtherFamily, "aspa": device.OtherFamily,
}

func (p *parser) isTable() bool {
	_, ok := netTypes[p.tok.text]
	return p.tok.kind == symbol && (ok || p.tok.text == "table" || p.tok.text == "roa")
}

func (p *parser) table(first token) {
	kind := p.take().text
	p.accept("sadr")
	if p.accept("table") {
		p.tables[p.tok.text] = kind
	}
	p.skipTable()
	p.file(first.pos, kind+" table", device.Modelled, false, "")
}

// skipTable reads the options of a table; the statement needs no semicolon.
func (p *parser) skipTable() {
	p.read()
	p.accept("sorted")
	if p.tok.is("{") {
		p.skipStatement()
	}
	p.accept(";")
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// constInt evaluates a number of the configuration.
func (p *parser) constInt(x *expr) (uint32, bool) {
	n, ok := p.constant(x).(intValue)
	return uint32(n), ok
}

// numberHere reads a number, a constant or a term in parentheses.
func (p *parser) numberHere() (uint32, bool) {
	if p.tok.is("(") {
		if x := p.parenthesis(); x != nil {
			return p.constInt(x)
		}
		return 0, false
	}
	t := p.take()
	switch t.kind {
	case number:
		return t.num, true
	case symbol:
		if p.constants[t.text] == nil {
			p.undefined(t.pos, "constant", t.text)
			return 0, false
		}
		n, ok := p.constants[t.text].(intValue)
		return uint32(n), ok
	}
	return 0, false
}

func (p *parser) undefined(pos device.Pos, what, name string) {
	p.refused(pos, "RL301", fmt.Sprintf("%s %q is not defined", what, name), "define it before it is used, or correct the name")
}

// addressHere reads an address or a constant that is one.
func (p *parser) addressHere() (netip.Addr, bool) {
	t := p.tok
	switch t.kind {
	case addr:
		p.read()
		return t.ip, true
	case symbol:
		if v, ok := p.constants[t.text].(ipValue); ok {
			p.read()
			return netip.Addr(v), true
		}
	}
	return netip.Addr{}, false
}
