package snapshots

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Scope says what a rollback takes back. The zero Scope names nothing and is
// refused (invariant 2).
type Scope struct {
	All      bool
	Accounts []string
	Prefixes []netip.Prefix // BGP prefixes or prefixes, exactly
}

func (s Scope) check() error {
	given := 0
	for _, named := range []bool{s.All, len(s.Accounts) > 0, len(s.Prefixes) > 0} {
		if named {
			given++
		}
	}
	if given != 1 {
		return errors.New("rollback names nothing, or more than one kind of thing: give all, accounts or prefixes")
	}
	return nil
}

// Back says how a rollback is composed.
type Back struct {
	Scope
	// Withdraw also withdraws what is advertised now and was not then. Without
	// it a rollback only adds and changes back (invariant 16).
	Withdraw bool
	// Keep names what Withdraw leaves advertised all the same; nil is nothing.
	Keep func(netip.Prefix) bool
	// Later names routes that are bound now and advertised with another
	// composition, when the machines behind them are ready; nil is none.
	Later func(account string, route netip.Prefix) bool
	// Lift names negative intents, by id, that the rollback overrides. All
	// others stay in force (invariant 15).
	Lift []string
}

// Composed is an older state brought forward into a new snapshot.
type Composed struct {
	Snapshot *Snapshot
	Touched  []string       // accounts that the rollback spoke of, sorted
	Newer    []netip.Prefix // advertised now and not then: left as they are
	Down     []string       // ids of negative intents that kept something down
	Skipped  []netip.Prefix // prefixes that belong to another account by now
}

// Compose brings then forward onto now. It is pure: neighbors, sites and
// services are those of now, negative intents of now stay in force, accounts
// outside the scope keep their part and its hash.
func Compose(now, then *Snapshot, how Back) (Composed, error) {
	if err := how.check(); err != nil {
		return Composed{}, err
	}
	if now.Environment != then.Environment {
		return Composed{}, fmt.Errorf("compose: snapshot of environment %q onto %q", then.Environment, now.Environment)
	}
	c := composer{now: now, then: then, how: how, lift: map[string]bool{}}
	for _, id := range how.Lift {
		c.lift[id] = true
	}
	if how.Prefixes != nil {
		c.only = map[netip.Prefix]bool{}
		for _, p := range how.Prefixes {
			c.only[p] = true
		}
	}
	draft, err := c.draft()
	if err != nil {
		return Composed{}, err
	}
	s, err := sealOver(draft, now, Expect{Environment: now.Environment})
	if err != nil {
		return Composed{}, fmt.Errorf("compose: %w", err)
	}
	c.out.Snapshot = s
	slices.Sort(c.out.Touched)
	slices.SortFunc(c.out.Newer, addressing.ComparePrefix)
	slices.Sort(c.out.Down)
	c.out.Down = slices.Compact(c.out.Down)
	return c.out, nil
}

type composer struct {
	now, then *Snapshot
	how       Back
	lift      map[string]bool
	only      map[netip.Prefix]bool // nil is every prefix
	owners    *bart.Table[string]   // who has which prefix now
	out       Composed
}

func (c *composer) draft() (*Snapshot, error) {
	accounts := c.how.Accounts
	if c.how.All || c.only != nil {
		accounts = nil
		for i := range c.then.Accounts {
			if p := &c.then.Accounts[i]; c.only == nil || c.names(p) {
				accounts = append(accounts, p.Account)
			}
		}
	}
	for _, a := range c.how.Accounts {
		if _, then := c.then.Account(a); !then {
			return nil, fmt.Errorf("account %s is not in that generation: choose another with --to", a)
		}
	}
	if len(accounts) == 0 && !c.how.All {
		return nil, errors.New("nothing of that is in that generation: choose another with --to")
	}
	parts := map[string]AccountPart{}
	for i := range c.now.Accounts {
		parts[c.now.Accounts[i].Account] = c.now.Accounts[i]
	}
	for _, a := range accounts {
		then, _ := c.then.Account(a)
		now, _ := c.now.Account(a)
		parts[a] = c.part(now, then)
		c.out.Touched = append(c.out.Touched, a)
	}
	if c.how.All && c.how.Withdraw {
		c.withdrawNew(parts)
	}
	draft := &Snapshot{Environment: c.now.Environment, Network: c.now.Network}
	for _, a := range slices.Sorted(maps.Keys(parts)) {
		draft.Accounts = append(draft.Accounts, parts[a])
	}
	draft.Network.Services = c.services(draft)
	return draft, nil
}

// names reports whether a part holds one of the prefixes in scope.
func (c *composer) names(p *AccountPart) bool {
	for i := range p.Prefixes {
		if c.only[p.Prefixes[i].CIDR] {
			return true
		}
		for _, b := range p.Prefixes[i].BGP {
			if c.only[b.CIDR] {
				return true
			}
		}
	}
	return false
}

// withdrawNew withdraws what belongs to accounts that then did not know.
func (c *composer) withdrawNew(parts map[string]AccountPart) {
	for id, p := range parts {
		if _, then := c.then.Account(id); then {
			continue
		}
		p.Prefixes = slices.Clone(p.Prefixes)
		for i := range p.Prefixes {
			p.Prefixes[i] = c.withdrawn(p.Prefixes[i])
		}
		p.Routes = Routes(&p)
		parts[id] = p
		c.out.Touched = append(c.out.Touched, id)
	}
}

func (c *composer) withdrawn(rec PrefixRecord) PrefixRecord {
	rec.BGP = slices.Clone(rec.BGP)
	for i, b := range rec.BGP {
		rec.BGP[i].Advertised = b.Advertised && !c.withdraws(b.CIDR)
		if rec.BGP[i].Advertised {
			c.out.Newer = append(c.out.Newer, b.CIDR)
		}
	}
	return rec
}

// withdraws reports whether a route that then did not have goes.
func (c *composer) withdraws(p netip.Prefix) bool {
	return c.how.Withdraw && (c.how.Keep == nil || !c.how.Keep(p))
}

// part merges one account; now is nil if it is gone by now.
func (c *composer) part(now, then *AccountPart) AccountPart {
	if now == nil {
		now = &AccountPart{Account: then.Account, Name: then.Name, Kind: then.Kind, Negative: then.Negative}
	}
	out := *now
	out.Negative = slices.DeleteFunc(slices.Clone(now.Negative), func(n NegativeIntent) bool { return c.lift[n.ID] })
	was := make(map[netip.Prefix]*PrefixRecord, len(then.Prefixes))
	for i := range then.Prefixes {
		was[then.Prefixes[i].CIDR] = &then.Prefixes[i]
	}
	out.Prefixes = make([]PrefixRecord, 0, len(now.Prefixes))
	for i := range now.Prefixes {
		rec := &now.Prefixes[i]
		out.Prefixes = append(out.Prefixes, c.record(now.Account, rec, was[rec.CIDR]))
		delete(was, rec.CIDR)
	}
	for i := range then.Prefixes {
		rec := &then.Prefixes[i]
		if was[rec.CIDR] == nil || !c.inScope(rec) {
			continue
		}
		if c.taken(rec.CIDR, then.Account) {
			c.out.Skipped = append(c.out.Skipped, rec.CIDR)
			continue
		}
		out.Prefixes = append(out.Prefixes, c.gone(then.Account, rec))
	}
	normalPart(&out)
	out.Routes = carry(Routes(&out), then.Routes, now.Routes)
	c.noteDown(&out)
	return out
}

// gone is a record that is gone by now, with only what is in scope advertised.
func (c *composer) gone(account string, rec *PrefixRecord) PrefixRecord {
	whole := c.only == nil || c.only[rec.CIDR]
	out := *rec
	out.BGP = slices.Clone(rec.BGP)
	for i := range out.BGP {
		b := &out.BGP[i]
		b.Advertised, b.DownAt = (b.Advertised || b.DownAt != 0) && (whole || c.only[b.CIDR]) && !c.later(account, b.CIDR), 0
	}
	return out
}

func (c *composer) later(account string, p netip.Prefix) bool {
	return c.how.Later != nil && c.how.Later(account, p)
}

func (c *composer) inScope(rec *PrefixRecord) bool {
	return c.only == nil || c.only[rec.CIDR] || slices.ContainsFunc(rec.BGP, func(b BGPRecord) bool { return c.only[b.CIDR] })
}

// taken reports whether another account has an overlapping prefix now.
func (c *composer) taken(p netip.Prefix, account string) bool {
	if c.owners == nil {
		c.owners = new(bart.Table[string])
		for i := range c.now.Accounts {
			for j := range c.now.Accounts[i].Prefixes {
				c.owners.Insert(c.now.Accounts[i].Prefixes[j].CIDR, c.now.Accounts[i].Account)
			}
		}
	}
	for _, owner := range c.owners.Supernets(p) {
		if owner != account {
			return true
		}
	}
	for _, owner := range c.owners.Subnets(p) {
		if owner != account {
			return true
		}
	}
	return false
}

// record merges one prefix that is there now; then is nil if it is newer.
func (c *composer) record(account string, now, then *PrefixRecord) PrefixRecord {
	if then == nil {
		if c.only != nil && !c.inScope(now) {
			return *now
		}
		return c.newer(now)
	}
	if !c.inScope(now) && !c.inScope(then) {
		return *now
	}
	out := *now
	whole := c.only == nil || c.only[now.CIDR]
	if whole {
		out.ASN, out.OnDemand, out.Locked, out.Control = then.ASN, then.OnDemand, then.Locked, then.Control
	}
	if then.State == addressing.Approved {
		out.State = addressing.Approved
	}
	was := make(map[netip.Prefix]*BGPRecord, len(then.BGP))
	for i := range then.BGP {
		was[then.BGP[i].CIDR] = &then.BGP[i]
	}
	out.BGP = make([]BGPRecord, 0, len(now.BGP))
	for _, b := range now.BGP {
		old := was[b.CIDR]
		delete(was, b.CIDR)
		if whole || c.only[b.CIDR] {
			b = c.bgp(account, b, old)
		}
		out.BGP = append(out.BGP, b)
	}
	for _, b := range then.BGP {
		if was[b.CIDR] != nil && (whole || c.only[b.CIDR]) {
			b.Advertised, b.DownAt = (b.Advertised || b.DownAt != 0) && !c.later(account, b.CIDR), 0
			out.BGP = append(out.BGP, b)
		}
	}
	out.Bindings = mergeBindings(now.Bindings, then.Bindings)
	return out
}

// newer is a record that then did not have.
func (c *composer) newer(now *PrefixRecord) PrefixRecord {
	return c.withdrawn(*now)
}

func (c *composer) bgp(account string, b BGPRecord, then *BGPRecord) BGPRecord {
	// What was on its way out then was still advertised.
	advertised := then != nil && (then.Advertised || then.DownAt != 0)
	if then != nil {
		b.Prepend, b.Resting, b.Sites = then.Prepend, then.Resting, then.Sites
		b.Sites = c.sites(b.Sites)
	}
	switch {
	case advertised && !b.Advertised && c.later(account, b.CIDR):
	case advertised:
		b.Advertised, b.DownAt = true, 0
	case b.Advertised && c.withdraws(b.CIDR):
		b.Advertised = false
	case b.Advertised:
		c.out.Newer = append(c.out.Newer, b.CIDR)
	}
	return b
}

// sites keeps the sites that still exist. If none does, all are meant: a
// restore never ends on nowhere because a site was renamed.
func (c *composer) sites(s addressing.Sites) addressing.Sites {
	if s.All {
		return s
	}
	names := slices.DeleteFunc(slices.Clone(s.Names), func(n string) bool {
		_, found := slices.BinarySearch(c.now.Network.Sites, n)
		return !found
	})
	if len(names) == 0 && len(s.Names) > 0 {
		return addressing.AllSites()
	}
	return addressing.Sites{Names: names}
}

// mergeBindings is the union by range and service: a rollback repairs what is
// missing and never unbinds.
func mergeBindings(now, then []Binding) []Binding {
	type key struct {
		cidr    netip.Prefix
		service string
	}
	out := slices.Clone(now)
	have := make(map[key]int, len(now))
	for i, b := range now {
		have[key{b.CIDR, b.Service}] = i
	}
	for _, b := range then {
		i, found := have[key{b.CIDR, b.Service}]
		if !found {
			out = append(out, b)
			continue
		}
		out[i].Active = out[i].Active || b.Active
	}
	return out
}

// services are those of now and the older ones that a binding still needs.
func (c *composer) services(draft *Snapshot) []Service {
	out := slices.Clone(c.now.Network.Services)
	have := make(map[string]bool, len(out))
	for _, s := range out {
		have[s.ID] = true
	}
	old := make(map[string]Service, len(c.then.Network.Services))
	for _, s := range c.then.Network.Services {
		old[s.ID] = s
	}
	for i := range draft.Accounts {
		for j := range draft.Accounts[i].Prefixes {
			for _, b := range draft.Accounts[i].Prefixes[j].Bindings {
				if s, found := old[b.Service]; found && !have[b.Service] {
					have[b.Service] = true
					out = append(out, s)
				}
			}
		}
	}
	return out
}

// noteDown collects the intents that keep something down that would be up.
func (c *composer) noteDown(p *AccountPart) {
	down := DownBy(p.Negative)
	for i := range p.Prefixes {
		for _, b := range p.Prefixes[i].BGP {
			if !b.Advertised {
				continue
			}
			for _, n := range down.Over(b.CIDR) {
				c.out.Down = append(c.out.Down, n.ID)
			}
		}
	}
}

// carry gives derived routes the attributes that records do not hold, from the
// first list that has the route.
func carry(routes []Route, lists ...[]Route) []Route {
	for i := range routes {
		for _, list := range lists {
			j, found := slices.BinarySearchFunc(list, routes[i].CIDR, func(r Route, p netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, p) })
			if found {
				r := &list[j]
				routes[i].Communities, routes[i].LargeCommunities, routes[i].MED, routes[i].LocalPref = r.Communities, r.LargeCommunities, r.MED, r.LocalPref
				break
			}
		}
	}
	return routes
}
