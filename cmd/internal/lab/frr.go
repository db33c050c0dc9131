//go:build linux

package lab

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// FRR is a running FRRouting: zebra and bgpd.
type FRR struct {
	Bgpd, Zebra *Daemon

	h    *Host
	dir  string
	more []string // arguments of bgpd
}

// FRR starts FRRouting with the text as bgpd's configuration; logging and the
// MRT dump are added to it. It returns when bgpd answers.
func (h *Host) FRR(config string) *FRR {
	t := h.l.t
	t.Helper()
	f := &FRR{h: h, dir: h.stateDir("frr")}
	if strings.Contains(config, "bmp targets") {
		f.more = []string{"-M", "bmp"} // the configuration needs the module
	}
	f.own()
	h.write(f.path("zebra.conf"), "log file "+f.path("zebra.log")+"\n", 0o644)
	h.write(f.path("bgpd.conf"), fmt.Sprintf("log file %s\ndump bgp all %s\n%s", f.path("bgpd.log"), f.path("bgpd.mrt"), config), 0o644)
	f.Zebra = f.start("zebra")
	f.Zebra.awaitFile(f.path("zserv.api"))
	f.StartBgpd()
	return f
}

// StartBgpd starts bgpd again after its end, with the same configuration.
func (f *FRR) StartBgpd() {
	f.h.l.t.Helper()
	f.Bgpd = f.start("bgpd", f.more...)
	f.Bgpd.await(func() error {
		_, err := f.Show("show bgp summary json")
		return err
	})
}

func (f *FRR) start(program string, more ...string) *Daemon {
	f.h.l.t.Helper()
	args := append([]string{"-f", f.path(program + ".conf"), "-i", f.path(program + ".pid"), "-z", f.path("zserv.api"),
		"--vty_socket", f.dir, "-P", "0", "-u", "frr", "-g", "frr"}, more...)
	return f.h.start(program, f.dir, []string{f.path(program + ".log")}, "/usr/lib/frr/"+program, args...)
}

// own gives FRR's user the directories that it writes to.
func (f *FRR) own() {
	t := f.h.l.t
	t.Helper()
	frr, err := user.Lookup("frr")
	if err != nil {
		t.Fatalf("lab: FRR is not installed: %v", err)
	}
	uid, _ := strconv.Atoi(frr.Uid)
	gid, _ := strconv.Atoi(frr.Gid)
	for _, dir := range []string{f.dir, "/var/tmp/frr"} {
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatalf("lab: %v", err)
		}
	}
}

func (f *FRR) path(name string) string { return filepath.Join(f.dir, name) }

// Show runs a command in bgpd's shell, such as "show bgp summary json" or
// "clear bgp *", and gives what it prints.
func (f *FRR) Show(command string) ([]byte, error) {
	out, err := exec.Command("vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", command).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("frr: %s: %w\n%s", command, err, out)
	}
	return out, nil
}

// Configure enters lines of configuration, in their order, as a person would.
func (f *FRR) Configure(lines ...string) error {
	args := []string{"--vty_socket", f.dir, "-d", "bgpd", "-c", "configure terminal"}
	for _, line := range lines {
		args = append(args, "-c", line)
	}
	if out, err := exec.Command("vtysh", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("frr: %q: %w\n%s", lines, err, out)
	}
	return nil
}

// Neighbor is the state of a session as FRR sees it.
type Neighbor struct {
	State      string `json:"bgpState"` // "Established", "Active", ...
	LocalRole  string `json:"localRole"`
	RemoteRole string `json:"remoteRole"`
	Dropped    int    `json:"connectionsDropped"`
	LastReset  string `json:"lastResetDueTo"`
	Messages   struct {
		UpdatesReceived       int `json:"updatesRecv"`
		NotificationsReceived int `json:"notificationsRecv"`
		NotificationsSent     int `json:"notificationsSent"`
	} `json:"messageStats"`
	GracefulRestart struct {
		Restarting bool `json:"rBit"`
	} `json:"gracefulRestartInfo"`
	Families map[string]struct {
		Accepted int `json:"acceptedPrefixCounter"`
		Sent     int `json:"sentPrefixCounter"`
	} `json:"addressFamilyInfo"` // "ipv4Unicast", "ipv6Unicast"
}

// Neighbor gives the state of one session.
func (f *FRR) Neighbor(a netip.Addr) (Neighbor, error) {
	out, err := f.Show("show bgp neighbors " + a.String() + " json")
	if err != nil {
		return Neighbor{}, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(out, &all); err != nil {
		return Neighbor{}, fmt.Errorf("frr: neighbor %s: %w", a, err)
	}
	var n Neighbor
	if err := json.Unmarshal(all[a.String()], &n); err != nil {
		return Neighbor{}, fmt.Errorf("frr: neighbor %s: %w in %s", a, err, out)
	}
	return n, nil
}

// Established is nil once the session with a neighbor is up.
func (f *FRR) Established(a netip.Addr) error {
	n, err := f.Neighbor(a)
	if err == nil && n.State != "Established" {
		err = fmt.Errorf("frr: neighbor %s is %s, last reset: %s", a, n.State, n.LastReset)
	}
	return err
}

// Count is how many prefixes of a family bgpd accepted from a neighbor; it is
// cheaper than Routes.
func (f *FRR) Count(family addressing.Family, a netip.Addr) (int, error) {
	n, err := f.Neighbor(a)
	return n.Families[map[addressing.Family]string{
		addressing.IPv4: "ipv4Unicast",
		addressing.IPv6: "ipv6Unicast",
	}[family]].Accepted, err
}

// Routes gives bgpd's table of a family, without FRR's own routes.
func (f *FRR) Routes(family addressing.Family) (Routes, error) {
	afi := map[addressing.Family]string{addressing.IPv4: "ipv4", addressing.IPv6: "ipv6"}[family]
	out, err := f.Show("show bgp " + afi + " unicast json detail")
	if err != nil {
		return nil, err
	}
	return parseFRR(out)
}

// Updates gives every UPDATE that bgpd received, from its own MRT dump.
func (f *FRR) Updates() ([]Update, error) { return readUpdates(f.path("bgpd.mrt")) }

// frrPath is a path in "show bgp ... json detail". The first element of each
// prefix's list describes the prefix and has no peer.
type frrPath struct {
	Peer *struct {
		ID string `json:"peerId"`
	} `json:"peer"`
	Local    bool `json:"sourced"`
	ASPath   struct{ String string }
	Origin   string
	Metric   *uint32
	LocPrf   *uint32 `json:"locPrf"`
	OTC      uint32
	Stale    bool
	BestPath struct{ Overall bool }
	NextHops []struct {
		IP    netip.Addr
		Scope string
	}
	Community      struct{ List []string }
	LargeCommunity struct{ List []string }
}

func parseFRR(out []byte) (Routes, error) {
	var table struct{ Routes map[netip.Prefix][]frrPath }
	if err := json.Unmarshal(out, &table); err != nil {
		return nil, fmt.Errorf("frr: routes: %w", err)
	}
	routes := Routes{}
	for prefix, paths := range table.Routes {
		for _, p := range paths {
			if p.Peer == nil || p.Local {
				continue
			}
			r, err := p.route(prefix)
			if err != nil {
				return nil, fmt.Errorf("frr: %s: %w", prefix, err)
			}
			routes[prefix] = append(routes[prefix], r)
		}
	}
	return routes, nil
}

func (p frrPath) route(prefix netip.Prefix) (Route, error) {
	r := Route{
		Prefix: prefix, MED: p.Metric, LocalPref: p.LocPrf, OTC: p.OTC,
		Communities: p.Community.List, LargeCommunities: p.LargeCommunity.List,
		Best: p.BestPath.Overall, Stale: p.Stale,
	}
	var err error
	if r.Neighbor, err = netip.ParseAddr(p.Peer.ID); err != nil {
		return Route{}, err
	}
	if r.Path, err = parsePath(strings.TrimPrefix(p.ASPath.String, "Local")); err != nil {
		return Route{}, err
	}
	if r.Origin, err = origin(p.Origin); err != nil {
		return Route{}, err
	}
	for _, hop := range p.NextHops {
		if hop.Scope != "link-local" {
			r.NextHop = hop.IP
		}
	}
	return r, nil
}
