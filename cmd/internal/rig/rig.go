//go:build linux

package rig

import (
	"errors"
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
)

// AS numbers and addresses of the rig.
const (
	ASN     = 64500 // the operator's
	Marker  = "64500:9235:1"
	Port    = 1790 // of a speaker
	coming  = 40 * time.Second
	asFirst = 64601 // of the first transit
)

// Next hops of the two sites, on the lab's network but of nobody, so that a
// speaker that puts its own address in is found out.
var (
	NextHop4 = map[string]netip.Addr{"ams": netip.MustParseAddr("10.99.0.71"), "fra": netip.MustParseAddr("10.99.0.72")}
	NextHop6 = map[string]netip.Addr{"ams": netip.MustParseAddr("2001:db8:99::71"), "fra": netip.MustParseAddr("2001:db8:99::72")}
)

// Options change the rig before it starts. The zero value is one speaker and
// edges that accept what carries the marker.
type Options struct {
	Speakers int // 1 or 2
	// Edge may add to an edge's configuration, in the language of its daemon.
	Edge func(e *Edge) string
}

// Edge is one edge router.
type Edge struct {
	Name string
	Site string
	Host *lab.Host
	FRR  *lab.FRR  // one of the two
	BIRD *lab.BIRD // is set
}

// Transit is a network upstream.
type Transit struct {
	Name string
	ASN  uint32
	Host *lab.Host
	BIRD *lab.BIRD
}

// Rig is the network. Speakers are hosts without a daemon: Serve starts one.
type Rig struct {
	*lab.Lab
	T         testing.TB
	Speakers  []*lab.Host
	Reflector *lab.Host
	RR        *lab.BIRD
	Edges     []*Edge
	Transits  []*Transit
}

// New builds the network and starts every router. No speaker runs yet.
func New(t testing.TB, o Options) *Rig {
	t.Helper()
	r := &Rig{Lab: lab.New(t), T: t}
	for i := range max(o.Speakers, 1) {
		r.Speakers = append(r.Speakers, r.Host(fmt.Sprintf("speaker%d", i+1)))
	}
	r.Reflector = r.Host("rr")
	for i, name := range []string{"ams1", "ams2", "fra1", "fra2"} {
		r.Edges = append(r.Edges, &Edge{Name: name, Site: name[:3], Host: r.Host(name)})
		if i < 2 {
			r.Transits = append(r.Transits, &Transit{Name: fmt.Sprintf("transit%d", i+1), ASN: uint32(asFirst + i), Host: r.Host(fmt.Sprintf("transit%d", i+1))})
		}
	}
	for _, x := range r.Transits {
		x.BIRD = x.Host.BIRD(r.transit(x))
	}
	r.RR = r.Reflector.BIRD(r.reflector())
	for i, e := range r.Edges {
		more := ""
		if o.Edge != nil {
			more = o.Edge(e)
		}
		if i%2 == 0 {
			e.FRR = e.Host.FRR(r.frr(e) + more)
		} else {
			e.BIRD = e.Host.BIRD(r.bird(e) + more)
		}
	}
	return r
}

// session is one BGP session of a router of the rig.
type session struct {
	name string
	peer netip.Addr
	asn  uint32
}

// sessions are those with one host, a family each.
func sessions(name string, h *lab.Host, asn uint32) []session {
	return []session{{name + "_4", h.Addr4, asn}, {name + "_6", h.Addr6, asn}}
}

func (s session) family() string {
	if s.peer.Is4() {
		return "ipv4"
	}
	return "ipv6"
}

// local is the host's own address of the session's family.
func (s session) local(h *lab.Host) netip.Addr {
	if s.peer.Is4() {
		return h.Addr4
	}
	return h.Addr6
}

// inside are an edge's sessions with speakers and the reflector.
func (r *Rig) inside() []session {
	var out []session
	for i, h := range r.Speakers {
		out = append(out, sessions(fmt.Sprintf("speaker%d", i+1), h, ASN)...)
	}
	return append(out, sessions("rr", r.Reflector, ASN)...)
}

func (r *Rig) outside() []session {
	var out []session
	for _, x := range r.Transits {
		out = append(out, sessions(x.Name, x.Host, x.ASN)...)
	}
	return out
}

// timing makes sessions come back quickly; the hold time stays long enough for
// a machine under load.
const birdTiming = "connect delay time 1; connect retry time 1; error wait time 1, 2; hold time 30; graceful restart on; long lived graceful restart on;"

// birdDirect lets next hops on the lab's network resolve.
const birdDirect = "protocol direct { ipv4; ipv6; }\n"

// transit is a BIRD that takes everything and honours GRACEFUL_SHUTDOWN (RFC 8326).
func (r *Rig) transit(x *Transit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\nfilter heard { if (65535, 0) ~ bgp_community then bgp_local_pref = 0; accept; }\n", x.Host.Addr4)
	for _, e := range r.Edges {
		for _, s := range sessions(e.Name, e.Host, ASN) {
			fmt.Fprintf(&b, "protocol bgp %s { local %s as %d; neighbor %s as %d; strict bind yes; %s %s { import filter heard; export none; }; }\n",
				s.name, s.local(x.Host), x.ASN, s.peer, s.asn, birdTiming, s.family())
		}
	}
	return b.String()
}

// reflector is a BIRD whose clients are the speakers and the edges.
func (r *Rig) reflector() string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\n%s", r.Reflector.Addr4, birdDirect)
	clients := []session{}
	for i, h := range r.Speakers {
		clients = append(clients, sessions(fmt.Sprintf("speaker%d", i+1), h, ASN)...)
	}
	for _, e := range r.Edges {
		clients = append(clients, sessions(e.Name, e.Host, ASN)...)
	}
	for _, s := range clients {
		port := ""
		if strings.HasPrefix(s.name, "speaker") {
			port = "passive on;"
		}
		fmt.Fprintf(&b, "protocol bgp %s { local %s as %d; neighbor %s as %d; rr client; strict bind yes; %s %s %s { import all; export where source = RTS_BGP; }; }\n",
			s.name, s.local(r.Reflector), ASN, s.peer, ASN, port, birdTiming, s.family())
	}
	return b.String()
}

// bird is an edge as BIRD. What it takes from inside carries the marker; what
// it gives to transits does too, and the marker stays behind.
func (r *Rig) bird(e *Edge) string {
	var b strings.Builder
	marker := "(" + strings.ReplaceAll(Marker, ":", ", ") + ")"
	fmt.Fprintf(&b, "router id %s;\n"+birdDirect+"filter ours { if %s ~ bgp_large_community then accept; reject; }\n", e.Host.Addr4, marker)
	fmt.Fprintf(&b, "filter away { if %s ~ bgp_large_community then { bgp_large_community.delete(%[1]s); accept; } reject; }\n", marker)
	for _, s := range r.inside() {
		passive := ""
		if strings.HasPrefix(s.name, "speaker") {
			passive = "passive on;"
		}
		fmt.Fprintf(&b, "protocol bgp %s { local %s as %d; neighbor %s as %d; strict bind yes; %s %s %s { import filter ours; export none; }; }\n",
			s.name, s.local(e.Host), ASN, s.peer, s.asn, passive, birdTiming, s.family())
	}
	for _, s := range r.outside() {
		fmt.Fprintf(&b, "protocol bgp %s { local %s as %d; neighbor %s as %d; strict bind yes; %s %s { import none; export filter away; next hop self; }; }\n",
			s.name, s.local(e.Host), ASN, s.peer, s.asn, birdTiming, s.family())
	}
	return b.String()
}

// frr is the same edge as FRR.
func (r *Rig) frr(e *Edge) string {
	var b strings.Builder
	fmt.Fprintf(&b, "bgp large-community-list standard MARKER permit %s\n", Marker)
	b.WriteString("route-map OURS permit 10\n match large-community MARKER\nroute-map NONE deny 10\n")
	b.WriteString("route-map AWAY permit 10\n match large-community MARKER\n set large-comm-list MARKER delete\n")
	fmt.Fprintf(&b, "router bgp %d\n bgp router-id %s\n no bgp default ipv4-unicast\n", ASN, e.Host.Addr4)
	all := append(r.inside(), r.outside()...)
	for _, s := range all {
		fmt.Fprintf(&b, " neighbor %s remote-as %d\n neighbor %[1]s update-source %[3]s\n neighbor %[1]s timers 10 30\n neighbor %[1]s timers connect 1\n", s.peer, s.asn, s.local(e.Host))
		if strings.HasPrefix(s.name, "speaker") {
			fmt.Fprintf(&b, " neighbor %s passive\n", s.peer)
		}
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		fmt.Fprintf(&b, " address-family %s unicast\n", family)
		for _, s := range all {
			if s.family() != family {
				continue
			}
			in, out := "OURS", "NONE"
			if s.asn != ASN {
				in, out = "NONE", "AWAY"
			}
			fmt.Fprintf(&b, "  neighbor %s activate\n  neighbor %[1]s route-map %[2]s in\n  neighbor %[1]s route-map %[3]s out\n", s.peer, in, out)
			if s.asn != ASN {
				fmt.Fprintf(&b, "  neighbor %s next-hop-self\n", s.peer)
			}
		}
		b.WriteString(" exit-address-family\n")
	}
	return b.String()
}

// Sites is the part of Holdfast's configuration that declares the edges:
// routers by site, with a session per family, and the reflector at a site of
// its own. Neighbors are NAME-v4 and NAME-v6.
func (r *Rig) Sites() string {
	var b strings.Builder
	b.WriteString("  groups:\n    - {name: edge, kind: edge, hold_time: 30s}\n    - {name: reflector, kind: edge, reflector: true, hold_time: 30s}\n  sites:\n")
	fmt.Fprintf(&b, "    - {name: core, next_hop: {ipv4: %s, ipv6: '%s'}, routers: [{name: rr, group: reflector, address_ipv4: %s, address_ipv6: '%s'}]}\n",
		NextHop4["ams"], NextHop6["ams"], r.Reflector.Addr4, r.Reflector.Addr6)
	for _, site := range []string{"ams", "fra"} {
		fmt.Fprintf(&b, "    - {name: %s, group: edge, next_hop: {ipv4: %s, ipv6: '%s'}, routers: [", site, NextHop4[site], NextHop6[site])
		for _, e := range r.Edges {
			if e.Site == site {
				fmt.Fprintf(&b, "{name: %s, address_ipv4: %s, address_ipv6: '%s'}, ", e.Name, e.Host.Addr4, e.Host.Addr6)
			}
		}
		b.WriteString("]}\n")
	}
	return b.String()
}

// Configuration is a whole configuration for the speaker on a host; bgp is the
// rest of its bgp section, such as what Sites gives. Changes of neighbors soak
// for a second only.
func (r *Rig) Configuration(h *lab.Host, bgp string) string {
	return fmt.Sprintf(`environment: rig
data_dir: ./data
api: {listen: 127.0.0.1:8080, allow_special_purpose_prefixes: true}
admin: {socket: ./data/admin.sock}
metrics: {listen: 127.0.0.1:9179}
rollout:
  plans:
    - {class: neighbor, metrics: [unmonitored], on_fail: restore, pre_checks: [breaker], waves: [{name: one, percent: 1, soak: 1s}, {name: all, percent: 100, soak: 1s}]}
bgp:
  drain: {prefixes: 0s}
  asn: %d
  router_id: %s
  listen: ["%[2]s:%[3]d", "[%[4]s]:%[3]d"]
%[5]s`, ASN, h.Addr4, Port, h.Addr6, bgp)
}

// Write writes a configuration into a directory and gives the file.
func (r *Rig) Write(dir, text string) string {
	r.T.Helper()
	file := filepath.Join(dir, "holdfast.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		r.T.Fatal(err)
	}
	return file
}

// Established is nil when every session of an edge with a host is up.
func (e *Edge) Established(name string, h *lab.Host) error {
	if e.FRR != nil {
		return errors.Join(e.FRR.Established(h.Addr4), e.FRR.Established(h.Addr6))
	}
	return errors.Join(e.BIRD.Established(name+"_4"), e.BIRD.Established(name+"_6"))
}

// Routes are an edge's routes of a family.
func (e *Edge) Routes(f addressing.Family) (lab.Routes, error) {
	if e.FRR != nil {
		return e.FRR.Routes(f)
	}
	return e.BIRD.Routes(f)
}

// Updates are all UPDATEs that an edge received.
func (e *Edge) Updates() ([]lab.Update, error) {
	if e.FRR != nil {
		return e.FRR.Updates()
	}
	return e.BIRD.Updates()
}

// Up waits until every edge and the reflector speak with the speaker.
func (r *Rig) Up(speaker int, d *lab.Daemon) {
	r.T.Helper()
	name := fmt.Sprintf("speaker%d", speaker+1)
	r.Eventually(coming, func() error {
		err := errors.Join(d.Ended(), r.RR.Established(name+"_4"), r.RR.Established(name+"_6"))
		for _, e := range r.Edges {
			err = errors.Join(err, e.Established(name, r.Speakers[speaker]))
		}
		return err
	})
}

// TransitsUp waits until every edge speaks with both transits and the reflector.
func (r *Rig) TransitsUp() {
	r.T.Helper()
	r.Eventually(coming, func() error {
		var err error
		for _, e := range r.Edges {
			err = errors.Join(err, e.Established("rr", r.Reflector))
			for _, x := range r.Transits {
				err = errors.Join(err, e.Established(x.Name, x.Host))
			}
		}
		return err
	})
}

const module = "github.com/holdfast-bgp/holdfast/"

// Build makes a program of this module from its sources, such as
// "cmd/holdfastd", and gives its file.
func Build(t testing.TB, program string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), filepath.Base(program))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", file, module+program).CombinedOutput()
	if err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	return file
}
