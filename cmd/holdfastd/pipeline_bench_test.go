package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var million = flag.Bool("million", false, "run benchmarks with 1,000,000 routes too")

// changing is how many accounts change something at the same time.
const changing = 20

// BenchmarkAnnouncement is the whole daemon: 20 owners, each over a connection
// of its own, announce a prefix by the API and withdraw it again, as fast as
// the answers come. What is measured is one announcement, from before the
// request is sent to the route in the neighbor's table. The database,
// snapshots, journal and audit log are on disk, with every fsync.
func BenchmarkAnnouncement(b *testing.B) {
	for _, n := range []int{6_500, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			if n >= 1_000_000 && !*million {
				b.Skip("give -million to run this size")
			}
			l := newLine(b, n)
			var mu sync.Mutex
			var all []time.Duration
			for b.Loop() {
				var owners sync.WaitGroup
				for i := range l.owners {
					owners.Go(func() {
						took, err := l.announce(&l.owners[i])
						if err != nil {
							b.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						all = append(all, took)
					})
				}
				owners.Wait()
			}
			slices.Sort(all)
			b.ReportMetric(milliseconds(all[len(all)/2]), "p50-ms")
			b.ReportMetric(milliseconds(all[len(all)*99/100]), "p99-ms")
			b.ReportMetric(float64(heap())/float64(1<<20), "heap-MiB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// line is a daemon with everything it has, from its API to a neighbor.
type line struct {
	api    string
	wire   *neighbor.Neighbor
	client *http.Client
	owners []owner
}

// owner is an account that changes a prefix of its own.
type owner struct {
	account, token, prefix, route string
	cidr                          netip.Prefix
}

func newLine(b *testing.B, routes int) *line {
	dir, err := os.MkdirTemp("", "holdfast") // short enough for a socket's path
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { os.RemoveAll(dir) })
	loopback := netip.MustParseAddr("127.0.0.1")
	l := &line{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: changing}}}
	l.wire, err = neighbor.New(neighbor.Config{ASN: 64510, PeerASN: synthetic.ASN, RouterID: netip.MustParseAddr("192.0.2.2"),
		Listen: netip.AddrPortFrom(loopback, 0), Peer: loopback, Families: []addressing.Family{addressing.IPv4, addressing.IPv6}, LogLimit: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.wire.Close() })
	l.fill(b, dir, routes)
	address := freeAddress(b)
	l.api = "http://" + address
	config := filepath.Join(dir, "holdfast.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, lineConfig, address, freeAddress(b), synthetic.ASN, l.wire.Addr().Port()), 0o600); err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, config) }()
	b.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
	for l.wire.Held() != routes-len(l.owners) {
		select {
		case err := <-ended:
			ended <- err
			b.Fatal("the daemon ended: ", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return l
}

// lineConfig is without the limit of requests per token, which would stop a run
// of this kind, and without the drain of what is withdrawn.
const lineConfig = `environment: test
data_dir: ./data
log: {level: error}
api:
  listen: %s
  rate_limit: {requests_per_second: 1000000, burst: 1000000}
admin: {socket: ./data/admin.sock}
metrics: {listen: %s}
bgp:
  asn: %d
  router_id: 192.0.2.1
  drain: {prefixes: 0s}
  neighbors:
    - name: transit-a
      address: 127.0.0.1
      port: %d
      asn: 64510
      role: customer
      families: [ipv4-unicast, ipv6-unicast]
      next_hop: {ipv4: 192.0.2.1, ipv6: "2001:db8::1"}
`

func freeAddress(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// fill writes the database: accounts of sixteen routes on average, of which
// the last ones own a prefix that rests withdrawn.
func (l *line) fill(b *testing.B, dir string, routes int) {
	data := dataDir(filepath.Join(dir, "data"))
	if _, err := data.initialise(synthetic.Environment, time.Now()); err != nil {
		b.Fatal(err)
	}
	store, err := sqlite.Open(b.Context(), sqlite.Options{Path: data.database(), Environment: synthetic.Environment, Create: true})
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	r := addressing.NewRegistry(store, open{}, addressing.Options{Entropy: rand.Reader, AllowSpecial: true})
	req := addressing.Request{Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Scope: addressing.EveryAccount(), Reason: "fill", At: time.Now()}
	want := synthetic.State(min(routes/16, 20_000), routes)
	for i := range want.Services {
		want.Services[i].ID = serviceID(want.Services[i].ID)
	}
	for i := range want.Bindings {
		want.Bindings[i].ServiceID = serviceID(want.Bindings[i].ServiceID)
	}
	for i := range want.BGPPrefixes {
		want.BGPPrefixes[i].Resting = addressing.RestingAdvertised
	}
	seen := map[string]bool{} // nobody takes a first-party prefix down alone
	for _, a := range want.Accounts {
		seen[a.ID] = a.Kind == addressing.FirstParty
	}
	for i := len(want.Prefixes) - 1; len(l.owners) < changing; i-- {
		p, route := want.Prefixes[i], &want.BGPPrefixes[i]
		if seen[p.AccountID] {
			continue
		}
		seen[p.AccountID] = true
		route.Advertised, route.Resting = false, addressing.RestingWithdrawn
		l.owners = append(l.owners, owner{account: p.AccountID, prefix: p.ID, route: route.ID, cidr: p.CIDR})
	}
	if err := save(b.Context(), store, want); err != nil {
		b.Fatal(err)
	}
	for i := range l.owners {
		if _, l.owners[i].token, _, err = r.CreateToken(b.Context(), req, addressing.NewToken{Role: addressing.RoleAdmin, AccountID: l.owners[i].account}); err != nil {
			b.Fatal(err)
		}
	}
}

// save writes a state past the use cases, a few transactions for all of it.
func save(ctx context.Context, store *sqlite.Store, st addressing.State) error {
	var rows []func(addressing.Tx) error
	for _, a := range st.Accounts {
		a.Version = 1
		rows = append(rows, func(tx addressing.Tx) error { return tx.SaveAccount(a) })
	}
	for _, s := range st.Services {
		s.Version = 1
		rows = append(rows, func(tx addressing.Tx) error { return tx.SaveService(s) })
	}
	for _, p := range st.Prefixes {
		rows = append(rows, func(tx addressing.Tx) error { return tx.SavePrefix(p) })
	}
	for _, b := range st.BGPPrefixes {
		rows = append(rows, func(tx addressing.Tx) error { return tx.SaveBGPPrefix(b) })
	}
	for _, b := range st.Bindings {
		rows = append(rows, func(tx addressing.Tx) error { return tx.InsertBinding(b) })
	}
	for part := range slices.Chunk(rows, 100_000) {
		err := store.Update(ctx, func(tx addressing.Tx) error {
			for _, row := range part {
				if err := row(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func serviceID(name string) string { return fmt.Sprintf("%032x", name) }

// announce advertises an owner's prefix, waits for it at the neighbor, and
// withdraws it again.
func (l *line) announce(o *owner) (took time.Duration, err error) {
	begun := time.Now()
	if err := l.toggle(o, true); err != nil {
		return 0, err
	}
	if err := l.await(o.cidr, true); err != nil {
		return 0, err
	}
	took = time.Since(begun)
	if err := l.toggle(o, false); err != nil {
		return 0, err
	}
	return took, l.await(o.cidr, false)
}

func (l *line) toggle(o *owner, on bool) error {
	body, err := json.Marshal(map[string]any{"on_demand": map[string]any{"advertised": on}})
	if err != nil {
		return err
	}
	url := fmt.Sprintf("%s/client/v4/accounts/%s/addressing/prefixes/%s/bgp/prefixes/%s", l.api, o.account, o.prefix, o.route)
	req, err := http.NewRequest(http.MethodPatch, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+o.token)
	req.Header.Set("Content-Type", "application/json")
	answer, err := l.client.Do(req)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", o.cidr, answer.StatusCode, text)
	}
	return err
}

func (l *line) await(p netip.Prefix, held bool) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(500 * time.Microsecond) {
		if _, is := l.wire.Route(p); is == held {
			return nil
		}
	}
	return fmt.Errorf("%s: the neighbor's table has not followed for a minute", p)
}
