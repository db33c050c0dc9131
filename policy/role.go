package policy

import "fmt"

// Role is our BGP role towards a neighbor (RFC 9234 section 4.1). The zero
// value is no role: edge and iBGP neighbors have none.
type Role uint8

// Roles; the value on the wire is Role-1.
const (
	NoRole Role = iota
	RoleProvider
	RoleRS
	RoleRSClient
	RoleCustomer
	RolePeer
)

var roleNames = [...]string{"", "provider", "rs", "rs-client", "customer", "peer"}

// String names the role as the configuration does; no role is "".
func (r Role) String() string {
	if int(r) < len(roleNames) {
		return roleNames[r]
	}
	return fmt.Sprintf("role(%d)", uint8(r))
}

// MarshalText writes the configuration's name.
func (r Role) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the configuration's name.
func (r *Role) UnmarshalText(b []byte) error {
	for i, name := range roleNames {
		if string(b) == name {
			*r = Role(i)
			return nil
		}
	}
	return fmt.Errorf("role %q: use provider, rs, rs-client, customer or peer", b)
}
