//go:build interop && linux

package interop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/cmd/internal/onboarding"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

const (
	ourASN, asFRR, asBIRD = 64500, 64511, 64512

	// loading the table takes half a minute on two cores
	loading = 5 * time.Minute
	// a restarted daemon has the whole table with the neighbor within this
	restart = 10 * time.Second
	coming  = 30 * time.Second
)

// Next hops of nobody's session, on the neighbors' own network, so that a
// speaker that puts its own address in is found out.
var (
	nextHop4 = netip.MustParseAddr("10.99.0.77")
	nextHop6 = netip.MustParseAddr("2001:db8:99::77")
)

const configuration = `environment: interop
data_dir: ./data
api: {listen: 127.0.0.1:8080}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
bgp:
  drain: {prefixes: 0s}
  asn: %d
  router_id: %s
  listen: ["%[2]s:1790"]
  groups:
    - name: transit
      role: customer
      families: [ipv4-unicast, ipv6-unicast]
      next_hop: {ipv4: %[3]s, ipv6: "%[4]s"}
  neighbors:
    - {name: frr, group: transit, address: %[5]s, asn: %[6]d}
    - {name: bird, group: transit, address: %[7]s, asn: %[8]d}
`

// site is a daemon between FRR and BIRD.
type site struct {
	*lab.Lab
	t       *testing.T
	home    *lab.Host // of the daemon
	program string
	dir     string // of the daemon's configuration and data
	daemon  *lab.Daemon
	frr     *lab.FRR
	bird    *lab.BIRD
	rows    []table.Row
}

func newSite(t *testing.T) *site {
	t.Helper()
	rows, err := table.Load()
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Lab: lab.New(t), t: t, rows: rows, program: filepath.Join(build(t, "cmd/holdfastd"), "holdfastd")}
	s.home = s.Host("holdfast")
	frr, bird := s.Host("frr"), s.Host("bird")
	s.frr = frr.FRR(fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 neighbor %s remote-as %d
 neighbor %[3]s passive
 address-family ipv6 unicast
  neighbor %[3]s activate
 exit-address-family
`, asFRR, frr.Addr4, s.home.Addr4, ourASN))
	s.bird = bird.BIRD(fmt.Sprintf(`
router id %s;
protocol bgp upstream {
  local as %d; neighbor %s as %d; passive on;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`, bird.Addr4, asBIRD, s.home.Addr4, ourASN))
	s.dir = t.TempDir()
	text := fmt.Sprintf(configuration, ourASN, s.home.Addr4, nextHop4, nextHop6, frr.Addr4, asFRR, bird.Addr4, asBIRD)
	if err := os.WriteFile(filepath.Join(s.dir, "holdfast.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *site) data(name string) string { return filepath.Join(s.dir, "data", name) }

// start starts the daemon and waits for both sessions.
func (s *site) start() time.Duration {
	s.t.Helper()
	begun := time.Now()
	s.daemon = s.home.Start("holdfastd", s.program, "serve", "--config", filepath.Join(s.dir, "holdfast.yaml"))
	s.Eventually(coming, func() error {
		return errors.Join(s.daemon.Ended(), s.frr.Established(s.home.Addr4), s.bird.Established("upstream"))
	})
	return time.Since(begun)
}

// api speaks to the admin socket: a file, and so in reach of the test although
// the daemon has a network of its own.
func (s *site) api() *client.Client {
	s.t.Helper()
	var d net.Dialer
	c, err := client.NewClient("http://holdfast.sock", client.WithHTTPClient(&http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 16,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", s.data("admin.sock"))
		},
	}}))
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// count is how many rows are of a family.
func (s *site) count(family addressing.Family) int {
	n := 0
	for _, r := range s.rows {
		if addressing.FamilyOf(r.Prefix) == family {
			n++
		}
	}
	return n
}

// counted is nil once FRR and BIRD both hold the whole table.
func (s *site) counted() error {
	for _, family := range addressing.Families() {
		want := s.count(family)
		if n, err := s.frr.Count(family, s.home.Addr4); err != nil || n != want {
			return fmt.Errorf("FRR holds %d routes of %s, want %d (%v)", n, family, want, err)
		}
		if n, err := s.bird.Count(family, "upstream"); err != nil || n != want {
			return fmt.Errorf("BIRD holds %d routes of %s, want %d (%v)", n, family, want, err)
		}
	}
	return nil
}

// routes asks a neighbor for all it holds from the daemon.
func (s *site) routes(of func(addressing.Family) (lab.Routes, error)) map[netip.Prefix]lab.Route {
	s.t.Helper()
	all := map[netip.Prefix]lab.Route{}
	for _, family := range addressing.Families() {
		held, err := of(family)
		if err != nil {
			s.t.Fatal(err)
		}
		for prefix, route := range held.From(s.home.Addr4) {
			all[prefix] = route
		}
	}
	return all
}

// differences lists up to five rows that a neighbor holds otherwise.
func (s *site) differences(held map[netip.Prefix]lab.Route) []string {
	var found []string
	for _, row := range s.rows {
		r, there := held[row.Prefix]
		path, hop := onboarding.Path(row, ourASN), onboarding.NextHop(row, nextHop4, nextHop6)
		switch {
		case len(found) == 5:
			return found
		case !there:
			found = append(found, fmt.Sprintf("%s is missing", row.Prefix))
		case !slices.Equal(r.Path, path) || r.NextHop != hop || r.Origin != "igp" || !r.Best || r.MED != nil && *r.MED != 0:
			found = append(found, fmt.Sprintf("%s: %+v, want path %v, next hop %s, origin igp, best", row.Prefix, r, path, hop))
		}
	}
	if len(held) > len(s.rows) {
		found = append(found, fmt.Sprintf("%d routes, want %d", len(held), len(s.rows)))
	}
	return found
}

func (s *site) received(of func() ([]lab.Update, error)) []lab.Update {
	s.t.Helper()
	updates, err := of()
	if err != nil {
		s.t.Fatal(err)
	}
	return updates
}

// neighbors are FRR and BIRD, to be asked the same.
func (s *site) neighbors() map[string]struct {
	updates func() ([]lab.Update, error)
	routes  func(addressing.Family) (lab.Routes, error)
} {
	type asked = struct {
		updates func() ([]lab.Update, error)
		routes  func(addressing.Family) (lab.Routes, error)
	}
	return map[string]asked{"FRR": {s.frr.Updates, s.frr.Routes}, "BIRD": {s.bird.Updates, s.bird.Routes}}
}

// One daemon, from its first start to the loss of its database: loading the
// table takes most of the time, so the steps share it.
func TestDaemon(t *testing.T) {
	s := newSite(t)
	for _, step := range []func(*site){(*site).exportsNothing, (*site).tableArrives, (*site).losesDatabase, (*site).losesSnapshots} {
		if step(s); t.Failed() {
			return // what follows needs it
		}
	}
}

// Sessions are up, there is no snapshot: not one route leaves (invariant 8).
func (s *site) exportsNothing() {
	s.t.Logf("sessions with FRR and BIRD up after %s", s.start().Round(time.Millisecond))
	for name, n := range s.neighbors() {
		// The End-of-RIB (RFC 4724 section 2) says that this was all.
		s.Eventually(coming, func() error {
			for _, u := range s.received(n.updates) {
				if u.EndOfRIB {
					return nil
				}
			}
			return fmt.Errorf("%s has no End-of-RIB", name)
		})
		updates := s.received(n.updates)
		if got := lab.Advertised(updates); len(got) != 0 {
			s.t.Errorf("%s was sent %d routes, such as %s", name, len(got), got[0])
		}
		if got := s.routes(n.routes); len(got) != 0 {
			s.t.Errorf("%s holds %d routes", name, len(got))
		}
	}
}

// The whole table, both families, with the right next hop, AS path and origin.
func (s *site) tableArrives() {
	ctx, cancel := context.WithTimeout(s.t.Context(), loading)
	defer cancel()
	begun := time.Now()
	loaded, err := onboarding.Register(ctx, s.api(), s.rows)
	if err != nil {
		s.t.Fatal(err)
	}
	registered := time.Since(begun)
	for name, n := range s.neighbors() {
		if got := lab.Advertised(s.received(n.updates)); len(got) != 0 {
			s.t.Errorf("%s was sent %d routes before anybody advertised, such as %s", name, len(got), got[0])
		}
	}
	begun = time.Now()
	if err := loaded.Advertise(ctx, s.api()); err != nil {
		s.t.Fatal(err)
	}
	s.Eventually(coming, s.counted)
	s.t.Logf("registered in %s, advertised in %s", registered.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	for name, n := range s.neighbors() {
		for _, d := range s.differences(s.routes(n.routes)) {
			s.t.Errorf("%s: %s", name, d)
		}
		if got := lab.Withdrawn(s.received(n.updates)); len(got) != 0 {
			s.t.Errorf("%s saw %d withdrawals, such as %s", name, len(got), got[0])
		}
	}
}

func (s *site) losesDatabase() { s.survivesKill("intent.db", "intent.db-wal", "intent.db-shm") }

// With the snapshots gone as well, both copies and the keys, it is what the
// guard kept that is told again.
func (s *site) losesSnapshots() { s.survivesKill("snapshots") }

// kill -9, something of the data directory gone, a start: the neighbors keep
// every route over the restart (RFC 4724) and have been sent them all again
// within 10 s.
func (s *site) survivesKill(lost ...string) {
	heard := map[string]int{}
	for name, n := range s.neighbors() {
		heard[name] = len(s.received(n.updates))
	}
	s.daemon.Kill()
	if _, err := os.Stat(s.data(lost[0])); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range lost {
		if err := os.RemoveAll(s.data(name)); err != nil {
			s.t.Fatal(err)
		}
	}
	// FRR marks what it keeps; BIRD does not.
	s.Eventually(coming, func() error { return stale(s.routes(s.frr.Routes), len(s.rows)) })
	for name, n := range s.neighbors() {
		for _, d := range s.differences(s.routes(n.routes)) {
			s.t.Errorf("%s, while the daemon is down: %s", name, d)
		}
	}
	begun := time.Now()
	up := s.start()
	s.Eventually(restart-up, func() error {
		for name, n := range s.neighbors() {
			if got := distinct(lab.Advertised(s.received(n.updates)[heard[name]:])); got != len(s.rows) {
				return fmt.Errorf("%s was sent %d routes after the restart, want %d", name, got, len(s.rows))
			}
		}
		return stale(s.routes(s.frr.Routes), 0)
	})
	s.t.Logf("sessions up %s after the start, all routes sent again after %s", up.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
	for name, n := range s.neighbors() {
		for _, d := range s.differences(s.routes(n.routes)) {
			s.t.Errorf("%s: %s", name, d)
		}
		if got := lab.Withdrawn(s.received(n.updates)); len(got) != 0 {
			s.t.Errorf("%s saw %d withdrawals, such as %s", name, len(got), got[0])
		}
	}
}

func distinct(list []netip.Prefix) int {
	set := map[netip.Prefix]bool{}
	for _, p := range list {
		set[p] = true
	}
	return len(set)
}

// stale wants so many routes that await the restarted speaker.
func stale(held map[netip.Prefix]lab.Route, want int) error {
	n := 0
	for _, r := range held {
		if r.Stale {
			n++
		}
	}
	if n != want {
		return fmt.Errorf("%d of %d routes are stale, want %d", n, len(held), want)
	}
	return nil
}
