package bird

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// fieldsOf is what an assignment to an attribute may change.
func fieldsOf(attr string) device.Fields {
	switch attr {
	case "bgp_path":
		return device.FieldSet(device.ASPathField)
	case "bgp_community":
		return device.FieldSet(device.CommunityField)
	case "bgp_ext_community":
		return device.FieldSet(device.ExtCommunityField)
	case "bgp_large_community":
		return device.FieldSet(device.LargeCommunityField)
	case "bgp_origin":
		return device.FieldSet(device.Origin)
	case "bgp_next_hop", "gw", "dest":
		return device.FieldSet(device.NextHopField)
	}
	if f := scalarOf[attr]; f != nil {
		return device.FieldSet(*f)
	}
	return 0
}

// edited is attribute.add(x) used as a value, as later versions write it.
func (e *evaluator) edited(x *expr, a attrValue) (value, device.Expr) {
	return e.edit(x, a, x.text, x.args[1:])
}

// edit is a list with something added or removed: a value that can be assigned
// to the attribute it came from.
func (e *evaluator) edit(x *expr, a attrValue, method string, args []*expr) (value, device.Expr) {
	action, fails := e.method(x, a.name, method, args)
	out := attrValue{name: a.name, member: a.member, edits: append(slices.Clone(a.edits), action)}
	if a.member != "" {
		return unknownValue{x.String() + " is not modelled"}, fails
	}
	return out, fails
}

// method is the change that add, delete, filter, prepend or empty makes.
func (e *evaluator) method(x *expr, attr, method string, args []*expr) (device.Action, device.Expr) {
	at := device.At{Pos: x.pos}
	text := attr + "." + method + "(" + joined(args, ", ") + ")"
	unknown := &device.UnknownAction{At: at, Text: text, Changes: fieldsOf(attr)}
	kind, list := listKind[attr]
	if method == "empty" {
		return cleared(at, attr), nil
	}
	if len(args) != 1 || !list && attr != "bgp_path" {
		return unknown, nil
	}
	v, fails := e.eval(args[0])
	if attr == "bgp_path" {
		return pathMethod(at, method, v, unknown), fails
	}
	return communityMethod(at, kind, method, v, unknown), fails
}

func cleared(at device.At, attr string) device.Action {
	if attr == "bgp_path" {
		return &device.EditASPath{At: at, Clear: true}
	}
	return &device.SetCommunities{At: at, Kind: listKind[attr], Op: device.ReplaceCommunities}
}

func pathMethod(at device.At, method string, v value, unknown device.Action) device.Action {
	var set aspath.Set
	switch t := v.(type) {
	case intValue:
		if method == "prepend" {
			return &device.PrependAS{At: at, ASNs: []uint32{uint32(t)}, Repeat: 1}
		}
		set = aspath.One(uint32(t))
	case attrValue:
		if method == "prepend" && t.name == "bgp_path" && t.member == "first" && len(t.edits) == 0 {
			return &device.PrependAS{At: at, Last: true, Repeat: 1}
		}
		return unknown
	case *setValue:
		if t.unknown != "" || method == "prepend" {
			return unknown
		}
		set = t.numbers
	default:
		return unknown
	}
	switch method {
	case "delete":
	case "filter":
		set = set.Complement()
	default:
		return unknown
	}
	return &device.EditASPath{At: at, In: set}
}

func communityMethod(at device.At, kind device.CommunityKind, method string, v value, unknown device.Action) device.Action {
	var patterns []device.CommunityPattern
	switch t := v.(type) {
	case pairValue, lcValue, ecValue:
		c, ok := communityOf(v)
		if !ok || c.Kind != kind {
			return unknown
		}
		if method == "add" {
			return &device.SetCommunities{At: at, Kind: kind, Op: device.AddCommunities, Values: []device.Community{c}}
		}
		patterns = []device.CommunityPattern{device.LiteralPattern(c, c.Text, at.Pos)}
	case *setValue:
		if t.unknown != "" {
			return unknown
		}
		patterns = map[device.CommunityKind][]device.CommunityPattern{device.Standard: t.pairs, device.Extended: t.ecs, device.Large: t.lcs}[kind]
		if t.members > 0 && len(patterns) == 0 {
			return unknown
		}
	default:
		return unknown
	}
	switch method {
	case "delete":
		return &device.SetCommunities{At: at, Kind: kind, Op: device.DeleteCommunities, Patterns: patterns}
	case "filter":
		kept := slices.Clone(patterns)
		for i := range kept {
			kept[i].Keep = true
		}
		rest, err := device.RegexPattern(kind, ".", "all others", false, at.Pos)
		if err != nil {
			return unknown
		}
		return &device.SetCommunities{At: at, Kind: kind, Op: device.DeleteCommunities, Patterns: append(kept, rest)}
	}
	return unknown
}

func communityOf(v value) (device.Community, bool) {
	switch t := v.(type) {
	case pairValue:
		return device.StandardCommunity(uint32(t)), true
	case lcValue:
		return large(t), true
	case ecValue:
		return device.Community{Kind: device.Extended, Text: string(t)}, true
	}
	return device.Community{}, false
}

// assign is the change of attribute = value.
func (e *evaluator) assign(x *expr, attr string, v value) []device.Action {
	at := device.At{Pos: x.pos}
	unknown := []device.Action{&device.UnknownAction{At: at, Text: attr + " = " + x.String(), Changes: fieldsOf(attr)}}
	if fieldsOf(attr) == 0 {
		return []device.Action{&device.Ignored{At: at, Text: attr + " = " + x.String()}}
	}
	switch t := v.(type) {
	case intValue:
		if f := scalarOf[attr]; f != nil {
			return []device.Action{&device.SetScalar{At: at, Field: *f, Value: uint32(t)}}
		}
	case sumValue:
		if f := scalarOf[attr]; f != nil && t.attr.name == attr {
			op := device.Add
			if t.minus {
				op = device.Subtract
			}
			return []device.Action{&device.SetScalar{At: at, Field: *f, Op: op, Value: t.n}}
		}
	case enumValue:
		if attr == "bgp_origin" && t.kind == "origin" {
			return []device.Action{&device.SetScalar{At: at, Field: device.Origin, Value: uint32(slices.Index([]string{"IGP", "EGP", "INCOMPLETE"}, t.name))}}
		}
	case ipValue:
		if attr == "bgp_next_hop" {
			return []device.Action{&device.SetNextHop{At: at, Addr: addrOf(t)}}
		}
	case emptyList:
		if t.attr == attr {
			return []device.Action{cleared(at, attr)}
		}
	case attrValue:
		if t.name == attr && t.member == "" {
			return t.edits
		}
	}
	return unknown
}
