package policy

// OTC is the Only-to-Customer attribute of a route (RFC 9234 section 5). The
// zero value is a route without it.
type OTC struct {
	AS      uint32
	Present bool
}

// OTCWith is the attribute with the given AS number.
func OTCWith(as uint32) OTC { return OTC{AS: as, Present: true} }

// OTCDecision is the outcome of an OTC procedure. The zero value refuses: a
// route that nobody decided about is not accepted and not advertised.
type OTCDecision struct {
	Verdict Verdict
	OTC     OTC    // the attribute the route carries from here on
	Added   bool   // OTC was absent and has been added
	Why     string // the rule that spoke
}

// OTCIngress is the ingress procedure of RFC 9234 section 5 for a route of
// IPv4 or IPv6 unicast, received from peerAS over a session on which our role
// is local. A refused route is a leak: it is ineligible, and a route for the
// same prefix that was accepted before must go. Without a role nothing can be
// decided and the route is refused: sessions without roles (edge, iBGP) do not
// call it.
func OTCIngress(local Role, peerAS uint32, otc OTC) OTCDecision {
	switch local {
	case RoleProvider, RoleRS:
		// Ingress 1: a customer or RS-client may not send what was once sent down
		// to it: with OTC it is a leak, whatever the value.
		if otc.Present {
			return OTCDecision{OTC: otc, Why: "ingress 1: OTC from a customer or RS-client"}
		}
		return OTCDecision{Verdict: Allow}
	case RolePeer:
		// Ingress 2: a peer may send OTC only if the peer itself set it, with its
		// own AS number; another value says that the route came to the peer from
		// above or from the side.
		if otc.Present && otc.AS != peerAS {
			return OTCDecision{OTC: otc, Why: "ingress 2: OTC from a peer is not the peer's AS"}
		}
	case RoleCustomer, RoleRSClient:
		// From a provider or RS any value is fine: rule 3 alone applies.
	default:
		return OTCDecision{OTC: otc, Why: "no role on this session"}
	}
	// Ingress 3: what comes from above or from the side without OTC gets it here,
	// with the sender's AS number, as if the sender had set it.
	if !otc.Present {
		return OTCDecision{Verdict: Allow, OTC: OTCWith(peerAS), Added: true, Why: "ingress 3: OTC added"}
	}
	return OTCDecision{Verdict: Allow, OTC: otc}
}

// OTCEgress is the egress procedure of RFC 9234 section 5 for a route of IPv4
// or IPv6 unicast about to be advertised by localAS over a session on which
// our role is local. When it refuses, a route for the same prefix that is
// already on the wire must be withdrawn. Without a role the route is refused,
// as in OTCIngress.
func OTCEgress(local Role, localAS uint32, otc OTC) OTCDecision {
	switch local {
	case RoleCustomer, RoleRSClient:
		// Egress 2: a route with OTC has come down once, and goes neither up nor
		// to the side again.
		if otc.Present {
			return OTCDecision{OTC: otc, Why: "egress 2: a route with OTC must not go to a provider or RS"}
		}
		// Rule 1 does not name providers and RSes: nothing is added.
		return OTCDecision{Verdict: Allow}
	case RolePeer:
		// Egress 2, as above.
		if otc.Present {
			return OTCDecision{OTC: otc, Why: "egress 2: a route with OTC must not go to a peer"}
		}
	case RoleProvider, RoleRS:
		// To a customer or RS-client everything may go: rule 1 alone applies.
	default:
		return OTCDecision{OTC: otc, Why: "no role on this session"}
	}
	// Egress 1: what goes to a customer, a peer or an RS-client without OTC gets
	// it, with our AS number: from there it may only go down.
	if !otc.Present {
		return OTCDecision{Verdict: Allow, OTC: OTCWith(localAS), Added: true, Why: "egress 1: OTC added"}
	}
	// An OTC that is there is never changed.
	return OTCDecision{Verdict: Allow, OTC: otc}
}
