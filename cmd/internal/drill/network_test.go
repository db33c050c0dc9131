package drill

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
)

// A configuration that tells a neighbor NO_EXPORT, or a wrong next hop, on
// every prefix reaches none of them: it is held at admission, and keeps nobody
// else waiting. An approval of exactly these prefixes lets it pass.
func TestSpoiledNetworkIsHeld(t *testing.T) {
	t.Parallel()
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*policy.Neighbor){
		"NO_EXPORT on every prefix":     func(n *policy.Neighbor) { n.Standard = append(n.Standard, policy.NoExport) },
		"a wrong next hop on every one": func(n *policy.Neighbor) { n.NextHop4 = netip.MustParseAddr("192.0.2.99") },
		"a family is gone":              func(n *policy.Neighbor) { n.Families = n.Families[:1] },
	} {
		t.Run(name, func(t *testing.T) {
			r, err := NewRig(t.Context(), RigOptions{Dir: t.TempDir(), Rows: rows})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			before := r.Wire.Counters()
			network := r.Runner.Active().Snapshot.Network
			network.Neighbors = slices.Clone(network.Neighbors)
			spoil(&network.Neighbors[0])
			if err := r.Runner.SetNetwork(network); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "a refusal", func() bool { return r.Runner.Status().Refusal != nil })
			// Somebody else's change goes on.
			p := r.Customers()[0]
			if _, _, err := r.Registry.WithdrawPrefix(t.Context(), r.Request(Owner(p.AccountID), "mine"), p.ID); err != nil {
				t.Fatal(err)
			}
			if err := r.Await(t.Context(), r.Full-1); err != nil {
				t.Fatal(err)
			}
			if err := r.Settle(t.Context(), 200*time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if now := r.Wire.Counters(); now.Withdrawn != before.Withdrawn+1 || now.Announced != before.Announced {
				t.Errorf("the neighbor was told %+v, before %+v: every prefix was to stay as it was", now, before)
			}
		})
	}
}

// With an approval by another person the same configuration passes.
func TestApprovedNetworkPasses(t *testing.T) {
	t.Parallel()
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewRig(t.Context(), RigOptions{Dir: t.TempDir(), Rows: rows})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []netip.Prefix
	for _, p := range r.Prefixes {
		all = append(all, p.Row.Prefix)
	}
	if err := r.Breaker.Approve(breaker.Approval{ID: "renumber", Prefixes: all, From: r.Now(), Until: r.Now().Add(time.Hour),
		Requester: breaker.Actor{Kind: breaker.Operator, Key: "operator/a"}, Approvers: []string{"operator/b"}, Reason: "renumbering"}, r.Now()); err != nil {
		t.Fatal(err)
	}
	network := r.Runner.Active().Snapshot.Network
	network.Neighbors = slices.Clone(network.Neighbors)
	hop := netip.MustParseAddr("192.0.2.99")
	network.Neighbors[0].NextHop4 = hop
	if err := r.Runner.SetNetwork(network); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the new next hop", func() bool {
		route, held := r.Wire.Route(rows[0].Prefix)
		return held && route.Attrs.NextHop == hop
	})
	if r.Wire.Held() != r.Full {
		t.Errorf("%d of %d routes are left", r.Wire.Held(), r.Full)
	}
}

// waitFor waits for something that happens soon, or fails.
func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long for %s", what)
		}
	}
}
