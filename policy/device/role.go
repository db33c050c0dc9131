package device

import "fmt"

// Role is what a neighbor is to us. It is the other way round from
// policy.Role, which is ours towards the neighbor (RFC 9234 section 4.1).
type Role uint8

// Roles. UnknownRole is the zero value; a rule treats it as not proved.
const (
	UnknownRole Role = iota
	Provider
	Peer
	RouteServer
	RSClient
	Customer
	Collector // takes everything, sends nothing on
	Internal  // iBGP
)

var roleNames = [...]string{"unknown", "provider", "peer", "rs", "rs-client", "customer", "collector", "ibgp"}

// String writes the name used in .leaklint.yaml.
func (r Role) String() string { return roleNames[r] }

// MarshalText writes the same words as String.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// ParseRole reads a name as String writes it.
func ParseRole(s string) (Role, error) {
	for i, n := range roleNames {
		if n == s {
			return Role(i), nil
		}
	}
	return UnknownRole, fmt.Errorf("role %q: want one of provider, peer, rs, rs-client, customer, collector, ibgp, unknown", s)
}

// Forbidden reports whether a route learned from src may never be sent to a
// neighbor of this role (RFC 7908 section 3, RFC 9234 section 5): what came
// from a provider, a peer or a route server goes to customers only.
func (r Role) Forbidden(src Role) bool {
	up := func(x Role) bool { return x == Provider || x == Peer || x == RouteServer }
	return up(r) && up(src)
}

// RoleSource says how a role came to be known.
type RoleSource uint8

// Sources of a role, weakest first.
const (
	RoleNotKnown   RoleSource = iota
	RoleInferred              // guessed from names and ASNs, and said so
	RoleConfigured            // from the configuration itself: RFC 9234, iBGP
	RoleDeclared              // from .leaklint.yaml
)

// String writes the name.
func (s RoleSource) String() string {
	return [...]string{"unknown", "inferred", "configured", "declared"}[s]
}
