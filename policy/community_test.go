package policy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const ourASN = 65001

func TestMarkRoleStripsForgedMarks(t *testing.T) {
	foreign := LargeCommunity{64999, RoleFunction, uint32(FromCustomer)}
	service := LargeCommunity{ourASN, 1, 2}
	forged := RoleCommunity(ourASN, FromCustomer)
	in := []LargeCommunity{forged, service, foreign, forged}
	before := slices.Clone(in)

	got := MarkRole(ourASN, FromPeer, in)
	want := []LargeCommunity{service, foreign, RoleCommunity(ourASN, FromPeer)}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if !slices.Equal(in, before) {
		t.Errorf("the route's own communities were written to: %v", in)
	}
	if src := SourceByMark(ourASN, got); src != FromPeer {
		t.Errorf("read back as %s", src)
	}
	// BGP-02: a peer's route with a forged customer mark is still refused.
	if p := Allowed(SourceByMark(ourASN, got), RoleCustomer); p.Verdict != Refuse {
		t.Errorf("a forged mark let the route out: %+v", p)
	}
}

func TestSourceByMarkRefusesDoubt(t *testing.T) {
	mark := func(s Source) LargeCommunity { return RoleCommunity(ourASN, s) }
	tests := []struct {
		name string
		cs   []LargeCommunity
		want Source
	}{
		{"none", nil, FromUnknown},
		{"another AS's", []LargeCommunity{RoleCommunity(64999, FromSelf)}, FromUnknown},
		{"one", []LargeCommunity{mark(FromSelf)}, FromSelf},
		{"the same twice", []LargeCommunity{mark(FromSelf), mark(FromSelf)}, FromSelf},
		{"two that differ", []LargeCommunity{mark(FromSelf), mark(FromPeer)}, FromUnknown},
		{"unassigned", []LargeCommunity{{ourASN, RoleFunction, 1 << 20}}, FromUnknown},
		{"unassigned beside a good one", []LargeCommunity{mark(FromSelf), {ourASN, RoleFunction, 0}}, FromUnknown},
	}
	for _, tt := range tests {
		if got := SourceByMark(ourASN, tt.cs); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestMarkRoleUnknownGetsNoMark(t *testing.T) {
	for _, src := range []Source{FromUnknown, Source(200)} {
		got := MarkRole(ourASN, src, []LargeCommunity{RoleCommunity(ourASN, FromSelf)})
		if len(got) != 0 {
			t.Errorf("%s: got %v, want no mark", src, got)
		}
	}
}

// TestMarkRoleProperty: whatever a neighbor sends, the mark read back is ours.
func TestMarkRoleProperty(t *testing.T) {
	community := rapid.Custom(func(t *rapid.T) LargeCommunity {
		return LargeCommunity{
			rapid.SampledFrom([]uint32{ourASN, 64999}).Draw(t, "global"),
			rapid.SampledFrom([]uint32{RoleFunction, 1}).Draw(t, "function"),
			rapid.Uint32Range(0, 10).Draw(t, "value"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		cs := rapid.SliceOf(community).Draw(t, "communities")
		src := Source(rapid.IntRange(1, len(sourceNames)-1).Draw(t, "source"))
		if got := SourceByMark(ourASN, MarkRole(ourASN, src, cs)); got != src {
			t.Fatalf("marked %s, read back %s from %v", src, got, cs)
		}
	})
}
