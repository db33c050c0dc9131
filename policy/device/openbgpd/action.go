package openbgpd

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// settingKind orders what one rule sets: bgpd does not keep the order written.
type settingKind uint8

const (
	setLocalPref settingKind = iota
	setMED
	setWeight
	setPrependSelf
	setPrependPeer
	setASOverride
	setNextHop
	setNextHopSelf
	setNextHopKeep
	deleteCommunity
	setCommunity
	setNothing // pftable, rtlabel, blackhole: nothing that is advertised
	setOrigin
)

// setting is one attribute a rule sets.
type setting struct {
	pos   device.Pos
	kind  settingKind
	value uint32
	op    device.ScalarOp
	addr  netip.Addr
	what  device.CommunityKind
	text  string // community as written
	sub   string // kind of extended community
}

// settings reads what stands behind "set": one, or a list in braces.
func (p *parser) settings() ([]setting, bool) {
	var out []setting
	one := func() bool {
		s, ok := p.setting()
		out = append(out, s)
		return ok
	}
	var ok bool
	if p.tok.is("{") {
		ok = p.list(one)
	} else {
		ok = one()
	}
	slices.SortStableFunc(out, func(a, b setting) int { return cmp.Compare(a.kind, b.kind) })
	return out, ok
}

func (p *parser) setting() (setting, bool) {
	t := p.take()
	s := setting{pos: t.pos}
	switch t.text {
	case "localpref":
		s.kind = setLocalPref
		return s, p.amount(&s)
	case "med", "metric":
		s.kind = setMED
		return s, p.amount(&s)
	case "weight":
		s.kind = setWeight
		return s, p.amount(&s)
	case "prepend-self", "prepend-neighbor":
		s.kind = map[string]settingKind{"prepend-self": setPrependSelf, "prepend-neighbor": setPrependPeer}[t.text]
		n, ok := number(p.take())
		s.value = uint32(max(n, 0))
		return s, ok && n >= 0 && n <= 128
	case "as-override":
		s.kind = setASOverride
		return s, true
	case "nexthop":
		return s, p.nextHop(&s)
	case "community", "large-community", "ext-community":
		return s, p.community(&s, t.text)
	case "pftable", "rtlabel":
		s.kind = setNothing
		p.read()
		return s, true
	case "origin":
		code, ok := map[string]uint32{"igp": 0, "egp": 1, "incomplete": 2}[p.take().text]
		s.kind, s.value = setOrigin, code
		return s, ok
	}
	return s, false
}

// amount reads a number, or one to add or subtract.
func (p *parser) amount(s *setting) bool {
	switch {
	case p.accept("+"):
		s.op = device.Add
	case p.accept("-"):
		s.op = device.Subtract
	}
	n, ok := number(p.take())
	if n < 0 && s.op == device.Assign {
		s.op, n = device.Subtract, -n
	}
	if !ok || n < 0 || n > math.MaxUint32 {
		return false
	}
	s.value = uint32(n)
	return true
}

func (p *parser) nextHop(s *setting) bool {
	t := p.take()
	switch t.text {
	case "self":
		s.kind = setNextHopSelf
	case "no-modify":
		s.kind = setNextHopKeep
	case "blackhole", "reject":
		s.kind = setNothing
	default:
		a, ok := address(t)
		s.kind, s.addr = setNextHop, a
		return ok
	}
	return true
}

func (p *parser) community(s *setting, word string) bool {
	s.kind = setCommunity
	if p.accept("delete") {
		s.kind = deleteCommunity
	}
	s.what = kinds[word]
	if s.what == device.Extended {
		s.sub = p.take().text
	}
	s.text = p.take().text
	pattern, _, why := communityPattern(s.what, s.sub, s.text, numbers{local: 1, peer: 1}, s.pos)
	return why == "" && (s.kind == deleteCommunity || pattern.Literal != "" || s.what == device.Extended)
}

var kinds = map[string]device.CommunityKind{"community": device.Standard, "ext-community": device.Extended, "large-community": device.Large}

// lasting reports whether setting it twice differs from setting it once.
func (s *setting) lasting() bool {
	return s.kind == setPrependSelf || s.kind == setPrependPeer || s.op != device.Assign
}

// action turns a setting into the model's for one session.
func (v *view) action(s *setting) device.Action {
	at := device.At{Pos: s.pos}
	switch s.kind {
	case setLocalPref:
		return &device.SetScalar{At: at, Field: device.LocalPref, Op: s.op, Value: s.value}
	case setMED:
		return &device.SetScalar{At: at, Field: device.MED, Op: s.op, Value: s.value}
	case setWeight:
		return &device.SetScalar{At: at, Field: device.Weight, Op: s.op, Value: s.value}
	case setOrigin:
		return &device.SetScalar{At: at, Field: device.Origin, Value: s.value}
	case setPrependSelf:
		if s.value == 0 {
			return &device.Ignored{At: at, Text: "prepend-self 0"}
		}
		return &device.PrependAS{At: at, Own: true, Repeat: int(s.value)}
	case setPrependPeer:
		return v.prependPeer(s)
	case setASOverride:
		return &device.UnknownAction{At: at, Text: "as-override", Changes: device.FieldSet(device.ASPathField)}
	case setNextHop:
		return &device.SetNextHop{At: at, Addr: s.addr}
	case setNextHopSelf:
		return &device.SetNextHop{At: at, Op: device.NextHopSelf}
	case setNextHopKeep:
		return &device.SetNextHop{At: at, Op: device.NextHopUnchanged}
	case setCommunity, deleteCommunity:
		return v.communityAction(s)
	}
	return &device.Ignored{At: at, Text: "no effect on what is advertised"}
}

// prependPeer: the ASN is that of the neighbor the route came from, which is
// known when it is received.
func (v *view) prependPeer(s *setting) device.Action {
	at := device.At{Pos: s.pos}
	switch {
	case s.value == 0:
		return &device.Ignored{At: at, Text: "prepend-neighbor 0"}
	case v.out || v.s.PeerAS == 0:
		return &device.UnknownAction{At: at, Text: "prepend-neighbor", Changes: device.FieldSet(device.ASPathField)}
	}
	return &device.PrependAS{At: at, ASNs: []uint32{v.s.PeerAS}, Repeat: int(s.value)}
}

func (v *view) communityAction(s *setting) device.Action {
	at := device.At{Pos: s.pos}
	pattern, fits, why := communityPattern(s.what, s.sub, s.text, v.numbers(), s.pos)
	switch {
	case why != "":
		return &device.UnknownAction{At: at, Text: "community " + s.text, Changes: device.FieldSet(s.what.Field())}
	case !fits:
		return &device.Ignored{At: at, Text: "community " + s.text + " does not fit: nothing is changed"}
	case s.kind == deleteCommunity:
		return &device.SetCommunities{At: at, Kind: s.what, Op: device.DeleteCommunities, Patterns: []device.CommunityPattern{pattern}}
	case pattern.Literal == "":
		return &device.UnknownAction{At: at, Text: "community " + s.text, Changes: device.FieldSet(s.what.Field())}
	}
	return &device.SetCommunities{At: at, Kind: s.what, Op: device.AddCommunities, Values: []device.Community{{Kind: s.what, Text: pattern.Literal}}}
}

// numbers are what local-as and neighbor-as stand for.
type numbers struct{ local, peer uint32 }

// communityPattern reads a community with wildcards, local-as and neighbor-as.
// fits is false when an ASN is too large for its place: the pattern matches
// nothing then. why says what is not modelled.
func communityPattern(kind device.CommunityKind, sub, text string, n numbers, pos device.Pos) (pattern device.CommunityPattern, fits bool, why string) {
	if kind == device.Standard {
		if c, err := device.ParseCommunity(kind, text); err == nil && !strings.Contains(text, ":") {
			return device.LiteralPattern(c, text, pos), true, ""
		}
	}
	prefix, want, limit := "", 2, uint64(math.MaxUint16)
	switch kind {
	case device.Large:
		want, limit = 3, math.MaxUint32
	case device.Extended:
		if sub != "rt" && sub != "soo" || text == "*" || strings.Contains(text, ".") {
			return pattern, false, "this kind of extended community is not modelled"
		}
		prefix, limit = sub+":", math.MaxUint32
	}
	parts := strings.Split(text, ":")
	if len(parts) != want {
		return pattern, false, fmt.Sprintf("want %d parts", want)
	}
	wild := false
	for i, part := range parts {
		value := uint64(0)
		switch part {
		case "*":
			parts[i], wild = "[0-9]+", true
			continue
		case "local-as":
			value = uint64(n.local)
		case "neighbor-as":
			if value = uint64(n.peer); value == 0 {
				return pattern, false, "the neighbor's ASN is not known"
			}
		default:
			v, ok := number(token{kind: word, text: part})
			if !ok || v < 0 || uint64(v) > limit {
				return pattern, false, fmt.Sprintf("%q is no number that fits", part)
			}
			value = uint64(v)
		}
		if value > limit {
			return pattern, false, ""
		}
		parts[i] = fmt.Sprint(value)
	}
	joined := prefix + strings.Join(parts, ":")
	if !wild {
		return device.LiteralPattern(device.Community{Kind: kind, Text: joined}, text, pos), true, ""
	}
	pattern, err := device.RegexPattern(kind, "^"+joined+"$", text, false, pos)
	if err != nil {
		return pattern, false, err.Error()
	}
	return pattern, true, ""
}
