package snapshots

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Held is every approved prefix of every account, sorted: what may be
// advertised, with everything inside it.
func (s *Snapshot) Held() []netip.Prefix {
	var out []netip.Prefix
	if s == nil {
		return nil
	}
	for i := range s.Accounts {
		for _, p := range s.Accounts[i].Prefixes {
			if p.State == addressing.Approved {
				out = append(out, p.CIDR)
			}
		}
	}
	slices.SortFunc(out, addressing.ComparePrefix)
	return out
}
