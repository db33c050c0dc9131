package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestAdmitKeepsRoom: who asks for more than a far end takes hears of it with
// the request, with the neighbor, the family and the numbers.
func TestAdmitKeepsRoom(t *testing.T) {
	s := fullTable(94)
	s.Network.Neighbors[0].NextHop4 = nth(0).Addr().Next()
	s.Network.Neighbors[0].Limit.IPv4 = 100
	g := newGate(t, s)
	gain := func(n int, verb string, sites addressing.Sites) error {
		c := addressing.ChangeSet{ID: fmt.Sprintf("gain-%d", n), Actor: script, At: noon, Verb: verb}
		for i := range n {
			c.Effects = append(c.Effects, addressing.Effect{Kind: addressing.Gained, CIDR: nth(1000 + i), AccountID: "account-01", Sites: sites})
		}
		_, err := g.Admit(t.Context(), c)
		return err
	}
	if err := gain(1, "bgp_prefix.advertise", addressing.AllSites()); err != nil {
		t.Errorf("the 95th of 100: %v", err)
	}
	err := gain(2, "bgp_prefix.advertise", addressing.AllSites())
	if addressing.CodeOf(err) != addressing.CodeRefused {
		t.Fatalf("the 96th of 100: %v, want refused", err)
	}
	for _, part := range []string{"neighbor transit-a", "96", "ipv4-unicast", "max-prefix 100", "plan.max-prefix"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
	if err := gain(2, "bgp_prefix.advertise", addressing.Sites{Names: []string{"elsewhere"}}); err != nil {
		t.Errorf("at another site: %v", err)
	}
	if err := gain(2, addressing.VerbRestore, addressing.AllSites()); err != nil {
		t.Errorf("a way back: %v", err)
	}
}
