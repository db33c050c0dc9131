package plan

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Diff compares two snapshots: one linear merge of sorted parts that skips
// parts with equal hashes. A nil from is a first load. Generation, At, Origin,
// Admitted and Actors are the caller's to fill in.
func Diff(from, to *snapshots.Snapshot) Plan {
	p := Plan{Environment: to.Environment, From: from.ID(), To: to.ID(), Changes: []Change{}, from: from, to: to}
	d := differ{p: &p, from: from, to: to, need: needs(from, to), count: newCounts(from, to)}
	if from == nil {
		d.from = &snapshots.Snapshot{}
	}
	d.accounts()
	p.Network = networkChanges(d.from.Network, to.Network, from == nil)
	p.Impact = d.count.impact()
	return p
}

// differ carries one comparison.
type differ struct {
	p        *Plan
	from, to *snapshots.Snapshot
	need     sitesNeeded
	count    *counts
}

// accounts merges the account parts of both sides.
func (d *differ) accounts() {
	a, b := d.from.Accounts, d.to.Accounts
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case j == len(b) || i < len(a) && a[i].Account < b[j].Account:
			d.count.side(0, d.from, i)
			d.part(&a[i], nil)
			i++
		case i == len(a) || a[i].Account > b[j].Account:
			d.count.side(1, d.to, j)
			d.part(nil, &b[j])
			j++
		default:
			d.count.side(0, d.from, i)
			d.count.side(1, d.to, j)
			if sum := d.from.PartSum(a[i].Account); sum == "" || sum != d.to.PartSum(b[j].Account) {
				d.part(&a[i], &b[j])
			}
			i++
			j++
		}
	}
}

// part compares one account; either side may be nil.
func (d *differ) part(a, b *snapshots.AccountPart) {
	owner := b
	if owner == nil {
		owner = a
	}
	var ra, rb []snapshots.Route
	var down snapshots.Down
	if a != nil {
		ra, down = a.Routes, snapshots.DownBy(a.Negative)
	}
	if b != nil {
		rb = b.Routes
	}
	for i, j := 0, 0; i < len(ra) || j < len(rb); {
		c := 0
		switch {
		case i == len(ra):
			c = 1
		case j == len(rb):
			c = -1
		default:
			c = addressing.ComparePrefix(ra[i].CIDR, rb[j].CIDR)
		}
		switch {
		case c < 0:
			d.add(owner, &ra[i], nil, rb, snapshots.Down{})
			i++
		case c > 0:
			d.add(owner, nil, &rb[j], rb, down)
			j++
		default:
			if !ra[i].Equal(rb[j]) {
				d.add(owner, &ra[i], &rb[j], rb, snapshots.Down{})
			}
			i++
			j++
		}
	}
	d.bindings(owner, a, b)
}

// add records the change of one route. now are the account's routes after it,
// down is what was down on purpose before it.
func (d *differ) add(owner *snapshots.AccountPart, before, after *snapshots.Route, now []snapshots.Route, down snapshots.Down) {
	c := Change{Account: owner.Account, AccountKind: owner.Kind, Before: before, After: after}
	switch {
	case before == nil:
		c.Kind, c.CIDR = Advertise, after.CIDR
		c.lift(down.Over(after.CIDR))
	case after == nil:
		c.Kind, c.CIDR = Withdraw, before.CIDR
		// Going back to the resting state is not a loss (DESIGN section 4).
		c.Loses = before.Resting != addressing.RestingWithdrawn
		c.Covered = coveredBy(before, now)
	case before.SameAttributes(*after):
		return // only the services behind it changed: that is a Bind or Unbind
	default:
		c.Kind, c.CIDR = Modify, after.CIDR
		c.Loses = d.need.weaker(before, after)
	}
	d.p.Changes = append(d.p.Changes, c)
	d.count.change(owner, before, after)
}

// lift notes the intents that kept a route down before. They expire when the
// last of them does.
func (c *Change) lift(was []snapshots.NegativeIntent) {
	for _, n := range was {
		switch {
		case c.Lifts == "":
			c.Lifts, c.liftsUntil = n.ID, n.ExpiresAt
		case n.ExpiresAt == 0 || c.liftsUntil != 0 && n.ExpiresAt > c.liftsUntil:
			c.Lifts, c.liftsUntil = n.ID, n.ExpiresAt
		}
	}
}

// bindings records the services that were bound and unbound. A binding whose
// prefix record is gone counts as unbound.
func (d *differ) bindings(owner, a, b *snapshots.AccountPart) {
	before, after := otherBindings(a, b)
	slices.SortFunc(before, compareBinding)
	slices.SortFunc(after, compareBinding)
	for i, j := 0, 0; i < len(before) || j < len(after); {
		c := 0
		switch {
		case i == len(before):
			c = 1
		case j == len(after):
			c = -1
		default:
			c = compareBinding(before[i], after[j])
		}
		switch {
		case c < 0:
			d.bind(owner, Unbind, before[i])
			i++
		case c > 0:
			d.bind(owner, Bind, after[j])
			j++
		default:
			i++
			j++
		}
	}
}

func (d *differ) bind(owner *snapshots.AccountPart, k Kind, b snapshots.Binding) {
	d.p.Changes = append(d.p.Changes, Change{Kind: k, Account: owner.Account, AccountKind: owner.Kind, CIDR: b.CIDR, Service: b.Service})
	if k == Bind {
		d.count.bind++
	} else {
		d.count.unbind++
	}
}

// bindingsOf lists the active bindings of a part. The id is left out: a
// binding that was made again for the same service is the same binding.
func bindingsOf(p *snapshots.AccountPart) []snapshots.Binding {
	if p == nil {
		return nil
	}
	var out []snapshots.Binding
	for i := range p.Prefixes {
		out = appendActive(out, p.Prefixes[i].Bindings)
	}
	return out
}

// otherBindings are the active bindings of both sides, without those of records
// that have the same ones on either: of a large account few differ.
func otherBindings(a, b *snapshots.AccountPart) (before, after []snapshots.Binding) {
	if a == nil || b == nil {
		return bindingsOf(a), bindingsOf(b)
	}
	x, y := a.Prefixes, b.Prefixes
	for len(x) > 0 && len(y) > 0 {
		switch c := addressing.ComparePrefix(x[0].CIDR, y[0].CIDR); {
		case c < 0:
			before, x = appendActive(before, x[0].Bindings), x[1:]
		case c > 0:
			after, y = appendActive(after, y[0].Bindings), y[1:]
		default:
			if !slices.Equal(x[0].Bindings, y[0].Bindings) {
				before, after = appendActive(before, x[0].Bindings), appendActive(after, y[0].Bindings)
			}
			x, y = x[1:], y[1:]
		}
	}
	for i := range x {
		before = appendActive(before, x[i].Bindings)
	}
	for i := range y {
		after = appendActive(after, y[i].Bindings)
	}
	return before, after
}

// appendActive leaves the ids out, see bindingsOf.
func appendActive(out, list []snapshots.Binding) []snapshots.Binding {
	for _, b := range list {
		if b.Active {
			out = append(out, snapshots.Binding{CIDR: b.CIDR, Service: b.Service, Active: true})
		}
	}
	return out
}

func compareBinding(a, b snapshots.Binding) int {
	if c := addressing.ComparePrefix(a.CIDR, b.CIDR); c != 0 {
		return c
	}
	switch {
	case a.Service < b.Service:
		return -1
	case a.Service > b.Service:
		return 1
	}
	return 0
}

// coveredBy reports whether a less specific route of the same account and
// service is advertised. One look-up per length: the table does not matter.
func coveredBy(r *snapshots.Route, now []snapshots.Route) bool {
	for bits := r.CIDR.Bits() - 1; bits >= 8; bits-- {
		p := netip.PrefixFrom(r.CIDR.Addr(), bits).Masked()
		i, found := slices.BinarySearchFunc(now, p, func(have snapshots.Route, p netip.Prefix) int {
			return addressing.ComparePrefix(have.CIDR, p)
		})
		if found && slices.ContainsFunc(now[i].Services, func(s string) bool { return slices.Contains(r.Services, s) }) {
			return true
		}
	}
	return false
}

// sitesNeeded knows how many sites a route is advertised from and how many its
// services need.
type sitesNeeded struct {
	before, after int // sites there are
	min           map[string]int
}

func needs(from, to *snapshots.Snapshot) sitesNeeded {
	n := sitesNeeded{after: len(to.Network.Sites), min: make(map[string]int, len(to.Network.Services))}
	if from != nil {
		n.before = len(from.Network.Sites)
	}
	for _, s := range to.Network.Services {
		n.min[s.ID] = s.MinSites
	}
	return n
}

// weaker reports whether a modification loses or can lose reachability
// (DESIGN section 4): another origin, a community that stops propagation or
// blackholes, fewer sites than the service needs, or a resting state that
// would let the next withdrawal pass as no loss.
func (n sitesNeeded) weaker(before, after *snapshots.Route) bool {
	if before.Origin != after.Origin || before.Resting != addressing.RestingWithdrawn && after.Resting == addressing.RestingWithdrawn {
		return true
	}
	for _, c := range [...]policy.Community{policy.NoExport, policy.NoAdvertise, policy.Blackhole} {
		if slices.Contains(after.Communities, c) && !slices.Contains(before.Communities, c) {
			return true
		}
	}
	had, has := sitesOf(before.Sites, n.before), sitesOf(after.Sites, n.after)
	need := 1
	for _, s := range before.Services {
		need = max(need, n.min[s])
	}
	return has < had && has < need
}

func sitesOf(s addressing.Sites, all int) int {
	if s.All {
		return all
	}
	return len(s.Names)
}
