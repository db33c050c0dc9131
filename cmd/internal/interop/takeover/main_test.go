//go:build interop && linux

package takeover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	coming   = 60 * time.Second
	holdTime = 9 * time.Second
	prefixes = 3000 // at most half of them IPv6: the table has 975
)

// network is a rig with a daemon and a speaker alone that follows it.
type network struct {
	*rig.Rig
	t        *testing.T
	holdfast string    // the CLI
	programs [2]string // holdfastd and its next version
	dirs     [2]string // of the daemon and of the speaker
	running  [2]*lab.Daemon
	all      []netip.Prefix
}

// live builds the network as it is before Holdfast: every edge announces the
// prefixes from static routes of its own.
func live(t *testing.T) *network {
	t.Helper()
	n := &network{t: t, all: realPrefixes(t), holdfast: rig.Build(t, "cmd/holdfast")}
	n.programs = [2]string{rig.Build(t, "cmd/holdfastd"), rig.Build(t, "cmd/holdfastd")}
	n.Rig = rig.New(t, rig.Options{Speakers: 2, Edge: n.statics})
	n.dirs = [2]string{t.TempDir(), t.TempDir()}
	n.TransitsUp()
	n.held("static routes")
	return n
}

// realPrefixes are prefixes that networks really announce.
func realPrefixes(t *testing.T) []netip.Prefix {
	t.Helper()
	rows, err := table.Load()
	if err != nil {
		t.Fatal(err)
	}
	var four, six []netip.Prefix
	for _, r := range rows {
		if addressing.FamilyOf(r.Prefix) == addressing.IPv6 {
			six = append(six, r.Prefix)
		} else {
			four = append(four, r.Prefix)
		}
	}
	six = six[:min(len(six), prefixes/2)]
	return slices.Concat(six, four[:prefixes-len(six)])
}

func (n *network) of(f addressing.Family) []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(n.all), func(p netip.Prefix) bool { return addressing.FamilyOf(p) != f })
}

// statics is an edge's configuration of its static routes.
func (n *network) statics(e *rig.Edge) string {
	var b strings.Builder
	if e.BIRD == nil && strings.HasSuffix(e.Name, "2") {
		marker := "(" + strings.ReplaceAll(rig.Marker, ":", ", ") + ")"
		for f, name := range map[addressing.Family]string{addressing.IPv4: "ipv4", addressing.IPv6: "ipv6"} {
			fmt.Fprintf(&b, "protocol static statics_%s { %[1]s { import filter { bgp_large_community.add(%s); accept; }; };\n", name, marker)
			for _, p := range n.of(f) {
				fmt.Fprintf(&b, " route %s blackhole;\n", p)
			}
			b.WriteString("}\n")
		}
		return b.String()
	}
	fmt.Fprintf(&b, "route-map STATIC permit 10\n set large-community %s\nrouter bgp %d\n no bgp network import-check\n", rig.Marker, rig.ASN)
	for f, name := range map[addressing.Family]string{addressing.IPv4: "ipv4", addressing.IPv6: "ipv6"} {
		fmt.Fprintf(&b, " address-family %s unicast\n", name)
		for _, p := range n.of(f) {
			fmt.Fprintf(&b, "  network %s route-map STATIC\n", p)
		}
		b.WriteString(" exit-address-family\n")
	}
	return b.String()
}

// setStatics puts the static routes of an edge in place or takes them away.
func (n *network) setStatics(e *rig.Edge, on bool) {
	n.t.Helper()
	do := func(show func(string) ([]byte, error), command string) {
		if out, err := show(command); err != nil {
			n.t.Fatalf("%s: %v\n%s", e.Name, err, out)
		}
	}
	for f, name := range map[addressing.Family]string{addressing.IPv4: "ipv4", addressing.IPv6: "ipv6"} {
		if e.BIRD != nil {
			do(e.BIRD.Show, map[bool]string{true: "enable ", false: "disable "}[on]+"statics_"+name)
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "configure terminal\nrouter bgp %d\naddress-family %s unicast\n", rig.ASN, name)
		for _, p := range n.of(f) {
			if on {
				fmt.Fprintf(&b, "network %s route-map STATIC\n", p)
			} else {
				fmt.Fprintf(&b, "no network %s\n", p)
			}
		}
		do(e.FRR.Show, b.String())
	}
}

// configuration of the daemon (0) and of the speaker that follows it (1).
func (n *network) configure(i int, observe bool) string {
	n.t.Helper()
	h := n.Speakers[i]
	sites := strings.ReplaceAll(n.Sites(), "hold_time: 30s", fmt.Sprintf("hold_time: %s", holdTime))
	if i == 0 {
		text := n.Configuration(h, sites)
		if observe {
			text = "mode: observe\n" + text
		}
		return n.Write(n.dirs[0], text)
	}
	key, err := os.ReadFile(filepath.Join(n.dirs[0], "data/snapshots/signing.pub"))
	if err != nil {
		n.t.Fatal(err)
	}
	return n.Write(n.dirs[1], fmt.Sprintf(`environment: rig
name: speaker2
data_dir: ./data
admin: {socket: ./admin.sock}
feed:
  directory: %s/data/snapshots
  report_file: %[1]s/data/speakers/speaker2.json
  keys: [%q]
bgp:
  drain: {prefixes: 0s}
  asn: %d
  router_id: %s
  listen: ["%[4]s:%[5]d", "[%[6]s]:%[5]d"]
%[7]s`, n.dirs[0], strings.TrimSpace(string(key)), rig.ASN, h.Addr4, rig.Port, h.Addr6, sites))
}

// run starts one of the two, and waits until every edge speaks with it.
func (n *network) run(i int, program string) {
	n.t.Helper()
	verb := []string{"serve", "speak"}[i]
	n.running[i] = n.Speakers[i].Start("holdfastd-"+verb, program, verb, "--config", filepath.Join(n.dirs[i], "holdfast.yaml"))
	n.Up(i, n.running[i])
}

// full waits until every edge holds every prefix from the speaker.
func (n *network) full(i int) {
	n.t.Helper()
	h := n.Speakers[i]
	n.Eventually(coming, func() error {
		for _, e := range n.Edges {
			for _, f := range addressing.Families() {
				at := map[addressing.Family]netip.Addr{addressing.IPv4: h.Addr4, addressing.IPv6: h.Addr6}[f]
				var got int
				var err error
				if e.FRR != nil {
					got, err = e.FRR.Count(f, at)
				} else {
					got, err = e.BIRD.Count(f, fmt.Sprintf("speaker%d_%s", i+1, map[addressing.Family]string{addressing.IPv4: "4", addressing.IPv6: "6"}[f]))
				}
				if want := len(n.of(f)); err != nil || got != want {
					return fmt.Errorf("%s holds %d of %d %s prefixes from speaker %d (%v)", e.Name, got, want, f, i+1, err)
				}
			}
		}
		return nil
	})
}

// held waits until both transits have every prefix over every edge.
func (n *network) held(when string) {
	n.t.Helper()
	taken := n.Eventually(coming, func() error {
		var err error
		for _, x := range n.Transits {
			err = errors.Join(err, x.Holds(n.all, len(n.Edges)))
		}
		return err
	})
	n.t.Logf("%s: all %d prefixes at both transits over all edges after %s", when, len(n.all), taken.Round(time.Millisecond))
}

// change is what a transit heard that is no repetition.
type change struct {
	withdrawn, paths int
	example          string
}

// changes reads a transit's MRT file to its end: withdrawals, and
// advertisements whose path or communities differ from what the same neighbor
// said last.
func (n *network) changes(x *rig.Transit) change {
	n.t.Helper()
	f, err := os.Open(filepath.Join(x.BIRD.Dir, "bird.mrt"))
	if err != nil {
		n.t.Fatal(err)
	}
	defer f.Close()
	type key struct {
		peer   netip.Addr
		prefix netip.Prefix
	}
	last := map[key]string{}
	var c change
	for e, err := range mrt.NewReader(f).Elements() {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			break // still being written
		}
		if err != nil {
			n.t.Fatal(err)
		}
		k := key{e.Peer, e.Prefix}
		switch e.Kind {
		case mrt.Withdrawn:
			c.withdrawn++
			c.example = fmt.Sprintf("%s withdrawn by %s at %s", e.Prefix, e.Peer, e.At.Format(time.TimeOnly))
			delete(last, k)
		case mrt.Advertised:
			now := fmt.Sprintf("%s %x", e.Path, e.Communities)
			if was, before := last[k]; before && was != now {
				c.paths++
				c.example = fmt.Sprintf("%s by %s at %s: %q, then %q", e.Prefix, e.Peer, e.At.Format(time.TimeOnly), was, now)
			}
			last[k] = now
		}
	}
	return c
}

// still wants that neither transit heard of a withdrawal or another path.
func (n *network) still(after string) {
	n.t.Helper()
	for _, x := range n.Transits {
		if c := n.changes(x); c.withdrawn != 0 || c.paths != 0 {
			n.t.Errorf("after %s %s has heard %d withdrawals and %d path changes, such as %s", after, x.Name, c.withdrawn, c.paths, c.example)
		}
	}
	if !n.t.Failed() {
		n.t.Logf("%s: 0 withdrawals, 0 path changes at both transits", after)
	}
}

// cli runs the operator's program against the daemon.
func (n *network) cli(args ...string) string {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 3*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, n.holdfast, append([]string{"-e", "rig", "--socket", filepath.Join(n.dirs[0], "data/admin.sock")}, args...)...).CombinedOutput()
	if err != nil {
		n.t.Fatalf("holdfast %s: %v\n%.3000s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// cut drops every packet between an edge and both speakers, and leaves its
// other sessions alone; mend undoes it.
func (n *network) cut(e *rig.Edge)  { n.blackhole("add", e) }
func (n *network) mend(e *rig.Edge) { n.blackhole("del", e) }

func (n *network) blackhole(verb string, e *rig.Edge) {
	n.t.Helper()
	do := func(h *lab.Host, to netip.Addr) {
		if out, err := h.Exec("ip", "route", verb, "blackhole", netip.PrefixFrom(to, to.BitLen()).String()); err != nil {
			n.t.Fatalf("%s: %v\n%s", h.Name, err, out)
		}
	}
	for _, s := range n.Speakers {
		do(s, e.Host.Addr4)
		do(s, e.Host.Addr6)
		do(e.Host, s.Addr4)
		do(e.Host, s.Addr6)
	}
}
