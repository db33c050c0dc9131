package plan

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Table is what a snapshot advertises and binds, account by account, without
// everything else.
type Table struct {
	Routes   map[string][]snapshots.Route   // by account, sorted by CIDR
	Bindings map[string][]snapshots.Binding // by account, sorted by CIDR and service; active ones, without ids
}

// TableOf is the table of a snapshot; that of nil is empty.
func TableOf(s *snapshots.Snapshot) Table {
	t := Table{map[string][]snapshots.Route{}, map[string][]snapshots.Binding{}}
	if s == nil {
		return t
	}
	for i := range s.Accounts {
		p := &s.Accounts[i]
		if len(p.Routes) > 0 {
			t.Routes[p.Account] = slices.Clone(p.Routes)
		}
		if b := bindingsOf(p); len(b) > 0 {
			slices.SortFunc(b, compareBinding)
			t.Bindings[p.Account] = b
		}
	}
	return t
}

// Apply replays a plan's changes on a table and returns the table after them.
// Diff and Apply are inverse: Diff(a, b) applied to a's table is b's, but for
// the services of a route whose bindings changed, which follow from those.
func (t Table) Apply(p Plan) Table {
	out := Table{clone(t.Routes), clone(t.Bindings)}
	touched := map[string]map[netip.Prefix]*snapshots.Route{}
	unbound := map[string]map[snapshots.Binding]int{}
	for _, c := range p.Changes {
		switch c.Kind {
		case Advertise, Modify, Withdraw:
			if touched[c.Account] == nil {
				touched[c.Account] = map[netip.Prefix]*snapshots.Route{}
			}
			touched[c.Account][c.CIDR] = c.After
		case Bind:
			out.Bindings[c.Account] = append(out.Bindings[c.Account], snapshots.Binding{CIDR: c.CIDR, Service: c.Service, Active: true})
		case Unbind:
			if unbound[c.Account] == nil {
				unbound[c.Account] = map[snapshots.Binding]int{}
			}
			unbound[c.Account][snapshots.Binding{CIDR: c.CIDR, Service: c.Service, Active: true}]++
		}
	}
	for account, changed := range touched {
		out.Routes[account] = replace(out.Routes[account], changed)
	}
	for account, gone := range unbound {
		out.Bindings[account] = without(out.Bindings[account], gone)
	}
	for account := range out.Routes {
		if len(out.Routes[account]) == 0 {
			delete(out.Routes, account)
		}
	}
	for account := range out.Bindings {
		slices.SortFunc(out.Bindings[account], compareBinding)
		if len(out.Bindings[account]) == 0 {
			delete(out.Bindings, account)
		}
	}
	return out
}

func clone[T any](m map[string][]T) map[string][]T {
	out := make(map[string][]T, len(m))
	for k, v := range m {
		out[k] = slices.Clone(v)
	}
	return out
}

// without drops as many of each binding as gone counts.
func without(list []snapshots.Binding, gone map[snapshots.Binding]int) []snapshots.Binding {
	return slices.DeleteFunc(list, func(b snapshots.Binding) bool {
		gone[b]--
		return gone[b] >= 0
	})
}

// replace drops the changed routes and puts in what they became.
func replace(routes []snapshots.Route, changed map[netip.Prefix]*snapshots.Route) []snapshots.Route {
	out := make([]snapshots.Route, 0, len(routes)+len(changed))
	for _, r := range routes {
		if _, gone := changed[r.CIDR]; !gone {
			out = append(out, r)
		}
	}
	for _, r := range changed {
		if r != nil {
			out = append(out, *r)
		}
	}
	slices.SortFunc(out, func(a, b snapshots.Route) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) })
	return out
}
