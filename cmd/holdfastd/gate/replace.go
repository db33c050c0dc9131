package gate

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Lacking gives the gate a neighbor at one of the sites that does not hold a
// route, or "".
func (g *Gate) Lacking(f func(netip.Prefix, addressing.Sites) string) { g.lacking = f }

// replaces refuses a withdrawal in favor of a route that does not carry what is
// withdrawn, or does not yet: make before break. What passes loses nothing, so
// it goes against the on-demand limits alone.
func (g *Gate) replaces(c addressing.ChangeSet) error {
	if !c.ReplacedBy.IsValid() {
		return nil
	}
	snap, _ := g.baseline.active()
	for _, e := range c.Effects {
		why := ""
		switch {
		case e.Kind != addressing.Lost:
			why = fmt.Sprintf("the change does more to %s than to withdraw it", e.CIDR)
		case !covers(c.ReplacedBy, e.CIDR):
			why = fmt.Sprintf("%s does not cover %s", c.ReplacedBy, e.CIDR)
		default:
			why = standsIn(snap, e, c.ReplacedBy)
		}
		if why == "" && g.lacking != nil {
			if n := g.lacking(c.ReplacedBy, RouteAt(AccountPart(snap, e.AccountID), c.ReplacedBy).Sites); n != "" {
				why = fmt.Sprintf("%s does not hold %s yet", n, c.ReplacedBy)
			}
		}
		if why != "" {
			return &addressing.Error{Code: addressing.CodeConflict, Op: c.Verb, Field: "replaced_by", Detail: why, Message: "not_replaced",
				Next: "announce the new route first and wait until the neighbors hold it, or withdraw the old one as it is"}
		}
	}
	return nil
}

func covers(by, p netip.Prefix) bool { return by.Bits() < p.Bits() && by.Contains(p.Addr()) }

// standsIn says why a route does not carry what an effect takes away, by what
// the wire was last told.
func standsIn(snap *snapshots.Snapshot, e addressing.Effect, by netip.Prefix) string {
	part := AccountPart(snap, e.AccountID)
	if part == nil {
		return "nothing of the account is announced"
	}
	now := RouteAt(part, by)
	if now == nil || now.Resting == addressing.RestingWithdrawn {
		return fmt.Sprintf("%s is not announced for the same account, or rests withdrawn", by)
	}
	old := RouteAt(part, e.CIDR)
	for _, s := range e.Services {
		if !slices.Contains(now.Services, s) {
			return fmt.Sprintf("%s is not bound to every service of %s", by, e.CIDR)
		}
	}
	if old != nil {
		for _, site := range snap.Network.Sites {
			if old.Sites.Has(site) && !now.Sites.Has(site) {
				return fmt.Sprintf("%s is not announced at site %s", by, site)
			}
		}
	}
	return ""
}
