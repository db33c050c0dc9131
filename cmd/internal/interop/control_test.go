//go:build interop && linux

package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

const controlled = 50 // prefixes of the customer

// TestControl: an FRR customer signals its prefixes by announcing them (ADR-08).
// What it withdraws is withdrawn, what it loses with its session is not.
func TestControl(t *testing.T) {
	l := lab.New(t)
	s := &site{Lab: l, t: t, program: filepath.Join(build(t, "cmd/holdfastd"), "holdfastd"), dir: t.TempDir(), home: l.Host("holdfast")}
	customer, transit := l.Host("customer"), l.Host("transit")
	s.bird = transit.BIRD(fmt.Sprintf(`
router id %s;
protocol bgp upstream {
  local as %d; neighbor %s as %d; passive on;
  ipv4 { import all; export none; };
}
`, transit.Addr4, asBIRD, s.home.Addr4, ourASN))
	var rows []table.Row
	networks := ""
	for i := range controlled {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{31, 7, byte(i), 0}), 24)
		rows = append(rows, table.Row{Prefix: p, Origin: asFRR, Account: "acme", Kind: "customer"})
		networks += fmt.Sprintf("  network %s\n", p)
	}
	frr := customer.FRR(fmt.Sprintf(`
router bgp %d
 bgp router-id %s
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor %s remote-as %d
 neighbor %[3]s passive
 neighbor %[3]s timers 1 3
 address-family ipv4 unicast
%[5]s exit-address-family
`, asFRR, customer.Addr4, s.home.Addr4, ourASN, networks))
	write := func(account string) {
		text := fmt.Sprintf(`environment: interop
data_dir: ./data
api: {listen: 127.0.0.1:8080}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
bgp:
  drain: {prefixes: 0s}
  asn: %d
  router_id: %s
  listen: ["%[2]s:1790"]
  neighbors:
    - {name: transit, address: %[3]s, asn: %[4]d, role: customer, families: [ipv4-unicast], next_hop: {ipv4: %[2]s}}
`, ourASN, s.home.Addr4, transit.Addr4, asBIRD)
		if account != "" {
			text += fmt.Sprintf(`    - {name: acme, address: %s, asn: %d, role: provider, families: [ipv4-unicast], next_hop: {ipv4: %s}, receive: control, account: %s, hold_time: 3s}
`, customer.Addr4, asFRR, s.home.Addr4, account)
		}
		if err := os.WriteFile(filepath.Join(s.dir, "holdfast.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func() {
		s.daemon = s.home.Start("holdfastd", s.program, "serve", "--config", filepath.Join(s.dir, "holdfast.yaml"))
		l.Eventually(coming, func() error {
			_, err := answer(s.api().ListServices(context.Background())) // desired state opens last
			return errors.Join(err, s.bird.Established("upstream"))
		})
	}
	held := func(want int) func() error {
		return func() error {
			if n, err := s.bird.Count(addressing.IPv4, "upstream"); err != nil || n != want {
				return fmt.Errorf("the transit holds %d routes, want %d (%v)", n, want, err)
			}
			return nil
		}
	}

	// The account comes first: the configuration names it.
	write("")
	run()
	ctx := context.Background()
	api := s.api()
	made, err := onboarding.Register(ctx, api, rows)
	if err != nil {
		t.Fatal(err)
	}
	control := client.PrefixControlControl("bgp")
	for _, p := range made.Prefixes {
		if _, err := answer(api.ControlPrefix(ctx, p.ID, nil, client.PrefixControl{Control: &control})); err != nil {
			t.Fatal(err)
		}
	}
	if err := held(0)(); err != nil {
		t.Fatal(err)
	}
	s.daemon.Kill()
	write(made.Accounts["acme"])
	run()
	l.Eventually(coming, func() error { return frr.Established(s.home.Addr4) })

	// It announces its prefixes: they are advertised.
	l.Eventually(coming, held(controlled))

	// It withdraws one in so many words: that one is withdrawn, and only it.
	if err := frr.Configure("router bgp "+fmt.Sprint(asFRR), "address-family ipv4 unicast", "no network "+rows[0].Prefix.String()); err != nil {
		t.Fatal(err)
	}
	l.Eventually(coming, held(controlled-1))

	// Its session goes: everything stays.
	frr.Bgpd.Kill()
	l.Eventually(coming, func() error { return s.risk("bgp_control_signal_lost") })
	for range 20 { // the hold time is long over
		if err := held(controlled - 1)(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	updates, err := s.bird.Updates()
	if err != nil {
		t.Fatal(err)
	}
	withdrawn := 0
	for _, u := range updates {
		withdrawn += len(u.Withdrawn)
	}
	if withdrawn != 1 {
		t.Errorf("the transit saw %d withdrawals, want the one that the customer asked for", withdrawn)
	}
}

// answer is the body of an answer that is no error.
func answer(r *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", r.Status, raw)
	}
	return raw, err
}

// risk is nil once the status names the risk.
func (s *site) risk(want string) error {
	raw, err := answer(s.api().GetStatus(context.Background()))
	if err != nil {
		return err
	}
	var status struct{ Risks []string }
	if err := json.Unmarshal(raw, &status); err != nil {
		return err
	}
	for _, r := range status.Risks {
		if strings.HasPrefix(r, want) {
			return nil
		}
	}
	return fmt.Errorf("risks are %q, want %s", status.Risks, want)
}
