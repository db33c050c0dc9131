package snapshots_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var update = flag.Bool("update", false, "rewrite golden files")

func build(t testing.TB, st addressing.State) *snapshots.Snapshot {
	t.Helper()
	s, err := snapshots.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func cidrs(s *snapshots.Snapshot) []string {
	var out []string
	for i := range s.Accounts {
		for _, r := range s.Accounts[i].Routes {
			out = append(out, r.CIDR.String())
		}
	}
	slices.Sort(out)
	return out
}

func TestBuildRoutes(t *testing.T) {
	expired := synthetic.At.Add(-time.Second)
	later := synthetic.At.Add(time.Hour)
	cover := netip.PrefixFrom(synthetic.CIDR(0).Addr(), 20).Masked()
	block := func(cidr netip.Prefix, expires *time.Time) addressing.NegativeIntent {
		return addressing.NegativeIntent{ID: "n1", AccountID: synthetic.AccountID(0), CIDR: cidr, Kind: addressing.IntentBlock, Author: "operator/uid:0", CreatedAt: synthetic.At, ExpiresAt: expires}
	}
	for name, tc := range map[string]struct {
		change func(*addressing.State)
		want   int
	}{
		"approved, bound and desired": {func(*addressing.State) {}, 1},
		"not approved":                {func(st *addressing.State) { st.Prefixes[0].State = addressing.Pending }, 0},
		"pending deletion":            {func(st *addressing.State) { st.Prefixes[0].State = addressing.PendingDelete }, 0},
		"not desired":                 {func(st *addressing.State) { st.BGPPrefixes[0].Advertised = false }, 0},
		"not bound (invariant 1)":     {func(st *addressing.State) { st.Bindings = nil }, 0},
		"bound but not deployed":      {func(st *addressing.State) { st.Bindings[0].Active = false }, 0},
		"bound in part only":          {func(st *addressing.State) { st.Bindings[0].CIDR = netip.PrefixFrom(st.Bindings[0].CIDR.Addr(), 25) }, 0},
		"at no site":                  {func(st *addressing.State) { st.BGPPrefixes[0].Sites = addressing.Sites{} }, 0},
		"down on purpose":             {func(st *addressing.State) { st.Negative = append(st.Negative, block(synthetic.CIDR(0), nil)) }, 0},
		"down on purpose for a while": {func(st *addressing.State) { st.Negative = append(st.Negative, block(synthetic.CIDR(0), &later)) }, 0},
		"a cover is down on purpose":  {func(st *addressing.State) { st.Negative = append(st.Negative, block(cover, nil)) }, 0},
		"was down on purpose":         {func(st *addressing.State) { st.Negative = append(st.Negative, block(synthetic.CIDR(0), &expired)) }, 1},
		"something else is down":      {func(st *addressing.State) { st.Negative = append(st.Negative, block(synthetic.CIDR(9), nil)) }, 1},
		"a tombstone": {func(st *addressing.State) {
			st.Prefixes[0].State = addressing.Tombstone
			st.BGPPrefixes = nil
			st.Bindings = nil
		}, 0},
		"more-specific under the bind": {func(st *addressing.State) { st.Bindings[0].ServiceID = "spectrum" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := synthetic.State(1, 1)
			tc.change(&st)
			if got := len(cidrs(build(t, st))); got != tc.want {
				t.Errorf("%d routes, want %d", got, tc.want)
			}
		})
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*addressing.State)
		rule   string
	}{
		"prefix of nobody":      {func(st *addressing.State) { st.Prefixes[0].AccountID = "gone" }, "reference.account"},
		"binding of no prefix":  {func(st *addressing.State) { st.Bindings[0].PrefixID = "gone" }, "reference.prefix"},
		"route of no prefix":    {func(st *addressing.State) { st.BGPPrefixes[0].PrefixID = "gone" }, "reference.prefix"},
		"binding of no service": {func(st *addressing.State) { st.Bindings[0].ServiceID = "gone" }, "reference.service"},
		"prefix twice":          {func(st *addressing.State) { st.Prefixes[1].CIDR = st.Prefixes[0].CIDR }, "order.prefixes"},
		"prefix id twice":       {func(st *addressing.State) { st.Prefixes[1].ID = st.Prefixes[0].ID }, "duplicate.id"},
		"account twice":         {func(st *addressing.State) { st.Accounts = append(st.Accounts, st.Accounts[0]) }, "order.accounts"},
		"prefix of two accounts": {func(st *addressing.State) {
			cover := netip.PrefixFrom(st.Prefixes[0].CIDR.Addr(), 23).Masked()
			st.Prefixes = append(st.Prefixes, addressing.Prefix{ID: "cover", AccountID: st.Accounts[2].ID, CIDR: cover, ASN: 64500, State: addressing.Approved})
		}, "overlap"},
		"host bits": {func(st *addressing.State) { st.Prefixes[0].CIDR = netip.MustParsePrefix("192.0.2.1/24") }, "cidr.prefix"},
		"route too small": {func(st *addressing.State) {
			st.BGPPrefixes[0].CIDR = netip.PrefixFrom(st.BGPPrefixes[0].CIDR.Addr(), 25)
		}, "cidr.bgp"},
		"prepend too long": {func(st *addressing.State) { st.BGPPrefixes[0].Prepend = 4 }, "prepend"},
		"site that is not": {func(st *addressing.State) { st.BGPPrefixes[0].Sites = addressing.Sites{Names: []string{"mars"}} }, "reference.site"},
		"origin 0":         {func(st *addressing.State) { st.Prefixes[0].ASN = 0 }, "origin"},
		"intent without author": {func(st *addressing.State) {
			st.Negative = []addressing.NegativeIntent{{ID: "n", AccountID: st.Accounts[0].ID, CIDR: st.Prefixes[0].CIDR, Kind: addressing.IntentBlock}}
		}, "intent.author"},
	} {
		t.Run(name, func(t *testing.T) {
			st := synthetic.State(3, 12)
			tc.change(&st)
			_, err := snapshots.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
			var bad *snapshots.Invalid
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want an Invalid", err)
			}
			if !slices.ContainsFunc(bad.Problems, func(p snapshots.Problem) bool { return len(p.Rule) >= len(tc.rule) && p.Rule[:len(tc.rule)] == tc.rule }) {
				t.Errorf("problems %v, want rule %s", bad.Problems, tc.rule)
			}
		})
	}
}

// Invariant: the same desired state gives the same ID, whatever the order of
// its records, over 100 builds.
func TestIDDoesNotDependOnOrder(t *testing.T) {
	st := synthetic.State(20, 300)
	st.Negative = []addressing.NegativeIntent{
		{ID: "b", AccountID: st.Accounts[1].ID, CIDR: st.Prefixes[5].CIDR, Kind: addressing.IntentBlock, Author: "x", CreatedAt: synthetic.At},
		{ID: "a", AccountID: st.Accounts[1].ID, CIDR: st.Prefixes[6].CIDR, Kind: addressing.IntentOwner, Author: "y", CreatedAt: synthetic.At},
	}
	want := build(t, st).ID()
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		rng.Shuffle(len(st.Accounts), func(i, j int) { st.Accounts[i], st.Accounts[j] = st.Accounts[j], st.Accounts[i] })
		rng.Shuffle(len(st.Services), func(i, j int) { st.Services[i], st.Services[j] = st.Services[j], st.Services[i] })
		rng.Shuffle(len(st.Prefixes), func(i, j int) { st.Prefixes[i], st.Prefixes[j] = st.Prefixes[j], st.Prefixes[i] })
		rng.Shuffle(len(st.BGPPrefixes), func(i, j int) { st.BGPPrefixes[i], st.BGPPrefixes[j] = st.BGPPrefixes[j], st.BGPPrefixes[i] })
		rng.Shuffle(len(st.Bindings), func(i, j int) { st.Bindings[i], st.Bindings[j] = st.Bindings[j], st.Bindings[i] })
		rng.Shuffle(len(st.Negative), func(i, j int) { st.Negative[i], st.Negative[j] = st.Negative[j], st.Negative[i] })
		if got := build(t, st).ID(); got != want {
			t.Fatalf("build %d: ID %s, want %s", i, got, want)
		}
	}
}

// A builder that shares parts gives what a fresh one gives, and touches only
// what changed.
func TestBuilderSharesUnchangedAccounts(t *testing.T) {
	st := synthetic.State(10, 200)
	var b snapshots.Builder
	first, err := b.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	st.BGPPrefixes[0].Advertised = false
	second, err := b.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := snapshots.Build(st, synthetic.Network(1), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	if second.ID() != fresh.ID() || second.ID() == first.ID() {
		t.Fatalf("IDs: first %s, second %s, fresh %s", first.ID(), second.ID(), fresh.ID())
	}
	changed := 0
	for i := range second.Accounts {
		shared := &second.Accounts[i].Prefixes[0] == &first.Accounts[i].Prefixes[0]
		if second.PartSum(second.Accounts[i].Account) != first.PartSum(second.Accounts[i].Account) {
			changed++
		} else if !shared {
			t.Errorf("account %s did not change and is not shared", second.Accounts[i].Account)
		}
	}
	if changed != 1 {
		t.Errorf("%d accounts have another hash, want 1", changed)
	}
}

func TestBuildProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := drawState(t)
		s, err := snapshots.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
		if err != nil {
			t.Fatal(err)
		}
		if err := snapshots.Validate(s, snapshots.Expect{Environment: synthetic.Environment}); err != nil {
			t.Fatalf("what Build makes does not validate: %v", err)
		}
		bound := map[netip.Prefix]bool{}
		for _, b := range st.Bindings {
			bound[b.CIDR] = bound[b.CIDR] || b.Active
		}
		for i := range s.Accounts {
			for _, r := range s.Accounts[i].Routes {
				if !bound[r.CIDR] || len(r.Services) == 0 {
					t.Fatalf("%s is advertised and not bound (invariant 1)", r.CIDR)
				}
			}
		}
	})
}

// drawState is a small state in which anything may be on or off.
func drawState(t *rapid.T) addressing.State {
	st := synthetic.State(rapid.IntRange(1, 4).Draw(t, "accounts"), rapid.IntRange(0, 12).Draw(t, "routes"))
	for i := range st.Prefixes {
		st.Prefixes[i].State = rapid.SampledFrom([]addressing.Lifecycle{addressing.Approved, addressing.Approved, addressing.Pending, addressing.PendingDelete}).Draw(t, "state")
		st.BGPPrefixes[i].Advertised = rapid.Bool().Draw(t, "advertised")
		st.BGPPrefixes[i].Prepend = rapid.IntRange(0, 3).Draw(t, "prepend")
		st.Bindings[i].Active = rapid.Bool().Draw(t, "active")
		if rapid.Bool().Draw(t, "blocked") {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: st.Prefixes[i].ID, AccountID: st.Prefixes[i].AccountID, CIDR: st.Prefixes[i].CIDR, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
		}
	}
	return st
}

func TestGoldenManifest(t *testing.T) {
	s := build(t, synthetic.State(3, 8))
	for name, v := range map[string]any{"manifest.json": s.Manifest(), "account.json": s.Accounts[0], "network.json": s.Network} {
		got, err := snapshots.Canonical(v)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "golden", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: the stored form changed; old snapshots would not load (-want +got):\n%s", name, diff)
		}
	}
}
