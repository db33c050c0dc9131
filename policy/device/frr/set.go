package frr

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// actions are the set lines of an entry in order; a second one of a kind
// replaces the first and goes to the end.
func (w *mapReader) actions(e *mapEntry) []device.Action {
	var out []device.Action
	var kinds []string
	for _, l := range e.sets {
		kind := setKind(l)
		a := w.set(l)
		if i := slices.Index(kinds, kind); i >= 0 && kind != "" {
			kinds, out = slices.Delete(kinds, i, i+1), slices.Delete(out, i, i+1)
		}
		kinds, out = append(kinds, kind), append(out, a)
	}
	return out
}

// setKind is what a set line changes, as far as a second line of the kind
// replaces it.
func setKind(l *line) string {
	switch word := l.at(1); word {
	case "as-path", "ip", "ipv6", "extcommunity", "evpn":
		return word + " " + l.at(2)
	case "comm-list", "large-comm-list", "extended-comm-list":
		return word
	case "community":
		if l.at(2) == "community-list" {
			return "" // EOS: one for each operation
		}
		return word
	default:
		return word
	}
}

// ignoredSets change nothing that is advertised as far as the model goes.
var ignoredSets = set(`metric-type distance src table originator-id aggregator atomic-aggregate label-index ip-interface
	forwarding-address level automatic-tag dampening traffic-index interface global vrf path-selection traffic-class dscp
	sr-te tos precedence cos qos-group df default bfd l3vpn aigp-metric forwarding-addr`)

func (w *mapReader) set(l *line) device.Action {
	at := device.At{Pos: l.pos}
	args := l.rest(2)
	switch word := l.at(1); word {
	case "community":
		return w.setCommunity(l, device.Standard, args)
	case "large-community":
		return w.setCommunity(l, device.Large, args)
	case "comm-list":
		return w.deleteList(l, device.CommunitySetKind, args)
	case "large-comm-list":
		return w.deleteList(l, device.LargeSetKind, args)
	case "extcommunity", "extended-comm-list", "extcomm-list":
		return w.unknownSet(l, device.FieldSet(device.ExtCommunityField))
	case "local-preference":
		return w.scalar(l, device.LocalPref, args)
	case "metric":
		return w.scalar(l, device.MED, args)
	case "tag":
		return w.scalar(l, device.Tag, args)
	case "weight":
		return w.scalar(l, device.Weight, args)
	case "origin":
		if v, ok := origins[l.at(2)]; ok {
			return &device.SetScalar{At: at, Field: device.Origin, Value: v}
		}
	case "as-path":
		return w.setPath(l, args)
	case "ip", "ipv6":
		return w.setNextHop(l, args)
	}
	if ignoredSets[l.at(1)] {
		l.file(device.IgnoredKnown, true, "")
		return &device.Ignored{At: at, Text: l.text()}
	}
	l.file(device.Unread, true, "not known to this front end")
	if w.t.dropsLines {
		l.why = "bgpd does not know the line and skips it"
	}
	return &device.UnknownAction{At: at, Text: l.text(), Changes: device.AllFields}
}

func (w *mapReader) unknownSet(l *line, f device.Fields) device.Action {
	l.file(device.Unmodelled, true, "not modelled")
	return &device.UnknownAction{At: device.At{Pos: l.pos}, Text: l.text(), Changes: f}
}

func (w *mapReader) setCommunity(l *line, kind device.CommunityKind, args []string) device.Action {
	a := &device.SetCommunities{At: device.At{Pos: l.pos}, Kind: kind, Op: device.ReplaceCommunities}
	if len(args) == 1 && args[0] == "none" {
		return a
	}
	if n := len(args); n > 1 {
		switch args[n-1] {
		case "additive":
			a.Op, args = device.AddCommunities, args[:n-1]
		case "delete":
			a.Op, args = device.DeleteCommunities, args[:n-1]
		}
	}
	if len(args) == 0 || args[0] == "community-list" {
		return w.unknownSet(l, device.FieldSet(kind.Field()))
	}
	for _, t := range args {
		c, err := device.ParseCommunity(kind, t)
		if err != nil {
			return w.unknownSet(l, device.FieldSet(kind.Field()))
		}
		a.Values = append(a.Values, c)
		if a.Op == device.DeleteCommunities {
			a.Patterns = append(a.Patterns, device.LiteralPattern(c, t, l.pos))
		}
	}
	return a
}

// deleteList deletes what the list permits, value by value.
func (w *mapReader) deleteList(l *line, kind device.SetKind, args []string) device.Action {
	if len(args) != 2 || args[1] != "delete" {
		return w.unknownSet(l, device.FieldSet(kindOf[kind].Field()))
	}
	n := listName{kind: kind, name: args[0]}
	w.use(n, l.pos, false)
	ls := w.reader.lists[n]
	if ls == nil {
		w.report(device.Diagnostic{At: device.At{Pos: l.pos}, Rule: "RL306", Set: n.name, Message: undefinedMessage(n, "the deletion", w.undefinedList(n, l.pos)), Fix: "define the list or correct the name"})
		if w.t.undefined[kind] != matchesNothing {
			return w.unknownSet(l, device.FieldSet(kindOf[kind].Field()))
		}
		return &device.Ignored{At: device.At{Pos: l.pos}, Text: l.text()}
	}
	ps, err := w.deletions(ls)
	if err != nil {
		return w.unknownSet(l, device.FieldSet(kindOf[kind].Field()))
	}
	return &device.SetCommunities{At: device.At{Pos: l.pos}, Kind: kindOf[kind], Op: device.DeleteCommunities, Patterns: ps, Ref: n.name}
}

func (w *mapReader) scalar(l *line, f device.Field, args []string) device.Action {
	if len(args) != 1 {
		return w.unknownSet(l, device.FieldSet(f))
	}
	text, op := args[0], device.Assign
	if rest, ok := strings.CutPrefix(text, "+"); ok {
		text, op = rest, device.Add
	} else if rest, ok := strings.CutPrefix(text, "-"); ok {
		text, op = rest, device.Subtract
	}
	v, ok := number(text, 32)
	if !ok {
		return w.unknownSet(l, device.FieldSet(f))
	}
	return &device.SetScalar{At: device.At{Pos: l.pos}, Field: f, Op: op, Value: v}
}

func (w *mapReader) setPath(l *line, args []string) device.Action {
	unknown := func() device.Action { return w.unknownSet(l, device.FieldSet(device.ASPathField)) }
	if len(args) > 1 && args[0] == "exclude" {
		return w.exclude(l, args[1:])
	}
	if len(args) < 2 || args[0] != "prepend" {
		return unknown()
	}
	a := &device.PrependAS{At: device.At{Pos: l.pos}, Repeat: 1}
	args = args[1:]
	if n := len(args); n > 2 && args[n-2] == "repeat" {
		v, ok := number(args[n-1], 8)
		if !ok {
			return unknown()
		}
		a.Repeat, args = int(v), args[:n-2]
	}
	if args[0] == "last-as" && len(args) == 2 {
		v, ok := number(args[1], 8)
		if !ok {
			return unknown()
		}
		a.Last, a.Repeat = true, int(v)
		return a
	}
	for _, t := range args {
		if t == "auto" {
			a.ASNs, a.Own = nil, true
			return a
		}
		v, ok := asn(t)
		if !ok {
			return unknown()
		}
		a.ASNs = append(a.ASNs, v)
	}
	return a
}

// exclude takes ASNs out of the path wherever they stand.
func (w *mapReader) exclude(l *line, args []string) device.Action {
	a := &device.EditASPath{At: device.At{Pos: l.pos}}
	if len(args) == 1 && args[0] == "all" {
		a.Clear = true
		return a
	}
	for _, t := range args {
		v, ok := asn(t)
		if !ok {
			return w.unknownSet(l, device.FieldSet(device.ASPathField))
		}
		a.ASNs = append(a.ASNs, v)
	}
	return a
}

func (w *mapReader) setNextHop(l *line, args []string) device.Action {
	at := device.At{Pos: l.pos}
	if len(args) == 0 || args[0] != "next-hop" {
		l.file(device.IgnoredKnown, true, "")
		return &device.Ignored{At: at, Text: l.text()}
	}
	if len(args) == 2 {
		switch args[1] {
		case "peer-address":
			return &device.SetNextHop{At: at, Op: device.NextHopPeer}
		case "unchanged":
			return &device.SetNextHop{At: at, Op: device.NextHopUnchanged}
		case "self":
			return &device.SetNextHop{At: at, Op: device.NextHopSelf}
		}
		if a, err := netip.ParseAddr(args[1]); err == nil {
			return &device.SetNextHop{At: at, Op: device.NextHopAddr, Addr: a}
		}
	}
	if len(args) == 3 && args[1] == "global" {
		if a, err := netip.ParseAddr(args[2]); err == nil {
			return &device.SetNextHop{At: at, Op: device.NextHopAddr, Addr: a}
		}
	}
	return w.unknownSet(l, device.FieldSet(device.NextHopField))
}

// changed are the fields an action may change.
func changed(a device.Action) device.Fields {
	switch t := a.(type) {
	case *device.SetCommunities:
		return device.FieldSet(t.Kind.Field())
	case *device.PrependAS, *device.EditASPath:
		return device.FieldSet(device.ASPathField)
	case *device.SetScalar:
		return device.FieldSet(t.Field)
	case *device.SetNextHop:
		return device.FieldSet(device.NextHopField)
	case *device.UnknownAction:
		return t.Changes
	}
	return 0
}
