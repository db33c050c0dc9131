//go:build linux

package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// OpenBGPD is a running OpenBGPD.
type OpenBGPD struct {
	*Daemon
}

// OpenBGPD starts OpenBGPD with the text as its configuration; the control
// socket and the MRT dump are added to it. It returns when bgpctl answers.
func (h *Host) OpenBGPD(config string) *OpenBGPD {
	t := h.l.t
	t.Helper()
	if err := openBGPDUser(); err != nil {
		t.Fatalf("lab: user of OpenBGPD: %v", err)
	}
	dir := h.stateDir("openbgpd")
	file := func(name string) string { return filepath.Join(dir, name) }
	// OpenBGPD insists that nobody else may write its configuration.
	h.write(file("bgpd.conf"), fmt.Sprintf("socket %q\nfib-update no\ndump all in %q\n%s",
		file("bgpd.sock"), file("bgpd.mrt"), config), 0o600)
	o := &OpenBGPD{h.start("openbgpd", dir, nil, "/usr/sbin/bgpd", "-d", "-f", file("bgpd.conf"))}
	o.await(func() error {
		_, err := o.Show("show", "summary")
		return err
	})
	return o
}

// openBGPDUser makes the user that OpenBGPD drops its privileges to, if the
// machine has none: Debian's package leaves that to systemd. Only the lab sees
// it, in copies of the account files mounted over them.
var openBGPDUser = sync.OnceValue(func() error {
	const name, id = "_openbgpd", "64179"
	var unknown user.UnknownUserError
	if _, err := user.Lookup(name); !errors.As(err, &unknown) {
		return err
	}
	for file, line := range map[string]string{
		"/etc/group":  name + ":x:" + id + ":\n",
		"/etc/passwd": name + ":x:" + id + ":" + id + "::/run/openbgpd:/usr/sbin/nologin\n",
	} {
		if err := overlay(file, line); err != nil {
			return err
		}
	}
	return nil
})

// overlay mounts over a file a copy with one more line.
func overlay(file, line string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	longer, err := os.CreateTemp("", filepath.Base(file))
	if err != nil {
		return err
	}
	defer os.Remove(longer.Name()) // the mount keeps it
	defer longer.Close()
	if _, err := longer.WriteString(string(text) + line); err != nil {
		return err
	}
	if err := longer.Chmod(0o644); err != nil {
		return err
	}
	return syscall.Mount(longer.Name(), file, "", syscall.MS_BIND, "")
}

// Show runs bgpctl and gives what it prints.
func (o *OpenBGPD) Show(args ...string) ([]byte, error) {
	all := append([]string{"-s", filepath.Join(o.Dir, "bgpd.sock")}, args...)
	out, err := exec.Command("bgpctl", all...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("openbgpd: %q: %w\n%s", args, err, out)
	}
	return out, nil
}

// Established is nil once the session with a neighbor is up.
func (o *OpenBGPD) Established(a netip.Addr) error {
	out, err := o.Show("-j", "show", "neighbor", a.String())
	if err != nil {
		return err
	}
	var answer struct {
		Neighbors []struct {
			State     string
			LastError string `json:"last_error"`
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		return fmt.Errorf("openbgpd: neighbor %s: %w", a, err)
	}
	if len(answer.Neighbors) != 1 {
		return fmt.Errorf("openbgpd: %d neighbors %s, want one", len(answer.Neighbors), a)
	}
	if n := answer.Neighbors[0]; n.State != "Established" {
		return fmt.Errorf("openbgpd: neighbor %s is %s, last error: %s", a, n.State, n.LastError)
	}
	return nil
}

// Routes gives OpenBGPD's table of a family, without OpenBGPD's own routes.
// The table holds what its filters let in.
func (o *OpenBGPD) Routes(family addressing.Family) (Routes, error) {
	inet := map[addressing.Family]string{addressing.IPv4: "inet", addressing.IPv6: "inet6"}[family]
	out, err := o.Show("-j", "show", "rib", "detail", "table", "Loc-RIB", inet)
	if err != nil {
		return nil, err
	}
	return parseOpenBGPD(out)
}

// Updates gives every UPDATE that OpenBGPD received, from its own MRT dump.
func (o *OpenBGPD) Updates() ([]Update, error) { return readUpdates(filepath.Join(o.Dir, "bgpd.mrt")) }

// openBGPDPath is a path in "bgpctl -j show rib detail".
type openBGPDPath struct {
	Prefix   netip.Prefix
	ASPath   string     `json:"aspath"`
	NextHop  netip.Addr `json:"exit_nexthop"`
	Origin   string
	Source   string
	Best     bool
	Stale    bool
	Metric   *uint32
	LocPref  *uint32 `json:"localpref"`
	Neighbor struct {
		Address string `json:"remote_addr"`
	}
	Communities      []string `json:"communities"`
	LargeCommunities []string `json:"large_communities"`
	Attributes       []struct {
		Type string
		AS   uint32
	}
}

func parseOpenBGPD(out []byte) (Routes, error) {
	var table struct{ Rib []openBGPDPath }
	if err := json.Unmarshal(out, &table); err != nil {
		return nil, fmt.Errorf("openbgpd: routes: %w", err)
	}
	routes := Routes{}
	for _, p := range table.Rib {
		if p.Neighbor.Address == "" || p.Source == "announced" {
			continue // its own
		}
		r, err := p.route()
		if err != nil {
			return nil, fmt.Errorf("openbgpd: %s: %w", p.Prefix, err)
		}
		routes[p.Prefix] = append(routes[p.Prefix], r)
	}
	return routes, nil
}

func (p openBGPDPath) route() (Route, error) {
	r := Route{
		Prefix: p.Prefix, NextHop: p.NextHop, MED: p.Metric, LocalPref: p.LocPref,
		Communities: p.Communities, LargeCommunities: p.LargeCommunities, Best: p.Best, Stale: p.Stale,
	}
	for _, a := range p.Attributes {
		if a.Type == "OTC" {
			r.OTC = a.AS
		}
	}
	var err error
	if r.Neighbor, err = netip.ParseAddr(p.Neighbor.Address); err != nil {
		return Route{}, err
	}
	if r.Path, err = parsePath(p.ASPath); err != nil {
		return Route{}, err
	}
	r.Origin, err = origin(p.Origin)
	return r, err
}
