package plan

import (
	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// byFamily counts IPv4 and IPv6 apart.
type byFamily [2]Count

func index(f addressing.Family) int {
	if f == addressing.IPv6 {
		return 1
	}
	return 0
}

// delta is what happens to the routes visible at one place.
type delta struct{ advertise, withdraw, modify [2]int }

// counts adds up an impact without a table per neighbor: a neighbor sees the
// routes of all sites and those of its own, so that two sums per side and one
// delta per site are enough.
type counts struct {
	from, to     *snapshots.Snapshot
	total        byFamily
	customer     byFamily
	account      map[string]*byFamily
	all          [2][2]int            // side, family: routes of all sites
	site         [2]map[string][2]int // side: routes that name the site
	every        delta                // changes of routes of all sites, before and after
	at           map[string]*delta    // changes that are not the same at all sites
	names        []string             // sites that a neighbor is in
	bind, unbind int
}

func newCounts(from, to *snapshots.Snapshot) *counts {
	c := &counts{from: from, to: to, account: map[string]*byFamily{}, at: map[string]*delta{}}
	c.site = [2]map[string][2]int{{}, {}}
	for _, s := range []*snapshots.Snapshot{from, to} {
		if s == nil {
			continue
		}
		for _, n := range s.Network.Neighbors {
			if c.at[n.Site] == nil {
				c.at[n.Site] = &delta{}
				c.names = append(c.names, n.Site)
			}
		}
	}
	return c
}

// side adds the tally of one account to one side.
func (c *counts) side(side int, s *snapshots.Snapshot, i int) {
	t := s.Tally(i)
	routes := t.All
	for f := range 2 {
		c.all[side][f] += t.All[f]
	}
	for site, n := range t.Site {
		have := c.site[side][site]
		c.site[side][site] = [2]int{have[0] + n[0], have[1] + n[1]}
	}
	if len(t.Site) > 0 {
		routes = families(s.Accounts[i].Routes)
	}
	c.add(&c.total, side, routes)
	if s.Accounts[i].Kind != addressing.FirstParty {
		c.add(&c.customer, side, routes)
	}
}

func (c *counts) add(b *byFamily, side int, n [2]int) {
	for f := range 2 {
		if side == 0 {
			b[f].Before += n[f]
		} else {
			b[f].After += n[f]
		}
	}
}

// families counts distinct routes; a tally counts one per site.
func families(routes []snapshots.Route) (n [2]int) {
	for i := range routes {
		n[index(addressing.FamilyOf(routes[i].CIDR))]++
	}
	return n
}

// change counts the change of one route.
func (c *counts) change(owner *snapshots.AccountPart, before, after *snapshots.Route) {
	r := after
	if r == nil {
		r = before
	}
	f := index(addressing.FamilyOf(r.CIDR))
	if c.account[owner.Account] == nil {
		c.account[owner.Account] = c.baseline(owner.Account)
	}
	for _, b := range []*byFamily{&c.total, c.account[owner.Account]} {
		count(&b[f], before != nil, after != nil)
	}
	if owner.Kind != addressing.FirstParty {
		count(&c.customer[f], before != nil, after != nil)
	}
	c.visible(f, before, after)
}

func count(n *Count, had, has bool) {
	switch {
	case had && has:
		n.Modify++
	case has:
		n.Advertise++
	case had:
		n.Withdraw++
	}
}

// visible counts the change where neighbors see it.
func (c *counts) visible(f int, before, after *snapshots.Route) {
	if (before == nil || before.Sites.All) && (after == nil || after.Sites.All) {
		c.every.bump(f, before != nil, after != nil)
		return
	}
	for _, site := range c.names {
		c.at[site].bump(f, before != nil && before.Sites.Has(site), after != nil && after.Sites.Has(site))
	}
}

func (d *delta) bump(f int, had, has bool) {
	switch {
	case had && has:
		d.modify[f]++
	case has:
		d.advertise[f]++
	case had:
		d.withdraw[f]++
	}
}

// baseline is an account's counts before and after, without its changes.
func (c *counts) baseline(account string) *byFamily {
	var b byFamily
	for side, s := range []*snapshots.Snapshot{c.from, c.to} {
		if p, found := s.Account(account); found {
			c.add(&b, side, families(p.Routes))
		}
	}
	return &b
}

func (c *counts) impact() Impact {
	out := Impact{
		Total: c.total.byName(), Customer: c.customer.byName(), Bind: c.bind, Unbind: c.unbind,
		Account:  make(map[string]map[addressing.Family]Count, len(c.account)),
		Neighbor: map[string]map[addressing.Family]Count{},
	}
	for id, b := range c.account {
		out.Account[id] = b.byName()
	}
	before, after := neighborsOf(c.from), neighborsOf(c.to)
	for name, n := range before {
		m, stays := after[name]
		out.Neighbor[name] = c.neighbor(&n, pick(&m, stays))
	}
	for name, n := range after {
		if _, had := before[name]; !had {
			out.Neighbor[name] = c.neighbor(nil, &n)
		}
	}
	return out
}

func pick(n *policy.Neighbor, there bool) *policy.Neighbor {
	if there {
		return n
	}
	return nil
}

// neighbor is the impact on one neighbor; a is nil if it is new, b if it goes.
func (c *counts) neighbor(a, b *policy.Neighbor) map[addressing.Family]Count {
	out := make(map[addressing.Family]Count, 2)
	for _, f := range addressing.Families() {
		sent, sends := sendsIn(c.from, a, f), sendsIn(c.to, b, f)
		var n Count
		if sent {
			n.Before = c.all[0][index(f)] + c.site[0][a.Site][index(f)]
		}
		if sends {
			n.After = c.all[1][index(f)] + c.site[1][b.Site][index(f)]
		}
		switch {
		case sent && sends && a.Site == b.Site:
			d := c.at[a.Site]
			n.Advertise = c.every.advertise[index(f)] + d.advertise[index(f)]
			n.Withdraw = c.every.withdraw[index(f)] + d.withdraw[index(f)]
			n.Modify = c.every.modify[index(f)] + d.modify[index(f)]
			if altered(*a, *b) || c.from.Network.DutyOf(a) != c.to.Network.DutyOf(b) || c.from.Network.ASN != c.to.Network.ASN {
				n.Modify = n.After - n.Advertise
			}
		case sent || sends:
			n.Withdraw, n.Advertise = n.Before, n.After
			if sent && sends { // moved to another site: what both see stays
				kept := min(c.all[0][index(f)], c.all[1][index(f)])
				n.Withdraw, n.Advertise, n.Modify = n.Before-kept, n.After-kept, kept
			}
		}
		if sent || sends {
			out[f] = n
		}
	}
	return out
}

func sendsIn(s *snapshots.Snapshot, n *policy.Neighbor, f addressing.Family) bool {
	return n != nil && sends(*n, f, s.Network.DutyOf(n))
}

func neighborsOf(s *snapshots.Snapshot) map[string]policy.Neighbor {
	out := map[string]policy.Neighbor{}
	if s != nil {
		for _, n := range s.Network.Neighbors {
			out[n.Name] = n
		}
	}
	return out
}

func (b byFamily) byName() map[addressing.Family]Count {
	out := make(map[addressing.Family]Count, 2)
	for _, f := range addressing.Families() {
		if b[index(f)] != (Count{}) {
			out[f] = b[index(f)]
		}
	}
	return out
}
