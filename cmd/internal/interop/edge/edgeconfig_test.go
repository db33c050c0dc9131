//go:build interop && linux

package edge

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/cmd/internal/onboarding"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
)

// What edge-config prints runs on FRR: our routes arrive and reach a transit
// without the marker; from a speaker that has gone wild nothing is taken but
// what carries the marker inside the prefixes.
func TestEdgeConfigOnFRR(t *testing.T) {
	daemon, cli := rig.Build(t, "cmd/holdfastd"), rig.Build(t, "cmd/holdfast")
	l := lab.New(t)
	speaker, wild, edge, transit := l.Host("speaker"), l.Host("wild"), l.Host("edge"), l.Host("transit")
	dir := t.TempDir()
	text := fmt.Sprintf(`environment: rig
data_dir: ./data
api: {listen: 127.0.0.1:8080, allow_special_purpose_prefixes: true}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
bgp:
  asn: %d
  router_id: %s
  listen: ["%[2]s:1790", "[%[3]s]:1790"]
  groups: [{name: edge, kind: edge}]
  sites:
    - {name: ams, group: edge, next_hop: {ipv4: 10.99.0.71, ipv6: '2001:db8:99::71'}, routers: [{name: r1, address_ipv4: %[4]s, address_ipv6: '%[5]s'}]}
`, rig.ASN, speaker.Addr4, speaker.Addr6, edge.Addr4, edge.Addr6)
	file := filepath.Join(dir, "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &network{Rig: &rig.Rig{Lab: l, T: t}, t: t, dir: dir, rows: rows()}
	list := filepath.Join(dir, "prefixes")
	var lines strings.Builder
	for _, row := range n.rows {
		fmt.Fprintln(&lines, row.Prefix)
	}
	if err := os.WriteFile(list, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"edge-config", "--config", file, "--prefixes", list}
	for _, a := range []netip.Addr{speaker.Addr4, speaker.Addr6, wild.Addr4} {
		args = append(args, "--speaker", a.String())
	}
	out, err := exec.Command(cli, append(args, "frr", "r1")...).Output()
	if err != nil {
		t.Fatal(err, out)
	}
	frr := edge.FRR(fmt.Sprintf("%s\nrouter bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n neighbor %s remote-as 64601\n neighbor %[4]s timers connect 1\n"+
		" address-family ipv4 unicast\n  neighbor %[4]s activate\n  neighbor %[4]s route-map HOLDFAST-NONE in\n  neighbor %[4]s route-map HOLDFAST-EXPORT out\n exit-address-family\n",
		out, rig.ASN, edge.Addr4, transit.Addr4))
	bird := transit.BIRD(fmt.Sprintf("router id %s;\nprotocol bgp edge { local as 64601; neighbor %s as %d; passive on; ipv4 { import all; export none; }; }\n", transit.Addr4, edge.Addr4, rig.ASN))
	// The wild speaker: one route as it should be, one without the marker, one
	// that is nobody's, one too long.
	const good, unmarked, foreign, long = "198.18.0.0/24", "198.18.1.0/24", "203.0.113.0/24", "198.18.2.0/25"
	wildBIRD := wild.BIRD(fmt.Sprintf(`router id %s;
protocol static { ipv4; route %s blackhole; route %s blackhole; route %s blackhole; route %s blackhole; }
protocol bgp edge { local as %[6]d; neighbor %[7]s as %[6]d; connect retry time 1; connect delay time 1;
  ipv4 { import none; next hop self; export filter { if net != %[3]s then bgp_large_community.add((64500, 9235, 1)); accept; }; };
}
`, wild.Addr4, good, unmarked, foreign, long, rig.ASN, edge.Addr4))
	n.daemon = speaker.Start("holdfastd", daemon, "serve", "--config", file)
	l.Eventually(coming, func() error {
		for _, a := range []netip.Addr{speaker.Addr4, speaker.Addr6, wild.Addr4, transit.Addr4} {
			if err := frr.Established(a); err != nil {
				return err
			}
		}
		return wildBIRD.Established("edge")
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	loaded, err := onboarding.Register(ctx, n.api(), n.rows)
	if err == nil {
		err = loaded.Advertise(ctx, n.api())
	}
	if err != nil {
		t.Fatal(err)
	}
	l.Eventually(coming, func() error {
		for i, f := range addressing.Families() {
			at := [2]netip.Addr{speaker.Addr4, speaker.Addr6}[i]
			if got, err := frr.Count(f, at); err != nil || got != ofEach {
				return fmt.Errorf("FRR took %d routes of %s, want %d (%v)", got, f, ofEach, err)
			}
		}
		if got, err := bird.Count(addressing.IPv4, "edge"); err != nil || got != ofEach {
			return fmt.Errorf("the transit has %d routes, want %d (%v)", got, ofEach, err)
		}
		return nil
	})
	routes, err := frr.Routes(addressing.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	from := routes.From(wild.Addr4)
	if _, taken := from[netip.MustParsePrefix(good)]; !taken || len(from) != 1 {
		t.Errorf("taken from the wild speaker: %v, want %s alone", from, good)
	}
	if out, err := bird.Show("show route all"); err != nil || strings.Contains(string(out), "9235") {
		t.Errorf("the marker left (%v):\n%.2000s", err, out)
	}
	st, err := frr.Neighbor(speaker.Addr4)
	if err != nil {
		t.Fatal(err)
	}
	if sent := st.Families["ipv4Unicast"].Sent; sent != 0 {
		t.Errorf("FRR sends us %d routes", sent)
	}
}
