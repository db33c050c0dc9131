//go:build interop && linux

package edge

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
)

// Edge attributes arrive as the Target says, on FRR and BIRD, in both
// families, straight from us and through the route reflector; transits see
// every prefix over every edge, and no marker.
func TestAttributes(t *testing.T) {
	n := start(t, func(r *rig.Rig) string {
		sites := strings.Replace(r.Sites(), "name: edge,", "name: edge, local_pref: 250, med: 17, communities: ['64500:42'],", 1)
		return strings.Replace(sites, "name: reflector,", "name: reflector, local_pref: 150, med: 18, communities: ['64500:43'],", 1)
	})
	n.advertise()
	n.arrived()
	speaker, reflector := n.Speakers[0], n.Reflector
	for _, e := range n.Edges {
		n.Eventually(coming, func() error {
			return errors.Join(
				n.compare(e, expect{addresses(speaker), rig.NextHop4[e.Site], rig.NextHop6[e.Site], 250, 17, "64500:42"}),
				n.compare(e, expect{addresses(reflector), rig.NextHop4["ams"], rig.NextHop6["ams"], 150, 18, "64500:43"}),
			)
		})
	}
	for _, x := range n.Transits {
		for _, text := range []string{"show route all table master4", "show route all table master6"} {
			out, err := x.BIRD.Show(text)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(out), "large_community") {
				t.Errorf("%s sees a large community: the marker leaked\n%.2000s", x.Name, out)
			}
		}
	}
}

func addresses(h *lab.Host) [2]netip.Addr { return [2]netip.Addr{h.Addr4, h.Addr6} }
