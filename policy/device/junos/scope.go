package junos

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// scope is one routing system with its own policy-options.
type scope struct {
	b    *builder
	root *tree.Node
	name string // of the logical system, "" for the router itself

	policySet   map[string]*device.Policy
	prefixLists map[string]*prefixList
	asPaths     map[string]*device.Set
	asGroups    map[string]*device.Set
	communities map[string]*community
	conditions  map[string]*device.Set
	interfaces  map[string]*device.PrefixSet
	reported    map[string]bool
	tables      bool // a policy asks for the table of a route
}

func (s *scope) report(d device.Diagnostic) { s.b.report(d) }

// once reports per rule and place: a reference may be read more than once.
func (s *scope) once(d device.Diagnostic) {
	key := d.Rule + d.Pos.String() + d.Set + d.Policy
	if !s.reported[key] {
		s.reported[key] = true
		s.report(d)
	}
}

// qualified is the name a policy or set has outside of its scope.
func (s *scope) qualified(name string) string {
	if s.name == "" {
		return name
	}
	return s.name + "/" + name
}

// definitions reads the named sets of policy-options.
func (s *scope) definitions() {
	s.prefixLists, s.asPaths, s.asGroups = map[string]*prefixList{}, map[string]*device.Set{}, map[string]*device.Set{}
	s.communities, s.conditions, s.reported = map[string]*community{}, map[string]*device.Set{}, map[string]bool{}
	po := s.root.Get("policy-options")
	for _, n := range po.Get("prefix-list").Active() {
		s.prefixList(n)
	}
	for _, n := range po.Get("as-path").Active() {
		s.asPaths[n.Word] = s.define(n, device.ASPathSetKind, len(n.Active()))
		s.asPaths[n.Word].X = s.asPath(n)
	}
	for _, n := range po.Get("as-path-group").Active() {
		s.asPathGroup(n)
	}
	for _, n := range po.Get("community").Active() {
		s.community(n)
	}
	for _, n := range po.Get("condition").Active() {
		s.conditions[n.Word] = s.define(n, device.ConditionKind, len(n.Active()))
		n.Cover(device.Unmodelled, "when a condition holds depends on the routing table")
	}
	for word, bears := range policyOptions {
		if !bears {
			cover(po.Child(word), device.IgnoredKnown)
		}
	}
	for _, word := range []string{"as-list", "as-list-group", "defaults", "large-community"} {
		cover(po.Child(word), device.Unmodelled)
	}
}

func (s *scope) define(n *tree.Node, kind device.SetKind, size int) *device.Set {
	n.Mark(device.Modelled, "")
	set := &device.Set{At: device.At{Pos: n.Pos}, End: n.End, Kind: kind, Name: s.qualified(n.Word), Len: size}
	s.b.cfg.Sets = append(s.b.cfg.Sets, set)
	return set
}

// prefixList is a list with the forms it is used in.
type prefixList struct {
	set   *device.Set
	forms map[string]*device.PrefixSet // by match type
}

func (s *scope) prefixList(n *tree.Node) {
	kids := n.Active()
	l := &prefixList{set: s.define(n, device.PrefixSetKind, 0), forms: map[string]*device.PrefixSet{}}
	exact := &device.PrefixSet{At: l.set.At, Name: l.set.Name}
	for _, k := range kids {
		if k.Word == "apply-path" {
			s.applyPath(k, exact)
			continue
		}
		p, ok := prefixOf(k.Word)
		if !ok {
			k.Mark(device.Unread, "not a prefix")
			s.report(device.Diagnostic{At: device.At{Pos: k.Pos}, Rule: "RL902", Set: l.set.Name, Message: fmt.Sprintf("prefix-list %s: %q is not a prefix", l.set.Name, k.Word), Fix: "write ADDRESS/LENGTH"})
			continue
		}
		k.Mark(device.Modelled, "")
		exact.Entries = append(exact.Entries, device.PrefixEntry{At: device.At{Pos: k.Pos}, Range: device.Exact(p)})
	}
	l.set.Len, l.set.Prefixes = len(exact.Entries), exact
	l.forms["exact"] = exact
	s.prefixLists[n.Word] = l
}

// form returns the list with another match type; ok is false for a type that
// lists do not take.
func (l *prefixList) form(kind string) (*device.PrefixSet, bool) {
	if f, have := l.forms[kind]; have {
		return f, true
	}
	if kind != "longer" && kind != "orlonger" {
		return nil, false
	}
	exact := l.forms["exact"]
	f := &device.PrefixSet{At: exact.At, Name: exact.Name}
	for _, e := range exact.Entries {
		e.Range.Max = e.Range.Net.Addr().BitLen()
		if kind == "longer" {
			e.Range.Min++
		}
		f.Entries = append(f.Entries, e)
	}
	l.forms[kind] = f
	return f, true
}

// prefixOf reads a prefix; Junos takes host bits and bare addresses.
func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), true
	}
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	// "10.1/16" stands for 10.1.0.0/16.
	addr, bits, found := strings.Cut(text, "/")
	if n := strings.Count(addr, "."); found && n < 3 && !strings.Contains(addr, ":") {
		if p, err := netip.ParsePrefix(addr + strings.Repeat(".0", 3-n) + "/" + bits); err == nil {
			return p.Masked(), true
		}
	}
	return netip.Prefix{}, false
}

// applyPath fills a list from the configuration: "protocols bgp group <*>
// neighbor <*>".
func (s *scope) applyPath(n *tree.Node, into *device.PrefixSet) {
	pattern := n.Value()
	if pattern == nil {
		return
	}
	pattern.Mark(device.Modelled, "")
	at := []*tree.Node{s.root}
	for _, w := range strings.Fields(pattern.Word) {
		var next []*tree.Node
		for _, a := range at {
			for _, k := range a.Active() {
				if k.Word == w || tree.Wildcard(w, k.Word) {
					next = append(next, k)
				}
			}
		}
		at = next
	}
	before := len(into.Entries)
	seen := map[netip.Prefix]bool{}
	for _, k := range at {
		p, ok := prefixOf(k.Word)
		if ok && !seen[p] {
			seen[p] = true
			into.Entries = append(into.Entries, device.PrefixEntry{At: device.At{Pos: k.Pos}, Range: device.Exact(p)})
		}
	}
	if len(into.Entries) == before {
		s.report(device.Diagnostic{
			At: device.At{Pos: n.Pos}, Rule: "RL309", Severity: device.Warning, Set: into.Name,
			Message: fmt.Sprintf("apply-path of prefix-list %s finds no prefix: the list matches nothing", into.Name),
			Fix:     "correct the path or write the prefixes",
		})
	}
}

// asPath is the condition of one expression; the last one written holds.
func (s *scope) asPath(n *tree.Node) device.Expr {
	v := n.Value()
	if v == nil {
		return &device.Unknown{At: device.At{Pos: n.Pos}, Text: "as-path " + n.Word, Why: "the as-path has no expression"}
	}
	text, at := strings.Join(lineFrom(v), " "), device.At{Pos: v.Pos}
	for _, k := range n.Active() {
		k.Cover(device.Modelled, "")
	}
	positive, negated := strings.CutPrefix(strings.TrimSpace(text), "!")
	p, err := aspath.Compile(positive, aspath.JunosRegex)
	if err != nil {
		v.Cover(device.Unmodelled, err.Error())
		return &device.Unknown{At: at, Text: text, Why: err.Error()}
	}
	var x device.Expr = &device.ASPathMatch{At: at, Pattern: p}
	if negated {
		x = device.Negate(x)
	}
	return x
}

// lineFrom is the word and those that follow it, for expressions that were
// written without quotes.
func lineFrom(n *tree.Node) []string {
	out := []string{n.Word}
	for n = n.Value(); n != nil; n = n.Value() {
		out = append(out, n.Word)
	}
	return out
}

func (s *scope) asPathGroup(n *tree.Node) {
	members := n.Get("as-path").Active()
	set := s.define(n, device.ASPathSetKind, len(members))
	var xs []device.Expr
	for _, k := range members {
		k.Mark(device.Modelled, "")
		xs = append(xs, s.asPath(k))
	}
	for _, k := range n.Active() {
		if k.Word == "dynamic-db" {
			k.Mark(device.Unmodelled, "members come from outside of the configuration")
			xs = append(xs, &device.Unknown{At: device.At{Pos: k.Pos}, Text: "dynamic-db", Why: "members come from outside of the configuration"})
		}
	}
	set.X = device.AnyOfExprs(n.Pos, xs...)
	s.asGroups[n.Word] = set
}

// asnOf reads a number, also in the form "1.5".
func asnOf(text string) (uint32, bool) {
	high, low, dotted := strings.Cut(text, ".")
	if !dotted {
		v, err := strconv.ParseUint(text, 10, 32)
		return uint32(v), err == nil
	}
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	return uint32(h<<16 | l), err1 == nil && err2 == nil
}

// interfaceNets are the prefixes that the addresses of an interface make:
// the connected network and the address itself. Nil when it has none.
func (s *scope) interfaceNets(name string) *device.PrefixSet {
	if s.interfaces == nil {
		s.interfaces = map[string]*device.PrefixSet{}
		for _, ifc := range s.root.Get("interfaces").Active() {
			for _, unit := range ifc.Get("unit").Active() {
				s.interfaceUnit(ifc.Word+"."+unit.Word, unit)
			}
		}
	}
	return s.interfaces[name]
}

func (s *scope) interfaceUnit(name string, unit *tree.Node) {
	set := &device.PrefixSet{At: device.At{Pos: unit.Pos}, Name: name}
	for _, family := range unit.Get("family").Active() {
		for _, a := range family.Get("address").Active() {
			p, err := netip.ParsePrefix(a.Word)
			if err != nil {
				continue
			}
			at := device.At{Pos: a.Pos}
			set.Entries = append(set.Entries,
				device.PrefixEntry{At: at, Range: device.Exact(p)},
				device.PrefixEntry{At: at, Range: device.Exact(netip.PrefixFrom(p.Addr(), p.Addr().BitLen()))})
		}
	}
	if len(set.Entries) > 0 {
		s.interfaces[name] = set
	}
}

func cover(n *tree.Node, state device.StatementState) {
	if n != nil {
		n.Cover(state, "")
	}
}
