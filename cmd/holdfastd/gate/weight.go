package gate

import (
	"net/netip"
	"slices"
	"sort"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// weight of losing a route: a fifth while the active snapshot advertises a
// cover of the same account and service, since traffic then still arrives
// (DESIGN section 4).
func weight(s *snapshots.Snapshot, account string, lost netip.Prefix, services []string) int {
	part := AccountPart(s, account)
	if part == nil {
		return breaker.WeightFull
	}
	least := addressing.MinBitsIPv4
	if addressing.FamilyOf(lost) == addressing.IPv6 {
		least = addressing.MinBitsIPv6
	}
	for bits := lost.Bits() - 1; bits >= least; bits-- {
		if cover := RouteAt(part, netip.PrefixFrom(lost.Addr(), bits).Masked()); cover != nil && slices.Equal(cover.Services, services) {
			return breaker.WeightCovered
		}
	}
	return breaker.WeightFull
}

// AccountPart finds an account in a snapshot, nil if it has none.
func AccountPart(s *snapshots.Snapshot, account string) *snapshots.AccountPart {
	if s == nil {
		return nil
	}
	i := sort.Search(len(s.Accounts), func(i int) bool { return s.Accounts[i].Account >= account })
	if i == len(s.Accounts) || s.Accounts[i].Account != account {
		return nil
	}
	return &s.Accounts[i]
}

// RouteAt finds a route of an account, nil if there is none.
func RouteAt(part *snapshots.AccountPart, p netip.Prefix) *snapshots.Route {
	i := sort.Search(len(part.Routes), func(i int) bool { return addressing.ComparePrefix(part.Routes[i].CIDR, p) >= 0 })
	if i == len(part.Routes) || part.Routes[i].CIDR != p {
		return nil
	}
	return &part.Routes[i]
}
