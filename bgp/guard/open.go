package guard

import (
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Terms are what the two OPENs of a session have settled.
type terms struct {
	remote    end
	role      policy.Role // the neighbor's, NoRole when it sent none
	families  wire.FamilySet
	hold      time.Duration
	encoding  wire.Encoding
	restarted bool // the neighbor's Restart State bit (RFC 4724 section 3)
	endOfRIB  bool // the neighbor reads End-of-RIB: it sent the capability
	survival  bgp.Survival
	session   wire.Session
}

// restart is what our OPEN says of graceful restart (RFC 4724 section 3).
type restart struct {
	restarting bool // R: this is the first session after a restart of ours
	forwarding bool // F: the neighbor may hold routes of ours, and they still work
}

// ourOpen is the OPEN to the neighbor: what we do, and nothing that was not
// asked for. ADD-PATH (RFC 7911), extended next hops (RFC 8950) and extended
// messages (RFC 8654) are never offered, so they are never in use.
func ourOpen(n *Neighbor, routerID end, r restart) wire.Open {
	var cs wire.Capabilities
	for _, f := range n.Families {
		cs = append(cs, wire.MultiprotocolCapability(wire.FamilyOf(f)))
	}
	cs = append(cs, wire.Capability{Code: wire.CapRouteRefresh})
	// RFC 9234 section 4.1: the capability tells our role; only eBGP has one.
	if c, ok := wire.RoleCapability(n.role()); ok {
		cs = append(cs, c)
	}
	if n.RestartTime > 0 {
		g := wire.GracefulRestart{Restarting: r.restarting, Notification: true, Time: uint16(n.RestartTime / time.Second)}
		for _, f := range n.Families {
			g.Families = append(g.Families, wire.RestartFamily{Family: wire.FamilyOf(f), Forwarding: r.forwarding})
		}
		cs = append(cs, g.Capability())
	}
	if c, ok := longLived(n, r); ok {
		cs = append(cs, c)
	}
	return wire.NewOpen(n.LocalASN, uint16(n.HoldTime/time.Second), routerID.id, cs)
}

// agree compares the neighbor's OPEN with what we expect. A non-nil
// Notification is the answer that ends the session.
func agree(n *Neighbor, local end, o wire.Open) (terms, *wire.Notification) {
	t := terms{remote: end{id: o.RouterID, asn: o.ASN()}}
	switch {
	case o.ASN() != n.ASN:
		// RFC 4271 section 6.2: an AS number that is not the expected one.
		return t, &wire.Notification{Code: wire.CodeOpen, Subcode: wire.SubBadPeerAS}
	case n.internal() && o.RouterID == local.id:
		// RFC 6286 section 2.2: within an AS identifiers differ.
		return t, &wire.Notification{Code: wire.CodeOpen, Subcode: wire.SubBadIdentifier}
	case o.HoldTime == 0:
		// RFC 4271 section 6.2 lets any hold time be refused. Without one a
		// dead neighbor would never be noticed.
		return t, &wire.Notification{Code: wire.CodeOpen, Subcode: wire.SubUnacceptableHoldTime}
	}
	// RFC 9234 section 4.2: Role Mismatch, code 2, subcode 11.
	roles := policy.AgreeRoles(n.role(), o.Capabilities.Roles(), n.StrictRole)
	if t.role = roles.Remote; roles.Verdict != policy.Allow {
		return t, &wire.Notification{Code: wire.CodeOpen, Subcode: wire.SubRoleMismatch}
	}
	var ours []wire.Capability
	var families []wire.Family
	for _, f := range n.Families {
		families = append(families, wire.FamilyOf(f))
		ours = append(ours, wire.MultiprotocolCapability(wire.FamilyOf(f)))
	}
	t.families = wire.NewFamilySet(families...).Intersect(o.Families())
	if len(t.families.List()) == 0 {
		return t, wire.UnsupportedCapability(ours...)
	}
	// RFC 4271 section 4.2: the smaller of the two hold times.
	t.hold = min(n.HoldTime.Truncate(time.Second), time.Duration(o.HoldTime)*time.Second)
	_, four := o.Capabilities.FourOctetAS()
	t.encoding = wire.Encoding{TwoOctetAS: !four}
	g, graceful := o.Capabilities.GracefulRestart()
	t.restarted, t.endOfRIB = g.Restarting, graceful
	t.survival = survival(n, o)
	t.session = wire.Session{Internal: n.internal(), TwoOctetAS: !four, Families: t.families}
	if !n.internal() && n.role() != policy.RoleRSClient {
		t.session.FirstAS = n.ASN // a route server may leave its own AS out (RFC 7947 section 2.2.2.1)
	}
	return t, nil
}
