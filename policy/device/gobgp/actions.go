package gobgp

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// actions reads the changes in the order the daemon makes them.
func (s *statement) actions() []device.Action {
	n := s.n.child("actions", "bgp-actions")
	if n == nil {
		return nil
	}
	var out []device.Action
	for _, k := range communityKinds {
		if a := s.setCommunities(n, k); a != nil {
			out = append(out, a)
		}
	}
	for _, read := range []func(*node) device.Action{s.setMED, s.setLocalPref, s.prepend, s.setNextHop, s.setOrigin} {
		if a := read(n); a != nil {
			out = append(out, a)
		}
	}
	return out
}

// setCommunities: without a list nothing happens, also with replace; an option
// that is not remove or replace counts as add.
func (s *statement) setCommunities(n *node, k communityKind) device.Action {
	m := n.child("set-" + k.key)
	items := m.items("set-"+k.key+"-method", "communities-list")
	if len(items) == 0 {
		return nil
	}
	a := &device.SetCommunities{At: device.At{Pos: m.pos}, Kind: k.kind, Op: device.AddCommunities}
	switch option := m.str("options"); option {
	case "remove":
		a.Op = device.DeleteCommunities
	case "replace":
		a.Op = device.ReplaceCommunities
	case "add":
	default:
		s.report(device.Diagnostic{
			At: device.At{Pos: m.at("options")}, Rule: "RL207", Severity: device.Warning,
			Message: fmt.Sprintf("set-%s option %q is taken as add", k.key, option), Fix: "write add, remove or replace",
		})
	}
	for _, e := range items {
		s.member(a, k, e)
	}
	return a
}

var looseStandard = regexp.MustCompile(`(\d+):(\d+)`)

func (s *statement) member(a *device.SetCommunities, k communityKind, e *node) {
	fail := func(err error) {
		s.loadError(device.Diagnostic{At: device.At{Pos: e.pos}, Message: fmt.Sprintf("set-%s: %v", k.key, err), Fix: "correct the value"})
	}
	if a.Op == device.DeleteCommunities {
		p, err := communityPattern(k.kind, e.text, e.pos)
		if err != nil {
			fail(err)
			return
		}
		a.Patterns = append(a.Patterns, p)
		return
	}
	text := e.text
	if k.kind == device.Standard {
		if m := looseStandard.FindString(text); m != "" {
			text = m // the daemon takes the first pair it finds
		}
	}
	c, err := device.ParseCommunity(k.kind, text)
	if err != nil {
		fail(err)
		return
	}
	a.Values = append(a.Values, c)
}

var medText = regexp.MustCompile(`([+-]?)(\d+)`)

func (s *statement) setMED(n *node) device.Action {
	text := strings.TrimSpace(n.str("set-med"))
	m := medText.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	v, err := strconv.ParseUint(m[2], 10, 32)
	at := device.At{Pos: n.at("set-med")}
	if err != nil {
		return &device.UnknownAction{At: at, Text: "set-med " + text, Changes: device.FieldSet(device.MED)}
	}
	op := map[string]device.ScalarOp{"": device.Assign, "+": device.Add, "-": device.Subtract}[m[1]]
	return &device.SetScalar{At: at, Field: device.MED, Op: op, Value: uint32(v)}
}

func (s *statement) setLocalPref(n *node) device.Action {
	v := s.b.number(n, "set-local-pref")
	if v == 0 {
		return nil // 0 cannot be told from absent
	}
	return &device.SetScalar{At: device.At{Pos: n.at("set-local-pref")}, Field: device.LocalPref, Op: device.Assign, Value: v}
}

func (s *statement) prepend(n *node) device.Action {
	m := n.child("set-as-path-prepend")
	as, repeat := m.str("as"), 0
	if r := m.str("repeat-n"); r != "" {
		repeat = int(s.b.number(m, "repeat-n"))
	}
	if m == nil || as == "" || repeat == 0 {
		return nil
	}
	a := &device.PrependAS{At: device.At{Pos: m.pos}, Repeat: repeat}
	if as == "last-as" {
		a.Last = true
		return a
	}
	v, err := strconv.ParseUint(as, 10, 32)
	if err != nil {
		v = 0 // the daemon prepends AS 0
	}
	a.ASNs = []uint32{uint32(v)}
	return a
}

func (s *statement) setNextHop(n *node) device.Action {
	text := n.str("set-next-hop")
	at := device.At{Pos: n.at("set-next-hop")}
	switch strings.ToLower(text) {
	case "":
		return nil
	case "self":
		return &device.SetNextHop{At: at, Op: device.NextHopSelf}
	case "peer-address":
		return &device.SetNextHop{At: at, Op: device.NextHopPeer}
	case "unchanged":
		return &device.SetNextHop{At: at, Op: device.NextHopUnchanged}
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		s.loadError(device.Diagnostic{At: at, Message: fmt.Sprintf("set-next-hop %q is not an address", text), Fix: "write an address, self, peer-address or unchanged"})
		return nil
	}
	return &device.SetNextHop{At: at, Addr: addr}
}

func (s *statement) setOrigin(n *node) device.Action {
	origins := map[string]uint32{"igp": 0, "egp": 1, "incomplete": 2}
	v, ok := origins[n.str("set-route-origin")]
	if !ok {
		return nil
	}
	return &device.SetScalar{At: device.At{Pos: n.at("set-route-origin")}, Field: device.Origin, Op: device.Assign, Value: v}
}
