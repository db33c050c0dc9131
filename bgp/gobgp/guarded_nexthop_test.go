package gobgp

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
)

// An IPv6 next hop has 16 octets, or 32 with the link-local address of a
// neighbor on the link (RFC 2545 section 3); an IPv4 route never has two.
func TestSecondNextHop(t *testing.T) {
	second := netip.MustParseAddr("fe80::c0de")
	l := newGuardLab(t, func(c *Config) { c.Neighbors[0].LinkLocal = second })
	wants := speakertest.Wants(8)
	applyAndStart(t, l.guard, speakertest.Target(1, wants))
	for name, want := range map[string]netip.Addr{speakertest.Transit: second, speakertest.Peer: {}} {
		table := l.neighbors[name]
		waitFor(t, "the table", func() bool { return table.Held() == len(wants) })
		six := 0
		for _, r := range table.Routes() {
			if r.Prefix.Addr().Is4() {
				if r.Attrs.LinkLocal.IsValid() {
					t.Errorf("%s: %s has second next hop %s", name, r.Prefix, r.Attrs.LinkLocal)
				}
				continue
			}
			if six++; r.Attrs.LinkLocal != want || !r.Attrs.NextHop.Is6() {
				t.Errorf("%s: %s has next hops %s and %s, want the second to be %s", name, r.Prefix, r.Attrs.NextHop, r.Attrs.LinkLocal, want)
			}
		}
		if six != 2 {
			t.Errorf("%s: %d IPv6 routes, want 2", name, six)
		}
	}
}
