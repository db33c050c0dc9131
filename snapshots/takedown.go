package snapshots

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TakeDown is active with these negative intents in force, and nothing else
// changed: how the emergency lane reaches the wire whatever desired state
// looks like. Every intent names a BGP prefix of its account, exactly. It is
// pure; intents that active has already are left as they are.
func TakeDown(active *Snapshot, intents []addressing.NegativeIntent) (*Snapshot, error) {
	draft := &Snapshot{Environment: active.Environment, Network: active.Network, Accounts: slices.Clone(active.Accounts)}
	for _, n := range intents {
		i, found := active.find(n.AccountID)
		if !found || !holdsRoute(&active.Accounts[i], n.CIDR) {
			return nil, fmt.Errorf("take down %s: the active snapshot has no such BGP prefix of account %s", n.CIDR, n.AccountID)
		}
		p := &draft.Accounts[i]
		if slices.ContainsFunc(p.Negative, func(o NegativeIntent) bool { return o.ID == n.ID }) {
			continue
		}
		part := *p
		part.Negative = append(slices.Clone(p.Negative), intentOf(n))
		normalPart(&part)
		part.Routes = carry(Routes(&part), active.Accounts[i].Routes)
		*p = part
	}
	s, err := sealOver(draft, active, Expect{Environment: active.Environment})
	if err != nil {
		return nil, fmt.Errorf("take down: %w", err)
	}
	return s, nil
}

// HoldsRoute says which account has cidr as a BGP prefix, and whether it is
// advertised.
func (s *Snapshot) HoldsRoute(cidr netip.Prefix) (account string, advertised, found bool) {
	for i := range s.Accounts {
		p := &s.Accounts[i]
		if !holdsRoute(p, cidr) {
			continue
		}
		_, advertised = slices.BinarySearchFunc(p.Routes, cidr, func(r Route, c netip.Prefix) int { return addressing.ComparePrefix(r.CIDR, c) })
		return p.Account, advertised, true
	}
	return "", false, false
}

func holdsRoute(p *AccountPart, cidr netip.Prefix) bool {
	for i := range p.Prefixes {
		if slices.ContainsFunc(p.Prefixes[i].BGP, func(b BGPRecord) bool { return b.CIDR == cidr }) {
			return true
		}
	}
	return false
}
