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

// nets are the conditions of a term about the prefix. All of them OR.
type nets struct {
	filters []filter
	acting  []filter // with an action of their own
	lists   []device.Expr
}

// filter is one route-filter. The region of all its ranges is what it matches;
// net is what the longest match looks at.
type filter struct {
	at     device.At
	net    netip.Prefix
	ranges []device.PrefixRange
	odd    bool // a kind for which the longest match is not clear
	action *tree.Node
}

func (r *reading) routeFilter(n *tree.Node) device.Expr {
	r.filters(n)
	return nil
}

func (r *reading) routeFilterList(n *tree.Node) device.Expr {
	for _, k := range n.Active() {
		list := r.root.Get("policy-options", "route-filter-list", k.Word)
		if list == nil {
			r.undefined("route-filter-list", "RL302", k)
			r.nets.lists = append(r.nets.lists, undefinedSet(k, "route-filter-list"))
			continue
		}
		k.Mark(device.Modelled, "")
		r.filters(list)
		if len(list.Active()) == 0 {
			r.nets.lists = append(r.nets.lists, &device.Const{At: device.At{Pos: k.Pos}, Why: "an empty route-filter-list matches nothing"})
		}
	}
	return nil
}

// filters reads "PREFIX KIND [ACTION]" below n.
func (r *reading) filters(n *tree.Node) {
	for _, k := range n.Active() {
		if len(k.Kids()) == 0 {
			r.badFilter(k, "a match type is missing")
			continue
		}
		for _, kind := range k.Active() {
			f, rest, err := readFilter(k, kind)
			if err != nil {
				r.badFilter(kind, err.Error())
				continue
			}
			kind.Cover(device.Modelled, "")
			if len(rest.Active()) > 0 {
				f.action = rest
				r.nets.acting = append(r.nets.acting, f)
				continue
			}
			r.nets.filters = append(r.nets.filters, f)
		}
	}
}

func (r *reading) badFilter(k *tree.Node, why string) {
	k.Cover(device.Unmodelled, why)
	r.nets.lists = append(r.nets.lists, &device.Unknown{At: device.At{Pos: k.Pos}, Text: "route-filter " + k.Path(), Why: why})
}

// readFilter reads one filter; rest is the node its own action hangs below.
func readFilter(prefix, kind *tree.Node) (f filter, rest *tree.Node, err error) {
	p, ok := prefixOf(prefix.Word)
	if !ok {
		return f, nil, fmt.Errorf("%q is not a prefix", prefix.Word)
	}
	f = filter{at: device.At{Pos: kind.Pos}, net: p}
	one := device.Exact(p)
	rest = kind
	switch kind.Word {
	case "exact":
	case "orlonger":
		one.Max = p.Addr().BitLen()
	case "longer":
		one.Min, one.Max = p.Bits()+1, p.Addr().BitLen()
	case "upto":
		rest = kind.Value()
		if one.Max, err = bits(rest.Text(), p); err == nil && one.Max < one.Min {
			err = fmt.Errorf("upto %s is shorter than %s", rest.Text(), p)
		}
	case "prefix-length-range":
		rest = kind.Value()
		low, high, _ := strings.Cut(rest.Text(), "-")
		var lowErr error
		one.Min, lowErr = bits(low, p)
		if one.Max, err = bits(high, p); lowErr != nil {
			err = lowErr
		}
	case "through":
		rest = kind.Value()
		return through(f, p, rest)
	case "address-mask":
		rest = kind.Value()
		mask, maskErr := netip.ParseAddr(rest.Text())
		if maskErr != nil || mask.Is4() != p.Addr().Is4() {
			return f, rest, fmt.Errorf("address-mask %q is not a mask", rest.Text())
		}
		one.Mask, f.odd = mask, true
	default:
		return f, rest, fmt.Errorf("match type %q is not known", kind.Word)
	}
	if one.Min <= p.Addr().BitLen() { // "longer" than a host matches nothing
		f.ranges = []device.PrefixRange{one}
	}
	return f, rest, err
}

// through matches the prefixes on the way from one to a longer one inside it.
func through(f filter, p netip.Prefix, last *tree.Node) (filter, *tree.Node, error) {
	to, ok := prefixOf(last.Text())
	if !ok || to.Bits() < p.Bits() || !p.Contains(to.Addr()) {
		return f, last, fmt.Errorf("through %q is not a prefix inside %s", last.Text(), p)
	}
	for n := p.Bits(); n <= to.Bits(); n++ {
		f.ranges = append(f.ranges, device.Exact(netip.PrefixFrom(to.Addr(), n)))
	}
	f.odd = true
	return f, last, nil
}

func bits(text string, p netip.Prefix) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.TrimSpace(text), "/"))
	if err != nil || n < 0 || n > p.Addr().BitLen() {
		return 0, fmt.Errorf("%q is not a prefix length", text)
	}
	return n, nil
}

func (r *reading) prefixListMatch(n *tree.Node) device.Expr {
	for _, k := range n.Active() {
		k.Mark(device.Modelled, "")
		r.nets.lists = append(r.nets.lists, r.list(k, "exact"))
	}
	return nil
}

func (r *reading) prefixListFilter(n *tree.Node) device.Expr {
	for _, k := range n.Active() {
		for _, kind := range k.Active() {
			kind.Cover(device.Modelled, "")
			x := r.list(k, kind.Word)
			if len(kind.Active()) > 0 {
				kind.Cover(device.Unmodelled, "a filter with an action of its own")
				x = device.AllOfExprs(kind.Pos, x, &device.Unknown{At: device.At{Pos: kind.Pos}, Text: join(kind), Why: "a filter with an action of its own is not confirmed on a device"})
				r.nets.acting = append(r.nets.acting, filter{at: device.At{Pos: kind.Pos}, action: kind})
			}
			r.nets.lists = append(r.nets.lists, x)
		}
		if len(k.Kids()) == 0 {
			r.badFilter(k, "a match type is missing")
		}
	}
	return nil
}

// list is the use of a prefix list with a match type.
func (r *reading) list(k *tree.Node, kind string) device.Expr {
	at := device.At{Pos: k.Pos}
	ref := &device.Ref{At: at, Kind: device.PrefixSetKind, Name: r.qualified(k.Word)}
	l := r.prefixLists[k.Word]
	if l == nil {
		r.undefined("prefix-list", "RL302", k)
		ref.X = undefinedSet(k, "prefix-list")
		return ref
	}
	l.set.Used++
	ref.Set = l.set
	form, ok := l.form(kind)
	switch {
	case !ok:
		k.Child(kind).Cover(device.Unmodelled, "match type is not known")
		ref.X = &device.Unknown{At: at, Text: "prefix-list-filter " + k.Word + " " + kind, Why: "match type is not known"}
	case len(form.Entries) == 0:
		// Observed on a router: an empty list matches nothing.
		ref.X = &device.Const{At: at, Why: "an empty prefix-list matches nothing"}
		r.emptyList(k)
	default:
		ref.X = &device.PrefixMatch{At: at, Set: form}
	}
	return ref
}

// emptyList reports the use of a list without prefixes (RL203, RL204).
func (r *reading) emptyList(k *tree.Node) {
	d := device.Diagnostic{
		At: device.At{Pos: k.Pos}, Rule: "RL203", Severity: device.Warning, Set: k.Word,
		Message: fmt.Sprintf("prefix-list %s is empty and matches nothing", k.Word), Fix: "fill the list or remove the term",
	}
	if r.flow == device.RejectRoute {
		d.Rule, d.Severity, d.Message = "RL204", device.Error, fmt.Sprintf("prefix-list %s is empty and matches nothing: this reject guards against nothing", k.Word)
	}
	r.report(d)
}

// prefixes joins the conditions about the prefix to one.
func (r *reading) prefixes() {
	var xs []device.Expr
	if len(r.nets.filters) > 0 {
		xs = append(xs, filterExpr(r.nets.filters))
	}
	xs = append(xs, r.nets.lists...)
	if len(r.nets.acting) > 0 && len(xs) == 0 {
		return // acting filters alone: see acting
	}
	if len(xs) > 0 {
		r.xs = append(r.xs, device.AnyOfExprs(xs[0].Position(), xs...))
	}
}

// filterExpr is the condition of several filters. Junos looks for the longest
// network that holds the prefix and asks its filters alone; no device has
// confirmed it here, so that where this differs from asking all of them the
// answer is unknown.
func filterExpr(fs []filter) device.Expr {
	at := fs[0].at
	some := &device.PrefixSet{At: at, Name: "route-filter"}
	longest := &device.PrefixSet{At: at, Name: "route-filter", Mode: device.LongestMatch}
	for _, f := range fs {
		for _, rg := range f.ranges {
			e := device.PrefixEntry{At: f.at, Range: rg}
			some.Entries = append(some.Entries, e)
			longest.Entries = append(longest.Entries, e)
		}
	}
	conflict, odd := nested(fs)
	someX := &device.PrefixMatch{At: at, Set: some}
	if !conflict {
		return someX
	}
	unknown := &device.Unknown{At: at, Text: "route-filter", Why: "which of several nested route filters speaks is not confirmed on a device"}
	if odd {
		return &device.And{At: at, Xs: []device.Expr{someX, unknown}}
	}
	return &device.Or{At: at, Xs: []device.Expr{
		&device.PrefixMatch{At: at, Set: longest},
		&device.And{At: at, Xs: []device.Expr{someX, unknown}},
	}}
}

// nested reports whether the longest match may say something else than any
// match: a filter inside the network of another that takes less of what the
// outer one takes there. odd says that such a pair has a kind with a shape of
// its own.
func nested(fs []filter) (conflict, odd bool) {
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b filter) int {
		if c := a.net.Addr().Compare(b.net.Addr()); c != 0 {
			return c
		}
		return cmp.Compare(a.net.Bits(), b.net.Bits())
	})
	var open []filter // networks around the current one
	for _, f := range sorted {
		for len(open) > 0 && !(open[len(open)-1].net.Bits() <= f.net.Bits() && open[len(open)-1].net.Contains(f.net.Addr())) {
			open = open[:len(open)-1]
		}
		for _, outer := range open {
			if outer.net == f.net {
				continue // filters of one network are asked together
			}
			if outer.odd || f.odd {
				conflict, odd = true, true
			} else if hides(outer, f) {
				conflict = true
			}
		}
		if len(open) < 129 { // lengths are limited, repetitions of one network are not
			open = append(open, f)
		}
	}
	return conflict, odd
}

// hides reports whether outer takes prefixes inside the network of inner that
// inner does not take.
func hides(outer, inner filter) bool {
	for _, o := range outer.ranges {
		lo, hi := max(o.Min, inner.net.Bits()), o.Max
		if lo > hi {
			continue
		}
		if !slices.ContainsFunc(inner.ranges, func(i device.PrefixRange) bool { return i.Min <= lo && i.Max >= hi }) {
			return true
		}
	}
	return false
}

// acting lowers a term in which filters have actions of their own. No device
// has confirmed how they meet the rest of the term: whatever one of them
// matches is not decided.
func (r *reading) acting(t *device.Term) (device.Expr, []device.Action, device.Disposition) {
	var fs []filter
	for _, f := range r.nets.acting {
		f.action.Cover(device.Unmodelled, "a filter with an action of its own")
		if len(f.ranges) > 0 {
			fs = append(fs, f)
		}
	}
	all := append(slices.Clone(r.nets.filters), fs...)
	var xs []device.Expr
	if len(all) > 0 {
		xs = append(xs, filterExpr(all))
	}
	xs = append(xs, r.nets.lists...)
	others := r.xs
	if len(r.nets.filters)+len(r.nets.lists) > 0 && len(others) > 0 {
		others = others[:len(others)-1] // the condition about the prefix, which is built anew
	}
	match := device.AllOfExprs(t.Pos, append(slices.Clone(others), device.AnyOfExprs(t.Pos, xs...))...)
	same := len(t.Actions) == 0
	for _, f := range r.nets.acting {
		leaves := f.action.Leaves()
		same = same && len(leaves) == 1 && leaves[0] != f.action && leaves[0].Word == t.Then.Text
	}
	if same && len(fs) == len(r.nets.acting) {
		return match, t.Actions, t.Then // all say the same
	}
	why := "route filters with actions of their own are not confirmed on a device"
	return match, []device.Action{&device.UnknownAction{At: t.At, Text: why, Changes: device.AllFields}},
		device.Disposition{At: device.At{Pos: r.nets.acting[0].at.Pos}, Flow: device.DecideMaybe, Text: why}
}
