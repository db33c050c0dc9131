package policy

import "testing"

// TestValleyFreeMatrix is the whole matrix of BGP-03: every source towards
// every role of ours.
func TestValleyFreeMatrix(t *testing.T) {
	const ok = LeakType(255) // stands for allowed
	columns := Roles()       // provider, rs, rs-client, customer, peer: the far side is the counterpart
	matrix := map[Source][5]LeakType{
		//             to: customer       rs-client     rs              provider        peer
		FromSelf:     {ok, ok, ok, ok, ok},
		FromCustomer: {ok, ok, ok, ok, ok},
		FromProvider: {ok, ok, ProviderToPeer, HairpinLeak, ProviderToPeer},
		FromPeer:     {ok, ok, LateralLeak, PeerToProvider, LateralLeak},
		FromRS:       {ok, ok, LateralLeak, PeerToProvider, LateralLeak},
		FromRSClient: {ok, ok, LateralLeak, PeerToProvider, LateralLeak},
		FromInternal: {InternalLeak, InternalLeak, InternalLeak, InternalLeak, InternalLeak},
		FromUnknown:  {},
	}
	if len(matrix) != len(sourceNames) {
		t.Fatalf("the matrix has %d sources of %d", len(matrix), len(sourceNames))
	}
	for source, row := range matrix {
		for i, want := range row {
			got := Allowed(source, columns[i])
			if want == ok {
				if got.Verdict != Allow || got.Leak != NoLeakType {
					t.Errorf("from %s as %s: got %+v, want allow", source, columns[i], got)
				}
				continue
			}
			if got.Verdict != Refuse || got.Leak != want || got.Why == "" {
				t.Errorf("from %s as %s: got %+v, want a refusal with %s", source, columns[i], got, want)
			}
		}
	}
}

func TestAllowedRefusesWhatItDoesNotKnow(t *testing.T) {
	for from := range 256 {
		for _, to := range []Role{NoRole, RolePeer + 1, 255} {
			if got := Allowed(Source(from), to); got.Verdict != Refuse {
				t.Errorf("from %s as %s: got %+v, want refuse", Source(from), to, got)
			}
		}
		if from < len(sourceNames) {
			continue
		}
		for _, to := range Roles() {
			if got := Allowed(Source(from), to); got.Verdict != Refuse {
				t.Errorf("from %s as %s: got %+v, want refuse", Source(from), to, got)
			}
		}
	}
	if v := (Passage{}).Verdict; v != Refuse {
		t.Errorf("zero passage: got %s, want refuse", v)
	}
}

func TestSourceOf(t *testing.T) {
	want := map[Role]Source{
		NoRole: FromUnknown, RoleProvider: FromCustomer, RoleCustomer: FromProvider,
		RolePeer: FromPeer, RoleRS: FromRSClient, RoleRSClient: FromRS, Role(9): FromUnknown,
	}
	for role, source := range want {
		if got := SourceOf(role); got != source {
			t.Errorf("learned as %q: got %s, want %s", role, got, source)
		}
	}
}

// TestJanuaryShape: a route that AS 13335 learned from its peer 32934 must not
// go to a transit provider (22 January 2026).
func TestJanuaryShape(t *testing.T) {
	got := Allowed(SourceOf(RolePeer), RoleCustomer)
	if got.Verdict != Refuse || got.Leak != PeerToProvider {
		t.Errorf("got %+v, want a refusal with %s", got, PeerToProvider)
	}
}
