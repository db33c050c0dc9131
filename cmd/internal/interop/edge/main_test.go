//go:build interop && linux

package edge

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
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
	coming    = 30 * time.Second
	customer  = 64777 // origin of half of the prefixes
	ofEach    = 20    // prefixes of a family
	ourOrigin = rig.ASN
)

// network is a rig with one running daemon.
type network struct {
	*rig.Rig
	t      *testing.T
	dir    string
	file   string // the configuration
	daemon *lab.Daemon
	rows   []table.Row
}

// start runs a daemon with the bgp section.
func start(t *testing.T, bgp func(*rig.Rig) string) *network {
	t.Helper()
	return startWith(t, bgp, func(n *network) { n.Up(0, n.daemon) })
}

// startWith is start with another idea of when all is up.
func startWith(t *testing.T, bgp func(*rig.Rig) string, up func(*network)) *network {
	t.Helper()
	program := rig.Build(t, "cmd/holdfastd")
	r := rig.New(t, rig.Options{})
	n := &network{Rig: r, t: t, dir: t.TempDir(), rows: rows()}
	n.file = r.Write(n.dir, r.Configuration(r.Speakers[0], bgp(r)))
	n.daemon = r.Speakers[0].Start("holdfastd", program, "serve", "--config", n.file)
	r.TransitsUp()
	up(n)
	return n
}

// rows are prefixes of both families, of our own origin and of a customer's.
func rows() []table.Row {
	var out []table.Row
	for i := range ofEach {
		origin := uint32(ourOrigin)
		if i%2 == 1 {
			origin = customer
		}
		for _, text := range []string{fmt.Sprintf("198.18.%d.0/24", i), fmt.Sprintf("2001:db8:%x::/48", 0x1000+i)} {
			out = append(out, table.Row{Prefix: netip.MustParsePrefix(text), Origin: origin, Account: "acme", Kind: table.KindCustomer})
		}
	}
	return out
}

func (n *network) prefixes(keep func(table.Row) bool) []netip.Prefix {
	var out []netip.Prefix
	for _, r := range n.rows {
		if keep(r) {
			out = append(out, r.Prefix)
		}
	}
	return out
}

func every(table.Row) bool { return true }

// http is a client of the admin socket.
func (n *network) http() *http.Client {
	var d net.Dialer
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return d.DialContext(ctx, "unix", filepath.Join(n.dir, "data", "admin.sock"))
	}}}
}

func (n *network) api() *client.Client {
	n.t.Helper()
	c, err := client.NewClient("http://holdfast.sock", client.WithHTTPClient(n.http()))
	if err != nil {
		n.t.Fatal(err)
	}
	return c
}

// advertise puts the rows on the wire.
func (n *network) advertise() {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	loaded, err := onboarding.Register(ctx, n.api(), n.rows)
	if err == nil {
		err = loaded.Advertise(ctx, n.api())
	}
	if err != nil {
		n.t.Fatal(err)
	}
}

// arrived waits until both transits have a path to every prefix over all edges.
func (n *network) arrived() {
	n.t.Helper()
	n.Eventually(coming, func() error {
		var err error
		for _, x := range n.Transits {
			err = errors.Join(err, x.Holds(n.prefixes(every), len(n.Edges)))
		}
		return err
	})
}

// path is the AS path inside our AS: empty, or the customer's.
func path(row table.Row) []uint32 {
	if row.Origin == ourOrigin {
		return nil
	}
	return []uint32{row.Origin}
}

// expect is what an edge is to hold from a neighbor.
type expect struct {
	neighbor  [2]netip.Addr // of each family
	next4     netip.Addr
	next6     netip.Addr
	pref, med uint32
	community string // standard, besides the marker
}

// compare lists up to five rows that an edge does not hold as expected.
func (n *network) compare(e *rig.Edge, want expect) error {
	held := map[netip.Prefix]lab.Route{}
	for i, f := range addressing.Families() {
		routes, err := e.Routes(f)
		if err != nil {
			return err
		}
		for p, r := range routes.From(want.neighbor[i]) {
			held[p] = r
		}
	}
	var errs []error
	for _, row := range n.rows {
		r, there := held[row.Prefix]
		hop := onboarding.NextHop(row, want.next4, want.next6)
		switch {
		case len(errs) == 5:
			return errors.Join(errs...)
		case !there:
			errs = append(errs, fmt.Errorf("%s: %s is missing", e.Name, row.Prefix))
		case !slices.Equal(r.Path, path(row)), r.NextHop != hop, r.LocalPref == nil || *r.LocalPref != want.pref, r.MED == nil || *r.MED != want.med,
			!slices.Contains(r.LargeCommunities, rig.Marker), !slices.Equal(r.Communities, []string{want.community}), r.OTC != 0:
			errs = append(errs, fmt.Errorf("%s: %s: %+v (LOCAL_PREF %v, MED %v), want %+v", e.Name, row.Prefix, r, deref(r.LocalPref), deref(r.MED), want))
		}
	}
	if len(held) != len(n.rows) {
		errs = append(errs, fmt.Errorf("%s holds %d routes, want %d", e.Name, len(held), len(n.rows)))
	}
	return errors.Join(errs...)
}

func deref(v *uint32) any {
	if v == nil {
		return nil
	}
	return *v
}
