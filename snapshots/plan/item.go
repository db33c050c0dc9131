package plan

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Item is what a wave moves as a whole: one prefix of an account with its
// routes and bindings, so that advertised implies bound in every wave, or one
// neighbor.
type Item struct {
	Account  string       `json:"account,omitempty"`
	Block    netip.Prefix `json:"block,omitzero"`     // the account's prefix
	Neighbor string       `json:"neighbor,omitempty"` // or the neighbor
	// FirstParty says that the account is our own.
	FirstParty bool `json:"first_party,omitempty"`
	// Routes that it loses, or changes with the risk of losing them, and those
	// that it advertises anew.
	Losses []netip.Prefix `json:"losses,omitempty"`
	Gains  []netip.Prefix `json:"gains,omitempty"`
	Ops    int            `json:"ops"` // changes in it
	// Classes are the kinds of object in it, see Coverage.
	Classes []string             `json:"classes,omitempty"`
	Set     string               `json:"change_set,omitempty"`
	By      addressing.ActorKind `json:"by,omitempty"`
	// Bulk says that all of it adds: it goes in waves only if there is too much.
	Bulk bool `json:"bulk,omitempty"`
	// Was and Will are the neighbor before and after; nil if there is none.
	Was  *policy.Neighbor `json:"was,omitempty"`
	Will *policy.Neighbor `json:"will,omitempty"`
}

// Key names an item: equal for the same prefix or neighbor in another plan.
type Key struct {
	Account  string
	Block    netip.Prefix
	Neighbor string
}

// Key of the item.
func (i Item) Key() Key { return Key{i.Account, i.Block, i.Neighbor} }

// InWaves reports whether a change goes in waves (DESIGN section 6): what
// removes or alters reachability, unless its owner did it, it has a lane of its
// own, or it goes back to the resting state.
func (c Change) InWaves() bool {
	switch {
	case c.AtOnce || c.By == addressing.Owner || c.drains():
		return false
	case c.Kind == Withdraw:
		return c.Loses
	case c.Kind == Modify:
		return c.Loses || !c.widens()
	}
	return c.Kind == Unbind
}

// drains reports whether a modification only makes a route the last choice
// before it leaves, or puts it back: nothing is lost by either.
func (c Change) drains() bool {
	if c.Kind != Modify || c.Before == nil || c.After == nil {
		return false
	}
	same := *c.Before
	same.DownAt = c.After.DownAt
	return same.SameAttributes(*c.After)
}

// widens reports whether a modification only adds sites.
func (c Change) widens() bool {
	if c.Before == nil || c.After == nil {
		return false
	}
	same := *c.Before
	same.Sites = c.After.Sites
	return same.SameAttributes(*c.After) && !slices.ContainsFunc(c.Before.Sites.Names, func(s string) bool { return !c.After.Sites.Has(s) }) && (!c.Before.Sites.All || c.After.Sites.All)
}

// Items are what of a plan goes in waves, sorted. With bulk, what it advertises
// goes along too, unless its owner advertises it.
func (p Plan) Items(bulk bool) []Item {
	b := blocks{p: &p, of: map[string]map[netip.Prefix]bool{}}
	items := map[Key]*Item{}
	wanted := map[Key]bool{} // false: it only adds
	for i := range p.Changes {
		c := &p.Changes[i]
		k := Key{Account: c.Account, Block: b.over(c.Account, c.CIDR)}
		it := items[k]
		if it == nil {
			it = &Item{Account: c.Account, Block: k.Block, FirstParty: c.AccountKind == addressing.FirstParty}
			items[k] = it
		}
		it.add(c)
		switch {
		case c.InWaves():
			wanted[k] = true
		case bulk && c.Kind == Advertise && !c.AtOnce && c.By != addressing.Owner:
			wanted[k] = wanted[k] || false
		}
	}
	out := make([]Item, 0, len(wanted))
	for k := range wanted {
		it := items[k]
		it.Bulk = !wanted[k]
		it.Classes = append(it.Classes, b.classes(k)...)
		slices.Sort(it.Classes)
		it.Classes = slices.Compact(it.Classes)
		out = append(out, *it)
	}
	out = append(out, p.neighborItems()...)
	slices.SortFunc(out, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Neighbor, b.Neighbor), cmp.Compare(a.Account, b.Account), addressing.ComparePrefix(a.Block, b.Block))
	})
	return out
}

func (i *Item) add(c *Change) {
	i.Ops++
	switch {
	case c.Kind == Advertise:
		i.Gains = append(i.Gains, c.CIDR)
	case c.Kind == Withdraw || c.Kind == Modify:
		i.Losses = append(i.Losses, c.CIDR)
	}
	if c.Set != "" && (c.InWaves() || i.Set == "") {
		i.Set, i.By = c.Set, c.By
	}
	i.Classes = append(i.Classes, "family:"+addressing.FamilyOf(c.CIDR).String())
	for _, r := range []*snapshots.Route{c.Before, c.After} {
		if r != nil {
			for _, s := range r.Services {
				i.Classes = append(i.Classes, "service:"+s)
			}
		}
	}
	if c.Service != "" {
		i.Classes = append(i.Classes, "service:"+c.Service)
	}
}

// neighborItems are the neighbors that the plan adds, changes or removes, those
// that follow a change of our own AS number among them.
func (p Plan) neighborItems() []Item {
	var out []Item
	from, to := p.Snapshots()
	was, will := neighborsOf(from), neighborsOf(to)
	for _, name := range p.changedNeighbors(was, will) {
		it := Item{Neighbor: name, Ops: 1}
		for _, side := range []struct {
			in  map[string]policy.Neighbor
			out **policy.Neighbor
		}{{was, &it.Was}, {will, &it.Will}} {
			if one, found := side.in[name]; found {
				*side.out = &one
				it.Classes = append(it.Classes, "role:"+roleOf(one))
			}
		}
		if it.Was != nil && it.Was.LocalASN == 0 && from.Network.ASN != to.Network.ASN {
			it.Was.LocalASN = from.Network.ASN // until its wave
		}
		slices.Sort(it.Classes)
		it.Classes = slices.Compact(it.Classes)
		out = append(out, it)
	}
	return out
}

// changedNeighbors are their names.
func (p Plan) changedNeighbors(was, will map[string]policy.Neighbor) []string {
	var names []string
	for _, n := range p.Network {
		switch n.What {
		case "neighbor":
			names = append(names, n.Name)
		case "asn":
			for name, one := range was {
				if next, stays := will[name]; stays && one.LocalASN == 0 && next.LocalASN == 0 {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func roleOf(n policy.Neighbor) string {
	if n.Kind == policy.Edge {
		return "edge"
	}
	return n.Role.String()
}

// blocks finds the prefix that a route or binding belongs to: the widest of
// its account, on either side of the plan, that holds it.
type blocks struct {
	p  *Plan
	of map[string]map[netip.Prefix]bool // by account
}

func (b blocks) over(account string, p netip.Prefix) netip.Prefix {
	known := b.of[account]
	if known == nil {
		known = map[netip.Prefix]bool{}
		for _, s := range []*snapshots.Snapshot{b.p.from, b.p.to} {
			if part, found := s.Account(account); found {
				for i := range part.Prefixes {
					known[part.Prefixes[i].CIDR] = true
				}
			}
		}
		b.of[account] = known
	}
	for bits := 0; bits <= p.Bits(); bits++ {
		if wide := netip.PrefixFrom(p.Addr(), bits).Masked(); known[wide] {
			return wide
		}
	}
	return p
}

// classes are those that the prefix record itself tells: who controls it.
func (b blocks) classes(k Key) []string {
	var out []string
	for _, s := range []*snapshots.Snapshot{b.p.from, b.p.to} {
		part, found := s.Account(k.Account)
		if !found {
			continue
		}
		i, found := slices.BinarySearchFunc(part.Prefixes, k.Block, func(r snapshots.PrefixRecord, p netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, p) })
		if found {
			out = append(out, "control:"+string(part.Prefixes[i].Control))
		}
	}
	return out
}
