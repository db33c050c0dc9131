package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// guardFree reports whether nothing in a condition says whose route it is. A
// protocol of BGP, a family, a metric or anything the other side can set is no
// guard.
func guardFree(x device.Expr) bool {
	switch t := x.(type) {
	case *device.And:
		return !slices.ContainsFunc(t.Xs, func(c device.Expr) bool { return !guardFree(c) })
	case *device.Or:
		return len(t.Xs) > 0 && slices.ContainsFunc(t.Xs, guardFree)
	case *device.Ref:
		return guardFree(t.X)
	case *device.Cases:
		return slices.ContainsFunc(t.Arms, func(arm device.Arm) bool { return arm.Value && guardFree(arm.X) })
	case *device.Not:
		p, ok := t.X.(*device.ProtocolMatch)
		return !ok || !slices.Contains(p.Protocols, device.IBGP) || !slices.Contains(p.Protocols, device.EBGP)
	case *device.PrefixMatch:
		return slices.ContainsFunc(t.Set.Entries, func(e device.PrefixEntry) bool { return !e.Deny && matchAll(e.Range) })
	case *device.CommunityMatch, *device.SubPolicy, *device.RPKIMatch:
		return false
	case *device.ASPathMatch:
		return !coneLike(t.Pattern)
	case *device.ProtocolMatch:
		return slices.ContainsFunc(t.Protocols, func(p device.Protocol) bool {
			return p == device.EBGP || p == device.IBGP || p == device.UnknownProtocol
		})
	case *device.NeighborMatch:
		return t.Side != device.Sender
	case *device.Compare:
		return t.Field != device.OTC
	case *device.Const:
		return t.Value
	}
	return true
}

// guards writes the conditions of a term in a form that does not depend on how
// they are laid out.
func guards(x device.Expr) []string {
	if and, ok := x.(*device.And); ok {
		var out []string
		for _, c := range and.Xs {
			out = append(out, guards(c)...)
		}
		return out
	}
	return []string{normal(x)}
}

// normal is the canonical text of a condition.
func normal(x device.Expr) string {
	list := func(op string, xs []device.Expr) string {
		parts := make([]string, len(xs))
		for i, c := range xs {
			parts[i] = normal(c)
		}
		slices.Sort(parts)
		return op + "(" + strings.Join(parts, ",") + ")"
	}
	switch t := x.(type) {
	case *device.Const:
		return fmt.Sprint(t.Value)
	case *device.And:
		return list("all", t.Xs)
	case *device.Or:
		return list("any", t.Xs)
	case *device.Not:
		return "not(" + normal(t.X) + ")"
	case *device.Ref:
		return fmt.Sprintf("%s %s", t.Kind, t.Name)
	case *device.PrefixMatch:
		if t.Set.Name != "" {
			return "prefixes " + t.Set.Name
		}
		parts := make([]string, len(t.Set.Entries))
		for i, e := range t.Set.Entries {
			parts[i] = fmt.Sprint(e.Deny, e.Range)
		}
		return "prefixes " + strings.Join(parts, ",")
	case *device.CommunityMatch:
		parts := make([]string, len(t.Patterns))
		for i, p := range t.Patterns {
			parts[i] = p.Source
		}
		return fmt.Sprintf("%s %d %s", t.Kind, t.Quant, strings.Join(parts, ","))
	case *device.ASPathMatch:
		return "as-path " + t.Pattern.String()
	case *device.Compare:
		return fmt.Sprintf("%s %s %d", t.Field, t.Op, t.Value)
	case *device.ProtocolMatch:
		return fmt.Sprint("protocol ", t.Protocols)
	case *device.FamilyMatch:
		return "family " + t.Family.String()
	case *device.NeighborMatch:
		return fmt.Sprint("neighbor ", t.Side, t.Addrs, t.ASNs, t.Kinds, t.Groups, t.Names, t.Roles)
	case *device.NextHopMatch:
		return fmt.Sprint("next-hop ", t.In)
	case *device.RPKIMatch:
		return fmt.Sprint("rpki ", t.States)
	case *device.NameMatch:
		return fmt.Sprint(t.Field, " ", t.Names)
	case *device.Unknown:
		return "unknown " + t.Text
	case *device.SubPolicy:
		var names []string
		for _, p := range t.Chain.Policies {
			names = append(names, p.Name)
		}
		return "policy " + strings.Join(names, ",")
	case *device.Cases:
		parts := make([]string, len(t.Arms))
		for i, a := range t.Arms {
			parts[i] = fmt.Sprint(a.Value, normal(a.X))
		}
		return "cases(" + strings.Join(parts, ";") + ")"
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", x), "*device.")
}
