//go:build linux

package lab

import (
	"bufio"
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// BIRD is a running BIRD.
type BIRD struct {
	*Daemon
}

// BIRD starts BIRD with the text as its configuration; logging, the MRT dump
// and the device protocol are added to it. It returns when birdc answers.
func (h *Host) BIRD(config string) *BIRD {
	h.l.t.Helper()
	dir := h.stateDir("bird")
	file := func(name string) string { return filepath.Join(dir, name) }
	h.write(file("bird.conf"), fmt.Sprintf(`log %q all;
mrtdump %q;
mrtdump protocols { messages };
protocol device { }
%s`, file("bird.log"), file("bird.mrt"), config), 0o644)
	b := &BIRD{h.start("bird", dir, []string{file("bird.log")}, "bird",
		"-f", "-c", file("bird.conf"), "-s", file("bird.ctl"), "-P", file("bird.pid"))}
	b.await(func() error {
		_, err := b.Show("show status")
		return err
	})
	return b
}

// Show runs a command in BIRD's shell and gives what it prints, without the
// greeting.
func (b *BIRD) Show(command string) ([]byte, error) {
	args := append([]string{"-s", filepath.Join(b.Dir, "bird.ctl")}, strings.Fields(command)...)
	out, err := exec.Command("birdc", args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("bird: %s: %w\n%s", command, err, out)
	}
	if greeting, rest, ok := bytes.Cut(out, []byte("\n")); ok && bytes.HasSuffix(greeting, []byte("ready.")) {
		out = rest
	}
	return out, nil
}

// Established is nil once the BGP protocol of that name is up.
func (b *BIRD) Established(protocol string) error {
	out, err := b.Show("show protocols " + protocol)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 && f[0] == protocol {
			if f[len(f)-1] == "Established" {
				return nil
			}
			return fmt.Errorf("bird: %s", strings.TrimSpace(line))
		}
	}
	return fmt.Errorf("bird: no protocol %s in %q", protocol, out)
}

var birdCount = regexp.MustCompile(`(?m)^(\d+) of \d+ routes`)

// Count is how many routes of a family BIRD holds from a protocol; it is
// cheaper than Routes.
func (b *BIRD) Count(family addressing.Family, protocol string) (int, error) {
	out, err := b.Show(fmt.Sprintf("show route table %s protocol %s count", birdTable(family), protocol))
	if err != nil {
		return 0, err
	}
	m := birdCount.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("bird: no count in %q", out)
	}
	return strconv.Atoi(string(m[1]))
}

func birdTable(family addressing.Family) string {
	if family == addressing.IPv6 {
		return "master6"
	}
	return "master4"
}

// Routes gives BIRD's table of a family, without BIRD's own routes.
func (b *BIRD) Routes(family addressing.Family) (Routes, error) {
	out, err := b.Show("show route all table " + birdTable(family))
	if err != nil {
		return nil, err
	}
	neighbors, err := b.neighbors()
	if err != nil {
		return nil, err
	}
	return parseBIRD(out, neighbors)
}

// Updates gives every UPDATE that BIRD received, from its own MRT dump.
func (b *BIRD) Updates() ([]Update, error) { return readUpdates(filepath.Join(b.Dir, "bird.mrt")) }

// neighbors maps the names of BGP protocols to addresses.
func (b *BIRD) neighbors() (map[string]netip.Addr, error) {
	out, err := b.Show("show protocols all")
	if err != nil {
		return nil, err
	}
	return parseBIRDNeighbors(out)
}

func parseBIRDNeighbors(out []byte) (map[string]netip.Addr, error) {
	neighbors := map[string]netip.Addr{}
	var protocol string
	for line := range strings.Lines(string(out)) {
		if line[0] != ' ' && line[0] != '\n' {
			protocol, _, _ = strings.Cut(line, " ")
			continue
		}
		text, ok := strings.CutPrefix(strings.TrimSpace(line), "Neighbor address:")
		if !ok {
			continue
		}
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("bird: neighbor of %s: %w", protocol, err)
		}
		neighbors[protocol] = a
	}
	return neighbors, nil
}

// birdHead is the first line of a route. The prefix is missing where another
// route of the same prefix came before; (100s) means stale, * means selected.
var birdHead = regexp.MustCompile(`^(\S+)?\s+\S+ \[(\S+) [^\]]*\] (\* )?\(\d+(s?)[^)]*\)`)

func parseBIRD(out []byte, neighbors map[string]netip.Addr) (Routes, error) {
	routes := Routes{}
	var (
		prefix netip.Prefix
		last   *Route // nil while in a route of BIRD's own
		err    error
	)
	flush := func() {
		if last != nil {
			routes[last.Prefix] = append(routes[last.Prefix], *last)
		}
		last = nil
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		if m := birdHead.FindStringSubmatch(line); m != nil {
			flush()
			if m[1] != "" {
				if prefix, err = netip.ParsePrefix(m[1]); err != nil {
					return nil, fmt.Errorf("bird: %w", err)
				}
			}
			if a, ok := neighbors[m[2]]; ok {
				last = &Route{Prefix: prefix, Neighbor: a, Best: m[3] != "", Stale: m[4] != ""}
			}
			continue
		}
		name, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if last == nil || !ok {
			continue
		}
		if err := last.birdAttribute(name, value); err != nil {
			return nil, fmt.Errorf("bird: %s: %s: %w", prefix, name, err)
		}
	}
	flush()
	return routes, nil
}

// birdAttribute reads one "BGP.name: value" line; names it does not know are
// left alone.
func (r *Route) birdAttribute(name, value string) (err error) {
	switch name {
	case "BGP.origin":
		r.Origin, err = origin(value)
	case "BGP.as_path":
		r.Path, err = parsePath(value)
	case "BGP.next_hop":
		global, _, _ := strings.Cut(value, " ") // then the link-local one
		r.NextHop, err = netip.ParseAddr(global)
	case "BGP.med":
		r.MED, err = number(value)
	case "BGP.local_pref":
		r.LocalPref, err = number(value)
	case "BGP.otc":
		var otc *uint32
		if otc, err = number(value); err == nil {
			r.OTC = *otc
		}
	case "BGP.community":
		r.Communities = birdCommunities(value)
	case "BGP.large_community":
		r.LargeCommunities = birdCommunities(value)
	}
	return err
}

// birdCommunities turns "(64500,1) (64500,2)" into 64500:1, 64500:2, and
// "(64500, 1, 2)" into 64500:1:2.
func birdCommunities(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ")") {
		if _, inner, ok := strings.Cut(part, "("); ok {
			list = append(list, strings.ReplaceAll(strings.ReplaceAll(inner, " ", ""), ",", ":"))
		}
	}
	return list
}

func number(text string) (*uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	v := uint32(n)
	return &v, err
}
