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

// Roles lists the five roles in the order of their wire values.
func Roles() [5]Role {
	return [5]Role{RoleProvider, RoleRS, RoleRSClient, RoleCustomer, RolePeer}
}

// Valid reports whether r is one of the five roles.
func (r Role) Valid() bool { return r >= RoleProvider && r <= RolePeer }

// Wire is the value of the Role capability (RFC 9234 section 4.1, table 1); ok
// is false for no role, which has no encoding.
func (r Role) Wire() (value uint8, ok bool) {
	if !r.Valid() {
		return 0, false
	}
	return uint8(r) - 1, true
}

// RoleFromWire reads the value of a Role capability; an unassigned value
// (5 to 255) is no role.
func RoleFromWire(value uint8) (r Role, ok bool) {
	if value > uint8(RolePeer)-1 {
		return NoRole, false
	}
	return Role(value + 1), true
}

// Counterpart is the one role the far side must have when ours is r (RFC 9234
// section 4.2, table 2); the counterpart of no role is no role.
func (r Role) Counterpart() Role {
	switch r {
	case RoleProvider:
		return RoleCustomer
	case RoleCustomer:
		return RoleProvider
	case RoleRS:
		return RoleRSClient
	case RoleRSClient:
		return RoleRS
	case RolePeer:
		return RolePeer
	}
	return NoRole
}

// RolesMatch reports whether the two ends of a session have roles that fit
// each other (RFC 9234 section 4.2, table 2). A missing role never matches.
func RolesMatch(local, remote Role) bool {
	return local.Valid() && local.Counterpart() == remote
}

// RoleAgreement is what comes of comparing our role with the Role capabilities
// of a neighbor's OPEN. The zero value refuses the session.
type RoleAgreement struct {
	Verdict Verdict
	Remote  Role   // the far side's role, NoRole when it sent none or an unassigned one
	Why     string // reason of a refusal, for logs and for the neighbor's status
}

// AgreeRoles compares our role with the values of all Role capabilities that
// the neighbor sent. Anything but Allow must be answered with the NOTIFICATION
// Role Mismatch (2/11). With no role of our own nothing is compared.
func AgreeRoles(local Role, offered []uint8, strict bool) RoleAgreement {
	if local == NoRole {
		return RoleAgreement{Verdict: Allow, Why: "no role configured"}
	}
	// RFC 9234 section 4.2: a neighbor that knows nothing of roles sends none, and
	// the session comes up all the same; strict mode is the operator's choice to
	// refuse it.
	if len(offered) == 0 {
		if strict {
			return RoleAgreement{Why: "strict mode: the neighbor sent no role"}
		}
		return RoleAgreement{Verdict: Allow, Why: "the neighbor sent no role"}
	}
	// RFC 9234 section 4.2: the capability may be repeated, as long as every one
	// says the same.
	for _, value := range offered[1:] {
		if value != offered[0] {
			return RoleAgreement{Why: "the neighbor sent several roles that differ"}
		}
	}
	remote, ok := RoleFromWire(offered[0])
	if !ok {
		return RoleAgreement{Why: "the neighbor sent an unassigned role"}
	}
	// RFC 9234 section 4.2: where both ends have sent a role, the two must be a
	// pair of table 2.
	if !RolesMatch(local, remote) {
		return RoleAgreement{Remote: remote, Why: "the neighbor's role does not fit ours"}
	}
	return RoleAgreement{Verdict: Allow, Remote: remote}
}

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
