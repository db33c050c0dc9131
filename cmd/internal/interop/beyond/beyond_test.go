//go:build interop && linux

package beyond

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/cmd/internal/onboarding"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	coming  = 60 * time.Second
	asn     = 64500
	transit = 64601
	peer    = 64700
	station = 11019
	ofEach  = 150 // prefixes of a family
	leaked  = 7   // prefixes of the peer
)

// network is a speaker, an edge, a transit and a peer of the edge.
type network struct {
	*lab.Lab
	t                        *testing.T
	speaker, e, upstream, ix *lab.Host
	edge, transit            *lab.FRR
	daemon                   *lab.Daemon
	dir                      string
	rows                     []table.Row
}

func begin(t *testing.T) *network {
	t.Helper()
	program := rig.Build(t, "cmd/holdfastd")
	n := &network{Lab: lab.New(t), t: t, dir: t.TempDir()}
	n.speaker, n.e, n.upstream, n.ix = n.Host("speaker"), n.Host("ams1"), n.Host("transit1"), n.Host("peer1")
	for i := range ofEach {
		for _, text := range []string{fmt.Sprintf("198.%d.%d.0/24", 18+i>>8, i&0xff), fmt.Sprintf("2001:db8:%x::/48", 0x1000+i)} {
			n.rows = append(n.rows, table.Row{Prefix: netip.MustParsePrefix(text), Origin: asn, Account: "acme", Kind: table.KindCustomer})
		}
	}
	n.transit = n.upstream.FRR(n.upstreamConfig())
	n.ix.FRR(n.peerConfig())
	n.edge = n.e.FRR(n.edgeConfig())
	file := filepath.Join(n.dir, "holdfast.yaml")
	if err := os.WriteFile(file, []byte(n.holdfast()), 0o600); err != nil {
		t.Fatal(err)
	}
	n.daemon = n.speaker.Start("holdfastd", program, "serve", "--config", file)
	n.Eventually(coming, func() error {
		return errors.Join(n.daemon.Ended(), n.edge.Established(n.speaker.Addr4), n.edge.Established(n.speaker.Addr6),
			n.edge.Established(n.upstream.Addr4), n.edge.Established(n.upstream.Addr6), n.edge.Established(n.ix.Addr4))
	})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c, err := client.NewClient("http://holdfast.sock", client.WithHTTPClient(n.http()))
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := onboarding.Register(ctx, c, n.rows)
	if err == nil {
		err = loaded.Advertise(ctx, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// neighborLines declare a neighbor of FRR in one family with its two policies.
func neighborLines(h *lab.Host, at netip.Addr, as int, local netip.Addr, in, out string) (session, family string) {
	session = fmt.Sprintf(" neighbor %s remote-as %d\n neighbor %[1]s update-source %[3]s\n neighbor %[1]s timers 10 30\n neighbor %[1]s timers connect 1\n", at, as, local)
	family = fmt.Sprintf("  neighbor %s activate\n  neighbor %[1]s route-map %[2]s in\n  neighbor %[1]s route-map %[3]s out\n", at, in, out)
	if as != asn {
		family += fmt.Sprintf("  neighbor %s next-hop-self\n", at)
	}
	return session, family
}

// monitored makes a router speak BMP to the speaker.
func (n *network) monitored() string {
	return fmt.Sprintf(` bmp targets holdfast
  bmp connect %s port %d min-retry 200 max-retry 1000
  bmp monitor ipv4 unicast post-policy
  bmp monitor ipv6 unicast post-policy
  bmp stats interval 2000
 exit
`, n.speaker.Addr4, station)
}

func (n *network) edgeConfig() string {
	var b strings.Builder
	// Policies take effect after a second, not after FRR's five.
	fmt.Fprintf(&b, "bgp route-map delay-timer 1\nbgp large-community-list standard MARKER permit %d:9235:1\nroute-map OURS permit 10\n match large-community MARKER\nroute-map NONE deny 10\nroute-map ANY permit 10\n", asn)
	b.WriteString("route-map AWAY permit 10\n match large-community MARKER\n set large-comm-list MARKER delete\n")
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n", asn, n.e.Addr4)
	var v4, v6 strings.Builder
	add := func(family *strings.Builder, h *lab.Host, at netip.Addr, as int, local netip.Addr, in, out string) {
		s, f := neighborLines(h, at, as, local, in, out)
		b.WriteString(s)
		family.WriteString(f)
	}
	add(&v4, n.speaker, n.speaker.Addr4, asn, n.e.Addr4, "OURS", "NONE")
	add(&v6, n.speaker, n.speaker.Addr6, asn, n.e.Addr6, "OURS", "NONE")
	add(&v4, n.upstream, n.upstream.Addr4, transit, n.e.Addr4, "NONE", "AWAY")
	add(&v6, n.upstream, n.upstream.Addr6, transit, n.e.Addr6, "NONE", "AWAY")
	add(&v4, n.ix, n.ix.Addr4, peer, n.e.Addr4, "ANY", "NONE")
	fmt.Fprintf(&b, " address-family ipv4 unicast\n%s exit-address-family\n address-family ipv6 unicast\n%s exit-address-family\n%s", &v4, &v6, n.monitored())
	return b.String()
}

func (n *network) upstreamConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "route-map ANY permit 10\nroute-map NONE deny 10\nrouter bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n", transit, n.upstream.Addr4)
	s4, f4 := neighborLines(n.e, n.e.Addr4, asn, n.upstream.Addr4, "ANY", "NONE")
	s6, f6 := neighborLines(n.e, n.e.Addr6, asn, n.upstream.Addr6, "ANY", "NONE")
	fmt.Fprintf(&b, "%s%s address-family ipv4 unicast\n%s exit-address-family\n address-family ipv6 unicast\n%s exit-address-family\n%s", s4, s6, f4, f6, n.monitored())
	return b.String()
}

func (n *network) peerConfig() string {
	var b strings.Builder
	fmt.Fprintf(&b, "route-map ANY permit 10\nroute-map NONE deny 10\nrouter bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n no bgp network import-check\n", peer, n.ix.Addr4)
	s, f := neighborLines(n.e, n.e.Addr4, asn, n.ix.Addr4, "NONE", "ANY")
	b.WriteString(s + " address-family ipv4 unicast\n" + f)
	for i := range leaked {
		fmt.Fprintf(&b, "  network 31.13.%d.0/24\n", i)
	}
	b.WriteString(" exit-address-family\n")
	return b.String()
}

func (n *network) holdfast() string {
	return fmt.Sprintf(`environment: beyond
data_dir: ./data
api: {listen: 127.0.0.1:8080, allow_special_purpose_prefixes: true}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
bgp:
  asn: %d
  router_id: %s
  groups: [{name: edge, kind: edge, hold_time: 30s}]
  sites: [{name: ams, group: edge, next_hop: {ipv4: 10.99.0.71, ipv6: "2001:db8:99::71"}, routers: [{name: ams1, address_ipv4: %s, address_ipv6: "%s"}]}]
bmp:
  listen: ["%[2]s:%[5]d"]
  silent_after: 10s
  routers:
    - name: ams1
      sessions:
        - {name: transit1-v4, address: %[6]s, asn: %[7]d, role: customer}
        - {name: transit1-v6, address: "%[8]s", asn: %[7]d, role: customer}
        - {name: peer1, address: %[9]s, asn: %[10]d, role: peer}
    - {name: transit1, outside: true, asn: %[7]d, addresses: [%[6]s]}
`, asn, n.speaker.Addr4, n.e.Addr4, n.e.Addr6, station, n.upstream.Addr4, transit, n.upstream.Addr6, n.ix.Addr4, peer)
}

func (n *network) http() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", filepath.Join(n.dir, "data", "admin.sock"))
	}}}
}

func (n *network) get(path string, into any) error {
	r, err := n.http().Get("http://holdfast.sock" + path)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", path, r.Status)
	}
	return json.NewDecoder(r.Body).Decode(into)
}

func (n *network) report() client.BeyondReport {
	n.t.Helper()
	var r client.BeyondReport
	if err := n.get("/v1/beyond", &r); err != nil {
		n.t.Fatal(err)
	}
	return r
}

// byHand enters lines on the edge as a person would.
func (n *network) byHand(lines ...string) {
	n.t.Helper()
	if err := n.edge.Configure(lines...); err != nil {
		n.t.Fatal(err)
	}
}

// want is a finding that is to come.
type want struct {
	kind            client.BeyondFindingKind
	router, session string
	family          addressing.Family
	prefixes        int
}

func (n *network) reported(what string, all ...want) {
	n.t.Helper()
	took := n.Eventually(coming, func() error {
		r := n.report()
		for _, w := range all {
			found := false
			for _, f := range r.Items {
				found = found || f.Kind == w.kind && f.Router == w.router && f.Session == w.session && f.Family == w.family.String() && f.Prefixes == w.prefixes
			}
			if !found {
				return fmt.Errorf("no %+v in %+v", w, r.Items)
			}
		}
		var s client.Status
		if err := n.get("/v1/status", &s); err != nil {
			return err
		}
		if risks := strings.Join(s.Risks, "\n"); !strings.Contains(risks, "beyond_"+string(all[0].kind)) {
			return fmt.Errorf("status does not name it: %s", risks)
		}
		return nil
	})
	n.t.Logf("%s: reported after %s", what, took.Round(10*time.Millisecond))
}

// quiet waits until nothing is wrong any more.
func (n *network) quiet(when string) {
	n.t.Helper()
	took := n.Eventually(coming, func() error {
		if r := n.report(); len(r.Items) != 0 || !r.Routers[0].Up || !r.Routers[1].Up {
			return fmt.Errorf("%s: %+v", when, r)
		}
		return nil
	})
	n.t.Logf("%s: nothing wrong after %s", when, took.Round(10*time.Millisecond))
}

// prefix waits until the stages of a prefix are as expected.
func (n *network) prefix(p netip.Prefix, accepted, sent, outside client.BeyondAnswer) {
	n.t.Helper()
	took := n.Eventually(coming, func() error {
		var l client.PrefixStatusList
		if err := n.get("/v1/prefixes?cidr="+p.String(), &l); err != nil || len(l.Items) != 1 {
			return fmt.Errorf("%s: %d prefixes (%v)", p, len(l.Items), err)
		}
		var s client.PrefixStatus
		if err := n.get("/v1/prefixes/"+l.Items[0].ID, &s); err != nil {
			return err
		}
		b := s.Routes[0].Beyond
		if b == nil || b.Sent != client.BeyondAnswerYes || b.Accepted != accepted || b.ToTransit != sent || b.Outside != outside {
			return fmt.Errorf("%s: %+v; routers %+v", p, b, n.report().Routers)
		}
		return nil
	})
	n.t.Logf("%s: accepted %s, sent to transit %s, seen outside %s, after %s", p, accepted, sent, outside, took.Round(10*time.Millisecond))
}

const (
	yes     = client.BeyondAnswerYes
	no      = client.BeyondAnswerNo
	unknown = client.BeyondAnswerUnknown
)

// What an edge accepts and what transit hears of it is told, and bad policies put
// on the edge by hand are reported with router, session and number of prefixes.
func TestBeyondTheEdge(t *testing.T) {
	n := begin(t)
	v4, v6 := n.rows[0].Prefix, n.rows[1].Prefix
	both := func(kind client.BeyondFindingKind, session string) []want {
		return []want{{kind, "ams1", session, addressing.IPv4, ofEach}, {kind, "ams1", session, addressing.IPv6, ofEach}}
	}
	n.quiet("a healthy network")
	for _, p := range []netip.Prefix{v4, v6} {
		// FRR 8.4 does not tell its Adj-RIB-Out; the transit tells of the session.
		n.prefix(p, yes, yes, yes)
	}

	n.byHand("route-map AWAY permit 10", "set community no-export additive")
	n.reported("NO_EXPORT on everything, towards transit", both("no_export", "transit1")...)
	n.byHand("route-map AWAY permit 10", "no set community")
	n.quiet("without NO_EXPORT")

	n.byHand("route-map OURS permit 10", "set community no-export additive")
	n.reported("NO_EXPORT on everything, on import", append(both("no_export", "ams1-v4, ams1-v6"), both("lost", "transit1")...)...)
	n.prefix(v4, yes, no, no)
	n.byHand("route-map OURS permit 10", "no set community")
	n.quiet("without NO_EXPORT")

	n.byHand("route-map AWAY permit 20")
	n.reported("the 22 January shape", want{"leak", "ams1", "transit1", addressing.IPv4, leaked})
	n.byHand("no route-map AWAY permit 20")
	n.quiet("without the leak")

	n.byHand("route-map OURS deny 5")
	n.reported("the edge drops everything", both("dropped", "ams1-v4, ams1-v6")...)
	n.prefix(v6, no, no, no)
	n.byHand("no route-map OURS deny 5")
	n.quiet("accepted again")

	n.edge.Bgpd.Kill()
	n.Eventually(coming, func() error {
		if r := n.report(); r.Routers[0].Up || r.Routers[0].Why == nil {
			return fmt.Errorf("the edge is dead: %+v", r.Routers[0])
		}
		return nil
	})
	n.edge.StartBgpd()
	n.quiet("the edge is back")
	n.prefix(v4, yes, yes, yes)

	// Nobody tells: unknown, and not what was last heard.
	n.upstream.Silence()
	n.prefix(v4, yes, unknown, unknown)
}
