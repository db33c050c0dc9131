package snapshots

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Hold says what of a new snapshot must wait. The zero Hold holds nothing.
type Hold struct {
	// Route names routes, or whole prefixes, that stay as they are.
	Route func(account string, cidr netip.Prefix) bool
	// Sites narrows a new or wider route to the sites that are ready for it;
	// false leaves it alone. It must never name a site that the route does not.
	Sites func(account string, cidr netip.Prefix) (addressing.Sites, bool)
	// Network, if not nil, is what to use in place of the new one's.
	Network *NetworkPart
}

// HoldBack is next with the prefixes that hold names left as active has them:
// their records, and what took them down. One that active does not have is
// left out. Everything else of next stands. It is how a plan goes on without
// the part of it that was refused or that waits for its wave.
func HoldBack(active, next *Snapshot, hold func(account string, cidr netip.Prefix) bool) (*Snapshot, error) {
	return Hold{Route: hold}.Over(active, next)
}

// Over is next without what is held, see HoldBack.
func (h Hold) Over(active, next *Snapshot) (*Snapshot, error) {
	hold := h.Route
	if hold == nil {
		hold = func(string, netip.Prefix) bool { return false }
	}
	draft := &Snapshot{Environment: next.Environment, Network: next.Network}
	if h.Network != nil {
		draft.Network = *h.Network
	}
	kept := map[string]bool{}
	for i := range next.Accounts {
		p := &next.Accounts[i]
		was, _ := active.Account(p.Account)
		kept[p.Account] = true
		if sum := next.PartSum(p.Account); sum != "" && sum == active.PartSum(p.Account) {
			draft.Accounts = append(draft.Accounts, *p) // as it was: there is nothing to hold
			continue
		}
		part := holdPart(was, p, hold)
		if h.Sites != nil {
			part = h.narrow(part)
		}
		draft.Accounts = append(draft.Accounts, part)
	}
	for i := range active.Accounts {
		was := &active.Accounts[i]
		if kept[was.Account] || len(heldRecords(was, hold)) == 0 {
			continue
		}
		empty := &AccountPart{Account: was.Account, Name: was.Name, Kind: was.Kind}
		draft.Accounts = append(draft.Accounts, holdPart(was, empty, hold))
	}
	slices.SortFunc(draft.Accounts, func(a, b AccountPart) int { return compareString(a.Account, b.Account) })
	draft.Network.Services = olderServices(active, next, draft)
	return sealOver(draft, next, Expect{Environment: next.Environment})
}

// HoldNetwork is next with the neighbors, sites and number of active: how a
// plan goes on without a configuration that was refused. The limits in force
// are those of next: a refusal does not take them back.
func HoldNetwork(active, next *Snapshot) (*Snapshot, error) {
	draft := &Snapshot{Environment: next.Environment, Network: next.Network, Accounts: next.Accounts}
	draft.Network.ASN, draft.Network.Sites, draft.Network.Neighbors = active.Network.ASN, active.Network.Sites, active.Network.Neighbors
	draft.Network.Drain, draft.Network.Transits = active.Network.Drain, active.Network.Transits
	return sealOver(draft, next, Expect{Environment: next.Environment})
}

// heldRecords are the CIDRs of active's records that hold a held route.
func heldRecords(was *AccountPart, hold func(string, netip.Prefix) bool) map[netip.Prefix]*PrefixRecord {
	out := map[netip.Prefix]*PrefixRecord{}
	if was == nil {
		return out
	}
	for i := range was.Prefixes {
		rec := &was.Prefixes[i]
		if heldRecord(was.Account, rec, hold) {
			out[rec.CIDR] = rec
		}
	}
	return out
}

func heldRecord(account string, rec *PrefixRecord, hold func(string, netip.Prefix) bool) bool {
	return hold(account, rec.CIDR) || slices.ContainsFunc(rec.BGP, func(b BGPRecord) bool { return hold(account, b.CIDR) })
}

// narrow limits routes to the sites that are ready for them.
func (h Hold) narrow(p AccountPart) AccountPart {
	cloned := false
	for i := range p.Prefixes {
		for j, b := range p.Prefixes[i].BGP {
			sites, narrower := h.Sites(p.Account, b.CIDR)
			if !narrower || equalSites(sites, b.Sites) {
				continue
			}
			if !cloned {
				p.Prefixes, cloned = slices.Clone(p.Prefixes), true
			}
			p.Prefixes[i].BGP = slices.Clone(p.Prefixes[i].BGP)
			p.Prefixes[i].BGP[j].Sites = sites
		}
	}
	if cloned {
		p.Routes = carry(Routes(&p), p.Routes)
	}
	return p
}

func holdPart(was, p *AccountPart, hold func(string, netip.Prefix) bool) AccountPart {
	held := heldRecords(was, hold)
	fresh := func(rec PrefixRecord) bool { return held[rec.CIDR] == nil && heldRecord(p.Account, &rec, hold) }
	if len(held) == 0 && !slices.ContainsFunc(p.Prefixes, fresh) {
		return *p
	}
	if was == nil {
		was = &AccountPart{Account: p.Account}
	}
	out := *p
	out.Prefixes = make([]PrefixRecord, 0, len(p.Prefixes)+len(held))
	for _, rec := range p.Prefixes {
		if held[rec.CIDR] == nil && !fresh(rec) {
			out.Prefixes = append(out.Prefixes, rec)
		}
	}
	for _, rec := range held {
		out.Prefixes = append(out.Prefixes, *rec)
	}
	// An intent that is new and covers something held is part of what is held.
	over := newIntentsOver(was, p, hold)
	out.Negative = slices.DeleteFunc(slices.Clone(p.Negative), func(n NegativeIntent) bool { return over[n.ID] })
	// One that is gone and covered something held stays.
	out.Negative = append(out.Negative, goneIntentsOver(was, p, hold)...)
	normalPart(&out)
	out.Routes = carry(Routes(&out), was.Routes, p.Routes)
	return out
}

// newIntentsOver are the ids of intents that p has and was has not, and that
// keep a held route down.
func newIntentsOver(was, p *AccountPart, hold func(string, netip.Prefix) bool) map[string]bool {
	fresh := DownBy(without(p.Negative, was.Negative))
	out := map[string]bool{}
	for i := range was.Routes {
		if !hold(was.Account, was.Routes[i].CIDR) {
			continue
		}
		for _, n := range fresh.Over(was.Routes[i].CIDR) {
			out[n.ID] = true
		}
	}
	return out
}

// goneIntentsOver are the intents that was has and p has not, and that keep a
// held BGP prefix down.
func goneIntentsOver(was, p *AccountPart, hold func(string, netip.Prefix) bool) []NegativeIntent {
	gone := DownBy(without(was.Negative, p.Negative))
	found := map[string]NegativeIntent{}
	for i := range was.Prefixes {
		for _, b := range was.Prefixes[i].BGP {
			if !hold(was.Account, b.CIDR) {
				continue
			}
			for _, n := range gone.Over(b.CIDR) {
				found[n.ID] = n
			}
		}
	}
	return slices.Collect(maps.Values(found))
}

// without are the intents of a that b does not have.
func without(a, b []NegativeIntent) []NegativeIntent {
	have := make(map[string]bool, len(b))
	for _, n := range b {
		have[n.ID] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(n NegativeIntent) bool { return have[n.ID] })
}

// olderServices are next's services and those of active that a held record
// still needs.
func olderServices(active, next, draft *Snapshot) []Service {
	c := composer{now: next, then: active}
	return c.services(draft)
}
