package junos

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// levels are the places a setting may stand, nearest first. The nearest one
// holds, nothing is merged (JUNOS-EXP-N7 of the oracle).
type levels []*tree.Node

// at returns the node of the nearest level that has it with something active
// below, nil when none has.
func (l levels) at(words ...string) *tree.Node {
	for _, n := range l {
		if k := n.Get(words...); k != nil && len(k.Active()) > 0 {
			return k
		}
	}
	return nil
}

// says reports whether one of the levels has the word.
func (l levels) says(words ...string) bool {
	return slices.ContainsFunc(l, func(n *tree.Node) bool { return n.Get(words...) != nil })
}

func (l levels) value(words ...string) *tree.Node { return l.at(words...).Value() }

// instance reads the BGP of the router itself or of a routing instance.
type instance struct {
	*scope
	name  string
	table string // in front of the names of its tables
	bgp   *tree.Node
	asn   uint32
	loops bool // the own ASN is let through
	confs map[uint32]bool
}

func (s *scope) instance(root *tree.Node, name string) {
	i := &instance{scope: s, name: s.qualified(name), bgp: root.Get("protocols", "bgp"), confs: map[uint32]bool{}}
	if name == "" {
		i.name = s.name
	} else {
		i.table = name + "."
	}
	i.numbers(s.root.Get("routing-options"))
	if name != "" {
		i.numbers(root.Get("routing-options"))
	} else if s.name == "" {
		s.b.cfg.ASN = i.asn
	}
	s.originated(root.Get("routing-options"))
	if i.bgp == nil {
		return
	}
	i.markLevel(i.bgp)
	for _, g := range i.bgp.Get("group").Active() {
		i.markLevel(g)
		i.group(g)
	}
}

// numbers reads autonomous-system and confederation.
func (i *instance) numbers(ro *tree.Node) {
	if as := ro.Get("autonomous-system"); as != nil {
		as.Cover(device.Modelled, "")
		for _, k := range as.Active() {
			if n, ok := asnOf(k.Word); ok {
				i.asn, i.loops = n, i.loops || k.Get("loops") != nil
			}
		}
	}
	if c := ro.Get("confederation"); c != nil {
		c.Cover(device.Partly, "")
		for _, k := range c.Get("members").Active() {
			if n, ok := asnOf(k.Word); ok {
				i.confs[n] = true
			}
		}
	}
}

// originated collects the aggregates: space that is ours.
func (s *scope) originated(ro *tree.Node) {
	from := []*tree.Node{ro}
	from = append(from, ro.Get("rib").Active()...)
	for _, n := range from {
		for _, kind := range []string{"aggregate", "generate"} {
			for _, k := range n.Get(kind, "route").Active() {
				if p, ok := prefixOf(k.Word); ok {
					s.b.cfg.Originated = append(s.b.cfg.Originated, device.OriginatedPrefix{At: device.At{Pos: k.Pos}, Prefix: p, Source: device.Aggregate})
				}
			}
		}
	}
}

// markLevel files the statements of protocols bgp, a group or a neighbor.
func (i *instance) markLevel(n *tree.Node) {
	mark(n, device.Modelled)
	for _, k := range n.Active() {
		switch {
		case k.Word == "group" || k.Word == "neighbor":
			k.Mark(device.Modelled, "")
		case bgpModelled[k.Word] || metaWords[k.Word]:
			k.Cover(device.Modelled, "")
		case bgpPartly[k.Word]:
			k.Cover(device.Partly, "")
		case bgpIgnored[k.Word]:
			k.Cover(device.IgnoredKnown, "")
		case bgpUnmodelled[k.Word]:
			k.Cover(device.Unmodelled, "")
		}
	}
}

func (i *instance) group(g *tree.Node) {
	for _, n := range g.Get("neighbor").Kids() {
		i.markLevel(n)
		s := i.session(g, n)
		s.Name = n.Word
		if a, err := netip.ParseAddr(n.Word); err == nil {
			s.Neighbor = a.WithZone("")
		}
		i.finish(s, levels{n, g, i.bgp})
	}
	for _, n := range g.Get("allow").Active() {
		p, ok := prefixOf(n.Word)
		if n.Word == "all" {
			p, ok = netip.PrefixFrom(netip.IPv4Unspecified(), 0), true
		}
		if !ok {
			n.Mark(device.Unread, "not a prefix")
			continue
		}
		s := i.session(g, n)
		s.Name, s.Range = g.Word+" "+n.Word, p
		i.finish(s, levels{g, i.bgp})
	}
	for _, n := range g.Get("dynamic-neighbor").Active() {
		s := i.session(g, n)
		s.Name = g.Word + " " + n.Word
		i.finish(s, levels{n, g, i.bgp})
	}
}

func (i *instance) session(g, n *tree.Node) *device.Session {
	s := &device.Session{At: device.At{Pos: n.Pos}, End: n.End, Group: g.Word, Instance: i.name, Inactive: n.Off()}
	i.b.cfg.Sessions = append(i.b.cfg.Sessions, s)
	return s
}

func (i *instance) finish(s *device.Session, l levels) {
	s.Description = l.value("description").Text()
	s.LocalAS = i.asn
	if v := l.value("local-as"); v != nil {
		for _, k := range l.at("local-as").Active() {
			if n, ok := asnOf(k.Word); ok {
				s.LocalAS = n
			}
		}
	}
	s.PeerAS, _ = asnOf(l.value("peer-as").Text())
	i.kind(s, l)
	s.Inactive = s.Inactive || l.says("shutdown") || l.says("disable")
	s.Facts.ReflectorClient = s.Kind == device.InternalSession && l.value("cluster") != nil && !l.says("no-client-reflect")
	s.Facts.RSClient = l.says("route-server-client")
	s.Facts.RemovePrivateAS = l.says("remove-private")
	s.Facts.SendCommunity, s.Facts.SendExtended, s.Facts.SendLarge = device.Sent, device.Sent, device.Sent
	s.Facts.DefaultDeny = device.False
	i.droppedAttributes(s, l)
	i.families(s, l)
	i.pipelines(s, l)
}

// otcAttribute is the type code of Only to Customer (RFC 9234 section 5).
const otcAttribute = 35

// droppedAttributes: RL606, drop-path-attributes takes OTC off every route.
func (i *instance) droppedAttributes(s *device.Session, l levels) {
	for _, k := range l.at("drop-path-attributes").Active() {
		low, high, isRange := strings.Cut(k.Word, "-")
		if !isRange {
			high = low
		}
		a, errA := strconv.Atoi(low)
		b, errB := strconv.Atoi(high)
		if errA == nil && errB == nil && a <= otcAttribute && otcAttribute <= b {
			i.once(device.Diagnostic{
				At: device.At{Pos: k.Pos}, Rule: "RL606", Session: s.Name,
				Message: fmt.Sprintf("drop-path-attributes %s takes OTC off the routes of %s: routers behind it cannot see that they must not go up again", k.Word, s.Name),
				Fix:     "leave attribute 35 out (RFC 9234 section 5)",
			})
		}
	}
}

// kind: without a type the ASN decides.
func (i *instance) kind(s *device.Session, l levels) {
	switch t := l.value("type").Text(); {
	case t == "internal":
		s.Kind = device.InternalSession
		if s.PeerAS == 0 {
			s.PeerAS = s.LocalAS
		}
	case i.confs[s.PeerAS] && s.PeerAS != i.asn:
		s.Kind = device.Confederation
	case t == "external":
		s.Kind = device.External
	case s.PeerAS == 0:
		s.Kind = device.UnknownKind
	case s.PeerAS == s.LocalAS:
		s.Kind = device.InternalSession
	default:
		s.Kind = device.External
	}
}

// unicast are the address families below "family inet" and "family inet6" that
// carry unicast routes.
var unicast = set(`unicast any labeled-unicast`)

// families: without a family statement a session carries unicast routes of the
// family its address has.
func (i *instance) families(s *device.Session, l levels) {
	f := l.at("family")
	if f == nil {
		switch {
		case s.Neighbor.IsValid() && s.Neighbor.Is6() && !s.Neighbor.Is4In6(), s.Range.IsValid() && s.Range.Addr().Is6():
			s.Families = []device.Family{device.IPv6}
		case s.Neighbor.IsValid(), s.Range.IsValid() && s.Range.Bits() > 0:
			s.Families = []device.Family{device.IPv4}
		}
		return
	}
	for _, k := range f.Active() {
		family := map[string]device.Family{"inet": device.IPv4, "inet6": device.IPv6}[k.Word]
		kinds := k.Active()
		carries := len(kinds) == 0
		for _, kind := range kinds {
			carries = carries || unicast[kind.Word]
			if v, err := strconv.ParseUint(kind.Value("prefix-limit", "maximum").Text(), 10, 32); err == nil {
				s.Facts.MaxPrefix = max(s.Facts.MaxPrefix, uint32(v))
			}
			if v, err := strconv.ParseUint(kind.Value("accepted-prefix-limit", "maximum").Text(), 10, 32); err == nil {
				s.Facts.MaxPrefix = max(s.Facts.MaxPrefix, uint32(v))
			}
		}
		if family == device.AnyFamily || !carries {
			family = device.OtherFamily
		}
		if !slices.Contains(s.Families, family) {
			s.Families = append(s.Families, family)
		}
	}
	slices.Sort(s.Families)
}
