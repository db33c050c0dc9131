package bird

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// protocol is a protocol or a template, with what it took over.
type protocol struct {
	pos, end  device.Pos
	kind      string
	name      string
	template  bool
	channels  map[string]*channel
	order     []string // of the channels
	descr     string
	disabled  bool
	localAS   uint32
	peerAS    uint32
	peer      netip.Addr
	rng       netip.Prefix
	external  bool
	internal  bool
	role      device.Role // what the neighbor is to us
	strict    bool
	rrClient  bool
	rsClient  bool
	uninterp  bool // interpret communities off
	allowAS   device.Pos
	allowLP   bool
	firstAS   bool
	localPref uint32
	confed    uint32
	member    bool
	routes    []netip.Prefix // of a static protocol
	peerTable string         // of a pipe
	unread    bool           // an option was not understood
}

// channel is a family of a protocol.
type channel struct {
	pos         device.Pos
	kind        string
	table       string
	in, out     imexport
	inLimit     uint32
	outLimit    uint32
	nextHopSelf bool
}

// imexport is what import or export says.
type imexport struct {
	pos  device.Pos
	how  string // "", all, none, filter, where
	name string
	body *function
	x    *expr
}

func (p *parser) protocol(first token, template bool) {
	kind := p.take()
	pr := &protocol{pos: first.pos, kind: kind.text, template: template, channels: map[string]*channel{}, localPref: 100}
	if p.tok.kind == symbol && !p.tok.is("from") {
		pr.name = p.take().text
	}
	if p.accept("from") {
		p.inherit(pr, p.take())
	}
	if pr.name == "" {
		if p.counter == nil {
			p.counter = map[string]int{}
		}
		p.counter[pr.kind]++
		pr.name = fmt.Sprintf("%s%d", pr.kind, p.counter[pr.kind])
	}
	p.file(first.pos, first.text+" "+kind.text+" "+pr.name, device.Modelled, true, "")
	if !p.accept("{") {
		found := p.tok
		p.skipStatement()
		p.notUnderstood(first.pos, first.text+" "+pr.name, found)
		return
	}
	for !p.accept("}") {
		if p.tok.kind == end {
			p.notUnderstood(first.pos, first.text+" "+pr.name, p.tok)
			break
		}
		p.item(pr)
	}
	pr.end = p.last
	p.protocols[pr.name] = pr
	if !template {
		p.order = append(p.order, pr)
	}
}

// inherit copies a template or another protocol.
func (p *parser) inherit(pr *protocol, from token) {
	base := p.protocols[from.text]
	if base == nil {
		p.undefined(from.pos, "template", from.text)
		return
	}
	own := *pr
	*pr = *base
	pr.pos, pr.kind, pr.name, pr.template = own.pos, own.kind, own.name, own.template
	pr.order, pr.routes = slices.Clone(base.order), slices.Clone(base.routes)
	pr.channels = maps.Clone(base.channels)
	for k, c := range pr.channels {
		copied := *c
		pr.channels[k] = &copied
	}
}

func (p *parser) item(pr *protocol) {
	t := p.tok
	if p.accept(";") {
		return
	}
	if _, isNet := netTypes[t.text]; isNet && t.kind == symbol {
		p.channel(pr)
		return
	}
	p.read()
	state, policy, ok := p.option(pr, t)
	if ok && p.accept(";") {
		p.file(t.pos, t.text, state, policy, "")
		return
	}
	if ok && p.tok.is("}") {
		p.file(t.pos, t.text, state, policy, "")
		return
	}
	found := p.tok
	p.skipStatement()
	pr.unread = pr.unread || pr.kind == "bgp"
	p.notUnderstood(t.pos, pr.kind+" option "+t.text, found)
}

// quietOptions have no bearing on what is advertised.
var quietOptions = strings.Fields(`debug mrtdump router vrf hold startup connect keepalive error start disable enable graceful long passive password
	setkey authentication source multihop direct interface path med igp prefer deterministic missing ttl bfd check strict free capabilities advertise
	dynamic gateway secondary validate min tx scan persist learn kernel device merge metric area stub stubnet virtual networks nssa ecmp
	rfc1583compat rfc5838 instance tick transport ecn preference preexport mode accept retry refresh expire port max timers randomize announce key send`)

func (p *parser) option(pr *protocol, t token) (device.StatementState, bool, bool) {
	switch t.text {
	case "local":
		return device.Modelled, true, p.local(pr)
	case "neighbor":
		return device.Modelled, true, p.neighbor(pr)
	case "description":
		pr.descr = p.take().text
		return device.Modelled, false, true
	case "disabled":
		pr.disabled = p.boolean()
		return device.Modelled, true, true
	case "rr":
		if p.accept("client") {
			pr.rrClient = p.boolean()
			return device.Modelled, true, true
		}
	case "rs":
		if p.accept("client") {
			pr.rsClient = p.boolean()
			return device.Modelled, true, true
		}
	case "require":
		p.accept("roles")
		pr.strict = p.boolean()
		return device.Modelled, true, true
	case "interpret":
		p.accept("communities")
		pr.uninterp = !p.boolean()
		return device.Modelled, true, true
	case "allow":
		return p.allow(pr, t)
	case "enforce":
		p.accept("first")
		p.accept("as")
		pr.firstAS = p.boolean()
		return device.Modelled, true, true
	case "default":
		if p.accept("bgp_local_pref") {
			n, ok := p.numberHere()
			pr.localPref = n
			return device.Modelled, true, ok
		}
	case "confederation":
		if p.accept("member") {
			pr.member = p.boolean()
			return device.Modelled, true, true
		}
		n, ok := p.numberHere()
		pr.confed = n
		return device.Modelled, true, ok
	case "route":
		return device.Modelled, true, p.route(pr)
	case "peer":
		if p.accept("table") {
			pr.peerTable = p.take().text
			return device.Modelled, true, true
		}
	case "table", "import", "export":
		// Of a pipe, and of protocols in the style of BIRD 1.
		c := pr.channelOf(pr.pipeKind(), t.pos)
		return device.Modelled, true, p.channelItem(c, t)
	}
	if slices.Contains(quietOptions, t.text) || pr.kind != "bgp" {
		p.toSemicolon()
		return device.IgnoredKnown, false, true
	}
	return device.Unread, true, false
}

func (pr *protocol) pipeKind() string { return "pipe" }

// toSemicolon leaves the rest of an option out.
func (p *parser) toSemicolon() {
	depth := 0
	for p.tok.kind != end {
		switch {
		case p.tok.is("{") || p.tok.is("["):
			depth++
		case p.tok.is("}") || p.tok.is("]"):
			if depth == 0 {
				return
			}
			depth--
		case p.tok.is(";") && depth == 0:
			return
		}
		p.read()
	}
}

// boolean reads on, off and the like; nothing means yes.
func (p *parser) boolean() bool {
	if p.tok.is(";") || p.tok.is("}") {
		return true
	}
	t := p.take()
	switch t.text {
	case "off", "no", "0":
		return false
	}
	return true
}

func (p *parser) local(pr *protocol) bool {
	if p.accept("role") {
		role, ok := theirs[p.take().text]
		pr.role = role
		return ok
	}
	if a, ok := p.addressHere(); ok && a.IsValid() {
		p.scope()
	}
	for {
		switch {
		case p.accept("as"):
			n, ok := p.numberHere()
			if !ok {
				return p.cfg.Incomplete
			}
			pr.localAS = n
		case p.accept("port"):
			if _, ok := p.numberHere(); !ok {
				return false
			}
		case p.tok.kind == symbol && p.cfg.Incomplete && p.constants[p.tok.text] == nil:
			// An address from a file that is missing.
			p.read()
		default:
			return p.tok.is(";") || p.tok.is("}")
		}
	}
}

func (p *parser) scope() {
	if p.accept("%") {
		p.read()
	}
}

// theirs is what the neighbor is to us when we are the role.
var theirs = map[string]device.Role{
	"provider": device.Customer, "customer": device.Provider, "peer": device.Peer, "rs_server": device.RSClient, "rs_client": device.RouteServer,
}

func (p *parser) neighbor(pr *protocol) bool {
	if p.accept("range") {
		t := p.tok
		if x := p.primary(); x != nil {
			if n, ok := p.constant(x).(netValue); ok {
				pr.rng = netip.Prefix(n).Masked()
			} else if !p.cfg.Incomplete {
				p.refused(t.pos, "RL902", "neighbor range is no network", "correct it")
			}
		}
	} else if a, ok := p.addressHere(); ok {
		pr.peer = a
		p.scope()
	}
	for {
		switch {
		case p.accept("as"):
			n, ok := p.numberHere()
			if !ok && !p.cfg.Incomplete {
				return false
			}
			pr.peerAS = n
		case p.accept("port"):
			if _, ok := p.numberHere(); !ok {
				return false
			}
		case p.accept("internal"):
			pr.internal = true
		case p.accept("external"):
			pr.external = true
		case p.tok.kind == symbol && p.constants[p.tok.text] == nil && p.cfg.Incomplete:
			p.read()
		default:
			return p.tok.is(";") || p.tok.is("}")
		}
	}
}

func (p *parser) allow(pr *protocol, t token) (device.StatementState, bool, bool) {
	switch {
	case p.accept("local"):
		p.accept("as")
		pr.allowAS = t.pos
		if !p.tok.is(";") {
			n, ok := p.numberHere()
			if ok && n == 0 {
				pr.allowAS = device.Pos{}
			}
			return device.Partly, true, ok
		}
		return device.Partly, true, true
	case p.accept("bgp_local_pref"):
		pr.allowLP = p.boolean()
		return device.Modelled, true, true
	}
	p.toSemicolon()
	return device.IgnoredKnown, false, true
}

// route reads a route of a static protocol.
func (p *parser) route(pr *protocol) bool {
	if x := p.primary(); x != nil && pr.kind == "static" {
		if n, ok := p.constant(x).(netValue); ok {
			pr.routes = append(pr.routes, netip.Prefix(n))
		}
	}
	p.toSemicolon()
	return true
}

func (pr *protocol) channelOf(kind string, pos device.Pos) *channel {
	c := pr.channels[kind]
	if c == nil {
		c = &channel{pos: pos, kind: kind}
		pr.channels[kind] = c
		pr.order = append(pr.order, kind)
	}
	return c
}

func (p *parser) channel(pr *protocol) {
	t := p.take()
	kind := t.text
	for p.tok.is("multicast") || p.tok.is("mpls") || p.tok.is("sadr") {
		kind += " " + p.take().text
	}
	c := pr.channelOf(kind, t.pos)
	c.pos = t.pos
	p.file(t.pos, kind, device.Modelled, true, "")
	if p.accept("{") {
		for !p.accept("}") {
			if p.tok.kind == end {
				return
			}
			if p.accept(";") {
				continue
			}
			item := p.take()
			if p.channelItem(c, item) && (p.accept(";") || p.tok.is("}")) {
				p.file(item.pos, item.text, device.Modelled, true, "")
				continue
			}
			found := p.tok
			p.skipStatement()
			pr.unread = pr.unread || pr.kind == "bgp"
			p.notUnderstood(item.pos, "channel option "+item.text, found)
		}
	}
	p.accept(";")
}

// quietItems are options of a channel without a bearing on what is advertised.
var quietItems = strings.Fields("debug gateway igp cost aigp mandatory missing secondary validate graceful long extended rpki base label rx tx preference")

func (p *parser) channelItem(c *channel, t token) bool {
	switch t.text {
	case "table":
		c.table = p.take().text
		return true
	case "import", "export":
		return p.imexport(c, t)
	case "receive":
		return p.limit(&c.inLimit)
	case "next":
		if p.accept("hop") && p.accept("self") {
			c.nextHopSelf = true
		}
		p.toSemicolon()
		return true
	case "add", "require":
		p.toSemicolon()
		return true
	}
	if slices.Contains(quietItems, t.text) {
		p.toSemicolon()
		return true
	}
	return false
}

func (p *parser) limit(to *uint32) bool {
	if !p.accept("limit") {
		return false
	}
	if p.accept("off") {
		*to = 0
		return true
	}
	n, ok := p.numberHere()
	*to = n
	p.toSemicolon()
	return ok
}

func (p *parser) imexport(c *channel, t token) bool {
	to, limit := &c.in, &c.inLimit
	if t.text == "export" {
		to, limit = &c.out, &c.outLimit
	}
	switch {
	case p.tok.is("limit"):
		return p.limit(limit)
	case p.tok.is("keep") || p.tok.is("table") || p.tok.is("block") || p.tok.is("in") || p.tok.is("format"):
		p.toSemicolon()
		return true
	}
	if to.how != "" && to.pos.File == t.pos.File && to.pos.Line >= c.pos.Line && c.pos.File == t.pos.File {
		p.report(device.Diagnostic{
			At: device.At{Pos: t.pos}, Rule: "RL219", Severity: device.Warning,
			Message: fmt.Sprintf("this %s replaces the one of line %d without a word", t.text, to.pos.Line), Fix: "keep one of the two",
		})
	}
	one := imexport{pos: t.pos}
	switch {
	case p.accept("all"):
		one.how = "all"
	case p.accept("none"):
		one.how = "none"
	case p.accept("where"):
		one.how = "where"
		if one.x = p.term(); one.x == nil {
			return false
		}
	case p.accept("filter"):
		one.how = "filter"
		if !p.tok.is("{") && !p.isType() {
			name := p.take()
			one.name = name.text
			if p.filters[name.text] == nil {
				p.undefined(name.pos, "filter", name.text)
			}
			break
		}
		one.body = p.functionBody(&function{pos: p.tok.pos, filter: true})
		if one.body == nil {
			return false
		}
		p.fileBody(one.body.body)
	default:
		return false
	}
	*to = one
	return true
}
