package gate

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestDryRunAsksTheBreaker: a configuration that would spoil what a neighbor
// holds is called refused before anybody applies it, with the numbers, and
// asking charges nothing and opens nothing.
func TestDryRunAsksTheBreaker(t *testing.T) {
	st := synthetic.State(3, 300)
	build := func(n snapshots.NetworkPart) *snapshots.Snapshot {
		s, err := snapshots.Build(st, n, synthetic.Environment, synthetic.At)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	from := build(synthetic.Network(2))
	bad := synthetic.Network(2)
	bad.Neighbors[0].NextHop4 = netip.MustParseAddr("192.0.2.99")
	p := plan.Diff(from, build(bad))
	p.Origin, p.At = plan.FromConfig, noon
	g := newGate(t, from)
	for range 3 {
		verdict, findings, err := g.Preview().Judge(t.Context(), p)
		if err != nil || verdict == policy.Allow {
			t.Fatalf("%v %+v %v", verdict, findings, err)
		}
		why := ""
		for _, f := range findings {
			why += f.Why + "\n"
		}
		if !strings.Contains(why, "takes 300 routes away from neighbors") {
			t.Errorf("says %s", why)
		}
	}
	b := g.breaker.(*breaker.Breaker)
	if s := b.State(noon); s != breaker.Closed {
		t.Errorf("asking made the breaker %s", s)
	}
	if _, charged := b.Admitted(st.BGPPrefixes[0].CIDR); charged {
		t.Error("asking charged it")
	}
	real, _, err := g.Judge(t.Context(), p)
	if err != nil || real == policy.Allow {
		t.Errorf("carried out: %v, %v", real, err)
	}
	harmless := synthetic.Network(2)
	harmless.Neighbors[0].MED = new(uint32(7))
	p = plan.Diff(from, build(harmless))
	p.Origin, p.At = plan.FromConfig, noon
	if verdict, findings, err := newGate(t, from).Preview().Judge(t.Context(), p); err != nil || verdict != policy.Allow {
		t.Errorf("another MED: %v %+v %v", verdict, findings, err)
	}
}
