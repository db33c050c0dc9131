package junos

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// join is the text of a statement from its node down.
func join(n *tree.Node) string {
	if len(n.Kids()) == 1 {
		return strings.Join(lineFrom(n), " ")
	}
	return n.Word
}

// ends are the ways a "then" can end.
type ending struct {
	accept, reject, next, nextPolicy, byDefault *tree.Node
	strange                                     *tree.Node // a word nobody knows
}

// then reads the actions and the flow.
func (r *reading) then(n *tree.Node) ([]device.Action, device.Disposition) {
	var actions []placed
	var e ending
	for _, k := range n.Active() {
		if r.ends(k, &e) {
			continue
		}
		as, known := r.action(k)
		if !known {
			e.strange = k
		}
		actions = append(actions, as...)
	}
	slices.SortStableFunc(actions, func(a, b placed) int { return cmp.Compare(a.order, b.order) })
	var out []device.Action
	for _, a := range actions {
		out = append(out, a.action)
	}
	return dedupeScalars(out), r.disposition(e)
}

// placed is an action with its place in the text.
type placed struct {
	order  int
	action device.Action
}

// ends reads the words that say how a term ends.
func (r *reading) ends(k *tree.Node, e *ending) bool {
	switch k.Word {
	case "accept":
		e.accept = k
	case "reject":
		e.reject = k
	case "next":
		switch v := k.Value(); v.Text() {
		case "policy":
			e.nextPolicy = v
		case "term":
			e.next = v
		default:
			return false
		}
	case "default-action":
		switch v := k.Value(); v.Text() {
		case "accept", "reject":
			e.byDefault = v
		default:
			return false
		}
	default:
		return false
	}
	k.Cover(device.Modelled, "")
	return true
}

// disposition: "next term" and "next policy" beat accept and reject, of which
// the one written last holds; a default-action counts only without them
// (observed on a router).
func (r *reading) disposition(e ending) device.Disposition {
	last := func(a, b *tree.Node) *tree.Node {
		if b == nil || a != nil && a.Last > b.Last {
			return a
		}
		return b
	}
	terminal := last(e.accept, e.reject)
	r.conflicts(e, terminal)
	d := device.Disposition{}
	if e.byDefault != nil && terminal == nil {
		d = device.Disposition{At: device.At{Pos: e.byDefault.Pos}, Default: device.Accept, Text: "default-action " + e.byDefault.Word}
		if e.byDefault.Word == "reject" {
			d.Default = device.Reject
		}
	}
	next := last(e.next, e.nextPolicy)
	switch {
	case next != nil:
		d.Pos, d.Text = next.Pos, "next "+next.Word
		if next == e.nextPolicy {
			d.Flow = device.NextPolicy
		}
	case terminal != nil:
		d = device.Disposition{At: device.At{Pos: terminal.Pos}, Flow: device.AcceptRoute, Text: terminal.Word}
		if terminal == e.reject {
			d.Flow = device.RejectRoute
		}
	case e.strange != nil:
		d = device.Disposition{At: device.At{Pos: e.strange.Pos}, Flow: device.DecideMaybe, Text: "then " + join(e.strange)}
	}
	return d
}

// conflicts reports endings of which only one can hold (RL215).
func (r *reading) conflicts(e ending, terminal *tree.Node) {
	next := e.next
	if e.nextPolicy != nil {
		next = e.nextPolicy
	}
	var what string
	var at *tree.Node
	switch {
	case e.accept != nil && e.reject != nil:
		what, at = fmt.Sprintf("accept and reject in one then: Junos keeps the last one, %s", terminal.Word), terminal
	case e.next != nil && e.nextPolicy != nil:
		what, at = "next term and next policy in one then: Junos keeps the last one", e.nextPolicy
	case next != nil && terminal != nil:
		what, at = fmt.Sprintf("%s beside next %s in one then: next wins and the route is not decided here", terminal.Word, next.Word), terminal
	case e.byDefault != nil && terminal != nil:
		what, at = fmt.Sprintf("default-action beside %s in one then: default-action has no effect", terminal.Word), e.byDefault
	default:
		return
	}
	r.report(device.Diagnostic{At: device.At{Pos: at.Pos}, Rule: "RL215", Severity: device.Warning, Message: what, Fix: "keep one of them"})
}

// action reads one word of "then"; known is false for a word that is in no
// list, which may do anything.
func (r *reading) action(k *tree.Node) (as []placed, known bool) {
	at := device.At{Pos: k.Pos}
	one := func(n *tree.Node, a device.Action) []placed { return []placed{{n.Order(), a}} }
	switch k.Word {
	case "community":
		return r.communityActions(k), true
	case "as-path-prepend", "as-path-expand":
		return one(k, r.prepend(k)), true
	case "next-hop":
		return one(k, r.setNextHop(k)), true
	case "origin":
		if v, ok := origins[k.Value().Text()]; ok {
			k.Cover(device.Modelled, "")
			return one(k, &device.SetScalar{At: at, Field: device.Origin, Value: v}), true
		}
		return one(k, unmodelled(k, device.FieldSet(device.Origin))), true
	}
	if f, ok := scalarActions[k.Word]; ok {
		var out []placed
		for _, v := range k.Active() {
			out = append(out, placed{v.Last, r.setScalar(k, v, f)}) // the value written last holds
		}
		return out, true
	}
	if fields, ok := unmodelledActions[k.Word]; ok {
		return one(k, unmodelled(k, fields)), true
	}
	if thenIgnored[k.Word] {
		k.Cover(device.IgnoredKnown, "no bearing on what is advertised")
		return one(k, &device.Ignored{At: at, Text: join(k)}), true
	}
	k.Cover(device.Unread, "not known to this front end")
	return one(k, &device.UnknownAction{At: at, Text: join(k), Changes: device.AllFields}), false
}

func unmodelled(k *tree.Node, fields device.Fields) device.Action {
	k.Cover(device.Unmodelled, "")
	return &device.UnknownAction{At: device.At{Pos: k.Pos}, Text: join(k), Changes: fields}
}

// origins are the values of the ORIGIN attribute (RFC 4271 section 5.1.1).
var origins = map[string]uint32{"igp": 0, "egp": 1, "incomplete": 2}

// scalarActions are "WORD 5", "WORD add 5" and "WORD subtract 5".
var scalarActions = map[string]device.Field{
	"local-preference": device.LocalPref, "metric": device.MED, "metric2": device.IGPMetric, "preference": device.Preference, "tag": device.Tag,
}

// unmodelledActions change something conditions can ask for.
var unmodelledActions = map[string]device.Fields{
	"metric3": 0, "metric4": 0, "preference2": 0, "tag2": 0, "rib": 0, "instance": 0,
	"large-community": device.FieldSet(device.LargeCommunityField), "extended-community": device.FieldSet(device.ExtCommunityField),
	"as-path": device.FieldSet(device.ASPathField), "aspath": device.FieldSet(device.ASPathField), "as-path-remove": device.FieldSet(device.ASPathField),
}

func (r *reading) setScalar(k, v *tree.Node, f device.Field) device.Action {
	a := &device.SetScalar{At: device.At{Pos: k.Pos}, Field: f}
	number := v
	switch v.Word {
	case "add":
		a.Op, number = device.Add, v.Value()
	case "subtract":
		a.Op, number = device.Subtract, v.Value()
	}
	n, err := strconv.ParseUint(number.Text(), 10, 32)
	if err != nil || number.Value() != nil {
		return unmodelled(v, device.FieldSet(f))
	}
	k.Mark(device.Modelled, "")
	v.Cover(device.Modelled, "")
	a.Value = uint32(n)
	return a
}

// prepend reads "as-path-prepend "1 1"" and "as-path-expand last-as count 2".
func (r *reading) prepend(k *tree.Node) device.Action {
	v := k.Value()
	if v.Text() == "last-as" {
		count := v.Value("count")
		n, err := strconv.Atoi(count.Text())
		if count == nil {
			n, err = 1, nil
		}
		if err != nil || n < 1 || n > 255 {
			return unmodelled(k, device.FieldSet(device.ASPathField))
		}
		k.Cover(device.Modelled, "")
		return &device.PrependAS{At: device.At{Pos: k.Pos}, Last: true, Repeat: n}
	}
	if v == nil {
		return unmodelled(k, device.FieldSet(device.ASPathField))
	}
	a := &device.PrependAS{At: device.At{Pos: k.Pos}, Repeat: 1}
	for _, text := range strings.Fields(strings.Join(lineFrom(v), " ")) {
		asn, ok := asnOf(text)
		if !ok {
			return unmodelled(k, device.FieldSet(device.ASPathField))
		}
		a.ASNs = append(a.ASNs, asn)
	}
	k.Cover(device.Modelled, "")
	return a
}

func (r *reading) setNextHop(k *tree.Node) device.Action {
	v := k.Value()
	a := &device.SetNextHop{At: device.At{Pos: k.Pos}}
	switch v.Text() {
	case "self":
		a.Op = device.NextHopSelf
	case "peer-address":
		a.Op = device.NextHopPeer
	case "discard", "reject":
		a.Op = device.NextHopDiscard
	default:
		addr, err := netip.ParseAddr(v.Text())
		if err != nil {
			return unmodelled(k, device.FieldSet(device.NextHopField))
		}
		a.Addr = addr
	}
	k.Cover(device.Modelled, "")
	return a
}

var communityWords = map[string]device.CommunityOp{
	"add": device.AddCommunities, "+": device.AddCommunities, "set": device.ReplaceCommunities, "=": device.ReplaceCommunities,
	"delete": device.DeleteCommunities, "-": device.DeleteCommunities,
}

var allCommunities = device.FieldSet(device.CommunityField, device.ExtCommunityField, device.LargeCommunityField)

// communityActions reads "community add NAME"; each is carried out in the
// order written.
func (r *reading) communityActions(k *tree.Node) []placed {
	var out []placed
	k.Mark(device.Modelled, "")
	for _, op := range k.Active() {
		word, known := communityWords[op.Word]
		names := op.Active()
		if !known && len(names) == 0 {
			// "community NAME" is the short form of set.
			word, known, names = device.ReplaceCommunities, true, []*tree.Node{op}
		}
		for _, n := range names {
			if !known {
				out = append(out, placed{n.Order(), unmodelled(n, allCommunities)})
				continue
			}
			n.Cover(device.Modelled, "")
			for _, a := range r.communityAction(word, n) {
				out = append(out, placed{n.Order(), a})
			}
		}
	}
	return out
}

var communityKinds = []device.CommunityKind{device.Standard, device.Extended, device.Large}

func (r *reading) communityAction(op device.CommunityOp, n *tree.Node) []device.Action {
	at := device.At{Pos: n.Pos}
	c := r.communities[n.Word]
	if c == nil {
		r.undefined("community", "RL306", n)
		return []device.Action{unmodelled(n, allCommunities)}
	}
	c.set.Used++
	if c.unclear {
		n.Cover(device.Partly, "")
		return []device.Action{&device.UnknownAction{At: at, Text: "community " + n.Word, Changes: allCommunities}}
	}
	if op == device.DeleteCommunities {
		return r.deleteCommunity(c, n)
	}
	var out []device.Action
	for _, kind := range communityKinds {
		var values []device.Community
		for _, m := range c.members {
			if m.value != nil && m.value.Kind == kind {
				values = append(values, *m.value)
			}
		}
		switch {
		case len(values) > 0:
			out = append(out, &device.SetCommunities{At: at, Kind: kind, Op: op, Values: values, Ref: n.Word})
		case op == device.ReplaceCommunities:
			// Whether set also empties the kinds it does not name is not known.
			out = append(out, &device.UnknownAction{At: at, Text: "community set " + n.Word, Changes: device.FieldSet(kind.Field())})
		}
	}
	return out
}

// deleteCommunity removes every value that a member matches; with invert-match
// every value that none matches.
func (r *reading) deleteCommunity(c *community, n *tree.Node) []device.Action {
	at := device.At{Pos: n.Pos}
	var out []device.Action
	for _, kind := range communityKinds {
		ps := c.patterns(kind)
		if c.invert {
			all, err := device.RegexPattern(kind, "", "any other value", false, n.Pos)
			if err != nil {
				continue
			}
			ps = append(ps, all)
		}
		if len(ps) > 0 {
			out = append(out, &device.SetCommunities{At: at, Kind: kind, Op: device.DeleteCommunities, Patterns: ps, Ref: n.Word})
		}
	}
	if c.loose() {
		n.Cover(device.Partly, "an expression without ^ and $ may match more")
		out = append(out, &device.UnknownAction{At: at, Text: "community delete " + n.Word, Changes: device.FieldSet(device.CommunityField)})
	}
	return out
}

// undefined reports a reference to something that is not there; Junos does not
// commit it, but parts of configurations have them.
func (r *reading) undefined(what, rule string, n *tree.Node) {
	if r.flow == device.RejectRoute && rule == "RL302" {
		rule = "RL303"
	}
	r.once(device.Diagnostic{
		At: device.At{Pos: n.Pos}, Rule: rule, Policy: r.policy, Term: r.term, Set: n.Word,
		Message: fmt.Sprintf("%s %q is not defined: Junos does not commit this, what it would match is not judged", what, n.Word),
		Fix:     "define it or correct the name",
	})
}
