package addressing

import (
	"context"
	"fmt"
	"net/netip"
)

// Signal sets the route with this CIDR as its customer signals it on a session
// of its own (ADR-08): announcing it is advertising, withdrawing it in so many
// words is withdrawing. It is a change like the owner's own, with the same
// gates; a session that is lost signals nothing. Only prefixes that are
// controlled by BGP can be signalled, and those by nothing else.
func (r *Registry) Signal(ctx context.Context, req Request, cidr netip.Prefix, advertised bool) (BGPPrefix, ChangeSet, error) {
	patch := BGPPrefixPatch{Advertised: &advertised}
	var out BGPPrefix
	change, err := r.mutate(ctx, req, "signal", patch.verb(), func(m *mutation) error {
		d, prior, err := signalled(m.tx, req.Scope, cidr)
		if err != nil {
			return err
		}
		m.account, m.inverse = d.AccountID, patch.inverse()
		out = prior
		if m.settled(d, prior, advertised) {
			return errUnchanged
		}
		// The customer has stopped announcing it: there is nothing to drain.
		if err := m.turn(d, &out, advertised, nil); err != nil {
			return err
		}
		out, err = m.saveBGPPrefix(&prior, out)
		return err
	})
	return out, change, err
}

// signalled finds the route that a signal speaks of.
func signalled(tx ReadTx, s Scope, cidr netip.Prefix) (PrefixDetail, BGPPrefix, error) {
	routes, err := tx.BGPPrefixesAt(cidr)
	if err != nil {
		return PrefixDetail{}, BGPPrefix{}, err
	}
	for _, b := range routes {
		d, err := inScope(tx, s, b.PrefixID)
		if err != nil {
			continue // another account's, or one that is being deleted
		}
		switch {
		case d.State != Approved:
			return d, b, &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is %s, not approved", d.CIDR, d.State), Next: "wait for its approval"}
		case d.Control != ControlBGP:
			return d, b, &Error{Code: CodeConflict, Field: "control", Detail: fmt.Sprintf("%s is not controlled by BGP, the two ways exclude one another", d.CIDR),
				Next: "an operator sets its control to bgp, or it is toggled through the API"}
		}
		return d, b, nil
	}
	return PrefixDetail{}, BGPPrefix{}, &Error{Code: CodeNotFound, Detail: fmt.Sprintf("no BGP prefix %s in the account of the session", cidr), Number: 1000, Message: "not_found",
		Next: "create it, or announce what exists"}
}
