package device

// OTCIngress is what a session with a role makes of the OTC attribute of what
// it receives (RFC 9234 section 5, ingress). Facts.LocalRole says what the
// neighbor is to us.
func OTCIngress(s *Session) Step {
	present := &Present{Field: OTC}
	reject := func(name string, x Expr) *Term {
		return &Term{Name: name, Match: x, Then: Disposition{Flow: RejectRoute}}
	}
	mark := &Term{Name: "OTC", Match: Negate(present), Actions: []Action{&SetScalar{Field: OTC, Op: AssignIfAbsent, From: true}}}
	var terms []*Term
	switch s.Facts.LocalRole {
	case Customer, RSClient:
		terms = append(terms, reject("OTC from a customer", present))
	case Peer:
		terms = append(terms, reject("OTC of another AS", &And{Xs: []Expr{present, &Compare{Field: OTC, Op: NE, Value: s.PeerAS}}}), mark)
	default:
		terms = append(terms, mark)
	}
	return roleStep("RFC 9234 ingress", terms)
}

// OTCEgress is both halves of RFC 9234 section 5, egress, in one step.
func OTCEgress(s *Session) Step {
	return roleStep("RFC 9234 egress", append(otcBlock(s), otcMark(s)...))
}

// OTCBlock is the half that keeps marked routes back, for dialects that ask
// before the export policy.
func OTCBlock(s *Session) Step { return roleStep("RFC 9234 egress, marked routes", otcBlock(s)) }

// OTCMark is the half that marks what is sent down, for dialects that do so
// after the export policy.
func OTCMark(s *Session) Step { return roleStep("RFC 9234 egress, mark", otcMark(s)) }

func otcBlock(s *Session) []*Term {
	switch s.Facts.LocalRole {
	case Provider, Peer, RouteServer:
		return []*Term{{Name: "OTC to a provider, peer or route server", Match: &Present{Field: OTC}, Then: Disposition{Flow: RejectRoute}}}
	}
	return nil
}

func otcMark(s *Session) []*Term {
	switch s.Facts.LocalRole {
	case Customer, Peer, RSClient:
		return []*Term{{
			Name: "OTC", Match: Negate(&Present{Field: OTC}),
			Actions: []Action{&SetScalar{Field: OTC, Op: AssignIfAbsent, Own: true}},
		}}
	}
	return nil
}

func roleStep(name string, terms []*Term) Step {
	step := ProtocolBehaviour(name, terms...)
	step.Kind = RoleStep
	return step
}
