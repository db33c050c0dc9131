package policy

import (
	"encoding"
	"testing"
)

var (
	_ encoding.TextMarshaler   = Role(0)
	_ encoding.TextUnmarshaler = (*Role)(nil)
)

func TestRoleWireValues(t *testing.T) {
	want := map[Role]uint8{RoleProvider: 0, RoleRS: 1, RoleRSClient: 2, RoleCustomer: 3, RolePeer: 4}
	for role, value := range want {
		if got, ok := role.Wire(); !ok || got != value {
			t.Errorf("%s on the wire: got %d, %v, want %d", role, got, ok, value)
		}
		if got, ok := RoleFromWire(value); !ok || got != role {
			t.Errorf("role of wire value %d: got %q, %v, want %q", value, got, ok, role)
		}
	}
	for value := 5; value < 256; value++ {
		if got, ok := RoleFromWire(uint8(value)); ok || got != NoRole {
			t.Errorf("unassigned wire value %d: got %q, %v, want no role", value, got, ok)
		}
	}
	for _, r := range []Role{NoRole, RolePeer + 1, 255} {
		if v, ok := r.Wire(); ok {
			t.Errorf("%s has a wire value %d, want none", r, v)
		}
	}
}

func TestRoleText(t *testing.T) {
	for _, r := range append([]Role{NoRole}, allRoles()...) {
		text, err := r.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back Role
		if err := back.UnmarshalText(text); err != nil || back != r {
			t.Errorf("%q read back as %q, %v", text, back, err)
		}
	}
	var r Role
	if err := r.UnmarshalText([]byte("Provider")); err == nil {
		t.Error("a role in the wrong case was accepted")
	}
}

func allRoles() []Role {
	roles := Roles()
	return roles[:]
}

// TestRolePairTable is table 2 of RFC 9234 section 4.2, exhaustively.
func TestRolePairTable(t *testing.T) {
	fits := map[[2]Role]bool{
		{RoleProvider, RoleCustomer}: true,
		{RoleCustomer, RoleProvider}: true,
		{RoleRS, RoleRSClient}:       true,
		{RoleRSClient, RoleRS}:       true,
		{RolePeer, RolePeer}:         true,
	}
	for local := range 256 {
		for remote := range 256 {
			pair := [2]Role{Role(local), Role(remote)}
			if got := RolesMatch(pair[0], pair[1]); got != fits[pair] {
				t.Errorf("RolesMatch(%q, %q) = %v, want %v", pair[0], pair[1], got, fits[pair])
			}
		}
	}
}

func TestAgreeRoles(t *testing.T) {
	tests := []struct {
		name    string
		local   Role
		offered []uint8
		strict  bool
		want    Verdict
		remote  Role
	}{
		{"one that fits", RoleProvider, []uint8{3}, false, Allow, RoleCustomer},
		{"one that fits, strict", RoleProvider, []uint8{3}, true, Allow, RoleCustomer},
		{"one that does not fit", RoleProvider, []uint8{0}, false, Refuse, RoleProvider},
		{"none", RoleProvider, nil, false, Allow, NoRole},
		{"none, strict", RoleProvider, nil, true, Refuse, NoRole},
		{"the same twice", RolePeer, []uint8{4, 4}, true, Allow, RolePeer},
		{"two that differ, first fits", RolePeer, []uint8{4, 3}, false, Refuse, NoRole},
		{"two that differ, last fits", RolePeer, []uint8{3, 4}, false, Refuse, NoRole},
		{"unassigned", RolePeer, []uint8{5}, false, Refuse, NoRole},
		{"unassigned twice", RolePeer, []uint8{200, 200}, false, Refuse, NoRole},
		{"no role of our own", NoRole, []uint8{0}, true, Allow, NoRole},
		{"an impossible role of our own", Role(77), []uint8{0}, false, Refuse, RoleProvider},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := AgreeRoles(tt.local, tt.offered, tt.strict)
			if got.Verdict != tt.want || got.Remote != tt.remote {
				t.Errorf("got %s with remote %q (%s), want %s with %q", got.Verdict, got.Remote, got.Why, tt.want, tt.remote)
			}
			if got.Verdict == Refuse && got.Why == "" {
				t.Error("a refusal without a reason")
			}
		})
	}
}

func TestZeroRoleAgreementRefuses(t *testing.T) {
	if v := (RoleAgreement{}).Verdict; v != Refuse {
		t.Errorf("zero agreement: got %s, want refuse", v)
	}
}
