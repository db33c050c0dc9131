package frr

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// condition is one match line, with the kind that a second one of replaces or
// adds to.
type condition struct {
	kind string
	l    *line
	x    device.Expr
}

// conditions are the match lines of an entry: kinds join with And.
func (w *mapReader) conditions(e *mapEntry) []device.Expr {
	var cs []condition
	for _, l := range e.matches {
		kind, x := w.match(l)
		if x == nil {
			continue
		}
		c := condition{kind, l, w.hidden(x, l)}
		at := -1
		for i := range cs {
			if cs[i].kind == kind {
				at = i
			}
		}
		if at < 0 {
			cs = append(cs, c)
			continue
		}
		w.again(&cs[at], c)
	}
	w.families(cs)
	var xs []device.Expr
	for _, c := range cs {
		xs = append(xs, c.x)
	}
	return xs
}

// again joins a second condition of one kind with the first.
func (w *mapReader) again(first *condition, second condition) {
	switch w.t.repeated {
	case repeatReplaces: // FRR-19
		w.report(device.Diagnostic{
			At: device.At{Pos: second.l.pos}, Rule: "RL208", Severity: device.Warning,
			Message: fmt.Sprintf("%q replaces %q: of two conditions of a kind the last one holds", second.l.text(), first.l.text()),
			Fix:     "put both into one list",
		})
		*first = second
	case repeatAdds:
		first.x = device.AnyOfExprs(second.l.pos, first.x, second.x)
	default:
		first.x = &device.Unknown{At: device.At{Pos: second.l.pos}, Text: second.l.text(), Why: "whether a second condition of a kind replaces the first or adds to it is not confirmed"}
	}
}

// families reports an entry that asks for both families: it matches nothing
// (FRR-22).
func (w *mapReader) families(cs []condition) {
	v4, v6 := (*line)(nil), (*line)(nil)
	for _, c := range cs {
		switch {
		case strings.HasPrefix(c.kind, "ip address"):
			v4 = c.l
		case strings.HasPrefix(c.kind, "ipv6 address"):
			v6 = c.l
		}
	}
	if v4 == nil || v6 == nil {
		return
	}
	w.report(device.Diagnostic{
		At: device.At{Pos: v6.pos}, Rule: "RL209", Severity: device.Warning,
		Message: "match ip and match ipv6 in one entry: no route is of both families, so the entry never matches", Fix: "make an entry of each",
	})
}

// hidden makes a condition unknown that asks for what an earlier entry of the
// same walk may have changed, where the dialect's order is not confirmed.
func (w *mapReader) hidden(x device.Expr, l *line) device.Expr {
	asks := device.Fields(0)
	device.Walk(x, func(x device.Expr) bool {
		asks |= asked(x)
		return true
	})
	if w.late&asks == 0 {
		return x
	}
	return &device.Unknown{At: device.At{Pos: l.pos}, Text: l.text(), Why: "whether it sees what an entry with continue has set is not confirmed"}
}

func asked(x device.Expr) device.Fields {
	switch t := x.(type) {
	case *device.CommunityMatch:
		return device.FieldSet(t.Kind.Field())
	case *device.ASPathMatch:
		return device.FieldSet(device.ASPathField)
	case *device.Compare:
		if t.Field == device.ASPathLen {
			return device.FieldSet(device.ASPathField)
		}
		return device.FieldSet(t.Field)
	case *device.NextHopMatch:
		return device.FieldSet(device.NextHopField)
	}
	return 0
}

// match reads one match line. A nil condition restricts nothing.
func (w *mapReader) match(l *line) (kind string, x device.Expr) {
	if l.at(0) == "sub-route-map" {
		return "sub-route-map", &device.Unknown{At: device.At{Pos: l.pos}, Text: l.text(), Why: l.why}
	}
	args := l.rest(2)
	switch word := l.at(1); word {
	case "ip", "ipv6":
		return w.matchIP(l, word, args)
	case "as-path":
		return word, w.lists(l, args, listName{kind: device.ASPathSetKind}, false)
	case "community", "large-community", "extcommunity":
		exact := false
		if len(args) == 2 && args[1] == "any" && w.t.dialect == device.FRR {
			return word, w.unmodelled(l, "versions differ in whether they know it")
		}
		if n := len(args); n > 1 && (args[n-1] == "exact-match" || args[n-1] == "exact") {
			exact, args = true, args[:n-1]
		}
		kinds := map[string]device.SetKind{"community": device.CommunitySetKind, "large-community": device.LargeSetKind, "extcommunity": device.ExtSetKind}
		return word, w.lists(l, args, listName{kind: kinds[word]}, exact)
	case "metric", "tag":
		field := map[string]device.Field{"metric": device.MED, "tag": device.Tag}[word]
		if w.t.dropsLines && len(args) == 1 && args[0] == "0" {
			return word, w.zero(l)
		}
		return word, w.numbers(l, args, field)
	case "local-preference":
		return word, w.numbers(l, args, device.LocalPref)
	case "origin":
		if v, ok := origins[l.at(2)]; ok {
			zero := uint32(0)
			return word, &device.Compare{At: device.At{Pos: l.pos}, Field: device.Origin, Value: v, Absent: &zero}
		}
	case "peer":
		return word, w.peer(l, args)
	case "interface":
		if len(args) > 0 {
			return word, &device.NameMatch{At: device.At{Pos: l.pos}, Field: device.Interface, Names: args}
		}
	case "rpki":
		states := map[string]device.RPKI{"valid": device.RPKIValid, "invalid": device.RPKIInvalid, "notfound": device.RPKINotFound}
		if s, ok := states[l.at(2)]; ok {
			return word, &device.RPKIMatch{At: device.At{Pos: l.pos}, States: []device.RPKI{s}}
		}
	case "as-number", "vlan":
		if w.t.dialect == device.NXOS {
			l.file(device.IgnoredKnown, true, "does not restrict routes")
			return word, nil
		}
	case "source-protocol":
		if w.t.dialect != device.FRR {
			return word, w.sources(l, args)
		}
	case "route-type":
		if w.t.dialect != device.FRR {
			return word, w.routeType(l, args)
		}
	}
	return l.at(1), w.notRead(l)
}

// unmodelledMatches are conditions that the daemon or device knows and this
// front end does not.
var unmodelledMatches = set(`probability source-vrf evpn rpki-extcommunity as-path-length community-limit vni mac alias
	src-peer metric-type isis-level ospf-area length policy-list clns mpls-label additional-paths rpki aggregate-role
	local-role router-id weight service-function interface origin tag metric local-preference peer ospf-instance multicast
	as invert-result`)

// notRead is a condition that cannot be read. FRR skips the line, so that the
// entry becomes wider (FRR-58); elsewhere it is unknown.
func (w *mapReader) notRead(l *line) device.Expr {
	if unmodelledMatches[l.at(1)] {
		return w.unmodelled(l, "not modelled")
	}
	if !w.t.dropsLines {
		if known := l.at(1) == "route-type" || l.at(1) == "ip" || l.at(1) == "ipv6"; known {
			return w.unmodelled(l, "not modelled")
		}
		l.file(device.Unread, true, "not known to this front end")
		return &device.Unknown{At: device.At{Pos: l.pos}, Text: l.text(), Why: l.why}
	}
	l.file(device.Modelled, true, "FRR's bgpd does not know the line and skips it")
	w.report(device.Diagnostic{
		At: device.At{Pos: l.pos}, Rule: "RL207",
		Message: fmt.Sprintf("bgpd cannot parse %q and skips it: the entry matches without this condition", l.text()), Fix: "use a condition that bgpd has",
	})
	return nil
}

func (w *mapReader) unmodelled(l *line, why string) device.Expr {
	l.file(device.Unmodelled, true, why)
	return &device.Unknown{At: device.At{Pos: l.pos}, Text: l.text(), Why: why}
}

func (w *mapReader) matchIP(l *line, word string, args []string) (string, device.Expr) {
	family := device.IPv4
	if word == "ipv6" {
		family = device.IPv6
	}
	if len(args) < 2 {
		return word, w.notRead(l)
	}
	kind, form := word+" "+args[0], args[1]
	switch args[0] {
	case "address":
		switch form {
		case "prefix-list":
			return w.kindOf(kind, form), w.lists(l, args[2:], listName{kind: device.PrefixSetKind, family: family}, false)
		case "prefix-len":
			if w.t.dropsLines {
				return w.kindOf(kind, form), w.notRead(l) // zebra alone knows it
			}
			return w.kindOf(kind, form), w.prefixLen(l, args[2:], family)
		}
		if w.t.dialect == device.NXOS {
			return kind, w.unmodelled(l, "what an access list in a route map does to BGP routes is not confirmed on NX-OS")
		}
		return kind, w.lists(l, args[1:], listName{kind: device.AccessListKind, family: family}, false)
	case "next-hop":
		switch form {
		case "prefix-list":
			return w.kindOf(kind, form), w.nextHop(l, args[2:], listName{kind: device.PrefixSetKind, family: family})
		case "address":
			if a, err := netip.ParseAddr(l.at(4)); err == nil {
				return w.kindOf(kind, form), &device.NextHopMatch{At: device.At{Pos: l.pos}, In: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}
			}
		case "prefix-len", "type":
			return w.kindOf(kind, form), w.unmodelled(l, "not modelled")
		}
		if a, err := netip.ParseAddr(form); err == nil {
			return w.kindOf(kind, "address"), &device.NextHopMatch{At: device.At{Pos: l.pos}, In: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}}
		}
		return kind, w.nextHop(l, args[1:], listName{kind: device.AccessListKind, family: family})
	case "route-source":
		n := listName{kind: device.AccessListKind, family: family}
		names := args[1:]
		if form == "prefix-list" {
			n.kind, names = device.PrefixSetKind, args[2:]
		}
		if w.t.dialect != device.FRR || len(names) != 1 {
			return w.kindOf(kind, form), w.unmodelled(l, "not modelled")
		}
		n.name = names[0]
		return w.kindOf(kind, form), w.routeSource(l, n)
	case "multicast", "flowspec", "resolved-next-hop":
		return w.kindOf(kind, form), w.unmodelled(l, "not modelled")
	}
	return kind, w.notRead(l)
}

// routeSource asks a list about the address of the neighbor that sends the route;
// routes of our own have none.
func (w *mapReader) routeSource(l *line, n listName) device.Expr {
	at := device.At{Pos: l.pos}
	ref := w.list(l, n, false).(*device.Ref)
	if ref.Set == nil {
		return ref
	}
	if ref.Set.Prefixes == nil {
		return w.unmodelled(l, "not modelled")
	}
	// Towards a neighbor FRR 8.4 asks about nobody's address, and nothing matches.
	importing := &device.SameNeighbor{At: at}
	if ref.Set.Len == 0 {
		return &device.And{At: at, Xs: []device.Expr{importing, w.asked(ref)}}
	}
	x := &device.Cases{At: at}
	for i := range ref.Set.Prefixes.Entries {
		e := &ref.Set.Prefixes.Entries[i]
		width := e.Range.Net.Addr().BitLen()
		if e.Range.Mask.IsValid() {
			return w.unmodelled(l, "a wildcard mask is not modelled here")
		}
		if e.Range.Min <= width && e.Range.Max >= width {
			x.Arms = append(x.Arms, device.Arm{At: e.At, X: &device.NeighborMatch{At: e.At, Side: device.Sender, Addrs: []netip.Prefix{e.Range.Net}}, Value: !e.Deny})
		}
	}
	ref.X = x
	return &device.And{At: at, Xs: []device.Expr{importing, ref}}
}

// kindOf: in FRR the forms of a condition are kinds of their own.
func (w *mapReader) kindOf(kind, form string) string {
	if w.t.dialect == device.FRR {
		return kind + " " + form
	}
	return kind
}

// lists joins the lists of one line with Or; FRR takes one.
func (w *mapReader) lists(l *line, names []string, n listName, exact bool) device.Expr {
	if len(names) == 0 || w.t.dialect == device.FRR && len(names) > 1 {
		return w.notRead(l)
	}
	var xs []device.Expr
	for _, name := range names {
		n.name = name
		xs = append(xs, w.list(l, n, exact))
	}
	return device.AnyOfExprs(l.pos, xs...)
}

func (w *mapReader) list(l *line, n listName, exact bool) device.Expr {
	ref := w.use(n, l.pos, exact)
	if ref.Set == nil {
		rule, effect := "RL302", "the entry"
		if w.current.deny {
			rule, effect = "RL303", "the guard"
		}
		w.report(device.Diagnostic{At: device.At{Pos: l.pos}, Rule: rule, Set: n.name, Message: undefinedMessage(n, effect, ref.X), Fix: "define the list or correct the name"})
	}
	return ref
}

func undefinedMessage(n listName, effect string, x device.Expr) string {
	what := fmt.Sprintf("%s %q is not defined: ", n.kind, n.name)
	switch c, known := x.(*device.Const); {
	case known && c.Value:
		return what + effect + " matches every route"
	case known:
		return what + effect + " matches nothing"
	}
	return what + "what the device makes of it is not confirmed"
}

var origins = map[string]uint32{"igp": 0, "egp": 1, "incomplete": 2}

func (w *mapReader) numbers(l *line, args []string, f device.Field) device.Expr {
	zero := uint32(0)
	var xs []device.Expr
	for _, a := range args {
		v, ok := number(a, 32)
		if !ok {
			return w.notRead(l)
		}
		xs = append(xs, &device.Compare{At: device.At{Pos: l.pos}, Field: f, Value: v, Absent: &zero})
	}
	if len(xs) == 0 || len(xs) > 1 && w.t.dialect == device.FRR {
		return w.notRead(l)
	}
	return device.AnyOfExprs(l.pos, xs...)
}

// zero: FRR 8.4 takes "match metric 0" and "match tag 0" for no condition at
// all, observed on the daemon; other versions are not known.
func (w *mapReader) zero(l *line) device.Expr {
	if v := w.cfg.Version; v != "" && !strings.HasPrefix(v, "8.4") {
		return w.unmodelled(l, "FRR 8.4 drops a condition for 0; what this version does is not known")
	}
	w.report(device.Diagnostic{
		At: device.At{Pos: l.pos}, Rule: "RL207",
		Message: fmt.Sprintf("FRR 8.4 drops %q: the entry matches without this condition", l.text()), Fix: "use another condition",
	})
	return nil
}

// peer asks for the neighbor a route came from. On export bgpd asks the shared
// peer of an update group, which has no address: nothing matches, not even the
// neighbor the route would go to (FRR-42). SameNeighbor says which direction it
// is, because a route never goes back to where it came from.
func (w *mapReader) peer(l *line, args []string) device.Expr {
	if len(args) != 1 || w.t.dialect != device.FRR {
		return w.notRead(l)
	}
	at := device.At{Pos: l.pos}
	if args[0] == "local" {
		return &device.Const{At: at, Why: "no session is with the router itself"}
	}
	m := &device.NeighborMatch{At: at, Side: device.Receiver}
	if a, err := netip.ParseAddr(args[0]); err == nil {
		m.Addrs = []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
	} else {
		m.Names = args
	}
	return &device.And{At: at, Xs: []device.Expr{&device.SameNeighbor{At: at}, m}}
}

func (w *mapReader) prefixLen(l *line, args []string, f device.Family) device.Expr {
	all, n, ok := netip.PrefixFrom(netip.IPv4Unspecified(), 0), uint32(0), len(args) == 1
	if f == device.IPv6 {
		all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	if ok {
		n, ok = number(args[0], 8)
	}
	if !ok || int(n) > all.Addr().BitLen() {
		return w.notRead(l)
	}
	at := device.At{Pos: l.pos}
	return &device.PrefixMatch{At: at, Set: &device.PrefixSet{At: at, Entries: []device.PrefixEntry{{At: at, Range: device.PrefixRange{Net: all, Min: int(n), Max: int(n)}}}}}
}

// nextHop asks a list for the address of the next hop.
func (w *mapReader) nextHop(l *line, names []string, n listName) device.Expr {
	if len(names) != 1 {
		return w.unmodelled(l, "several lists for a next hop")
	}
	n.name = names[0]
	ref, ok := w.list(l, n, false).(*device.Ref)
	ls := w.reader.lists[n]
	if !ok || ls == nil {
		return ref
	}
	if len(ls.entries) == 0 {
		return w.asked(ref)
	}
	c := &device.Cases{At: ls.set.At}
	for _, e := range ls.entries {
		var rs []device.PrefixRange
		if n.kind == device.PrefixSetKind {
			if r, err := prefixRange(e.words, n.family); err == nil {
				rs = append(rs, r)
			}
		} else {
			rs, _ = aclRanges(e.words, n.family)
		}
		if len(rs) != 1 || rs[0].Mask.IsValid() && !rs[0].Net.IsSingleIP() {
			return w.unmodelled(l, "a list of this form for a next hop")
		}
		m := &device.NextHopMatch{At: e.at}
		if r := rs[0]; r.Mask.IsValid() {
			return w.unmodelled(l, "a wildcard for a next hop")
		} else if r.Max == r.Net.Addr().BitLen() {
			m.In = []netip.Prefix{r.Net}
		}
		c.Arms = append(c.Arms, device.Arm{At: e.at, X: m, Value: !e.deny})
	}
	ref.X = c
	return ref
}

var protocols = map[string][]device.Protocol{
	"connected": {device.Direct}, "direct": {device.Direct}, "static": {device.Static}, "bgp": device.BGP,
	"ospf": {device.OSPF}, "isis": {device.ISIS}, "rip": {device.RIP},
}

func (w *mapReader) sources(l *line, args []string) device.Expr {
	m := &device.ProtocolMatch{At: device.At{Pos: l.pos}}
	for _, a := range args {
		ps, ok := protocols[a]
		if !ok {
			return w.unmodelled(l, "not modelled")
		}
		m.Protocols = append(m.Protocols, ps...)
	}
	if len(m.Protocols) == 0 {
		return w.notRead(l)
	}
	return m
}

// routeType: only "local" has a meaning for BGP that is documented.
func (w *mapReader) routeType(l *line, args []string) device.Expr {
	if len(args) != 1 || args[0] != "local" {
		return w.unmodelled(l, "what the route types of other protocols match in BGP is not confirmed")
	}
	return &device.Not{At: device.At{Pos: l.pos}, X: &device.ProtocolMatch{At: device.At{Pos: l.pos}, Protocols: device.BGP}}
}
