//go:build interop && linux

package simulated

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	session "github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func TestMain(m *testing.M) { lab.Main(m) }

const (
	asFRR, asBIRD = 64511, 65551
	coming        = 30 * time.Second
	edgeRole      = policy.Role(0) // of our own routers: none
)

var (
	both  = []addressing.Family{addressing.IPv4, addressing.IPv6}
	sites = []string{"ams", "fra"}
	hops  = [2][]netip.Addr{
		{netip.MustParseAddr("10.99.0.71"), netip.MustParseAddr("10.99.0.72")},
		{netip.MustParseAddr("2001:db8:99::71"), netip.MustParseAddr("2001:db8:99::72")},
	}
	roleNames = map[policy.Role][2]string{ // the neighbor's, to FRR and to BIRD
		policy.RoleProvider: {"customer", "customer"},
		policy.RolePeer:     {"peer", "peer"},
		policy.RoleCustomer: {"provider", "provider"},
		policy.RoleRS:       {"rs-client", "rs_client"},
	}
)

// router is FRR or BIRD.
type router interface {
	Routes(addressing.Family) (lab.Routes, error)
}

// far is the other end of one session.
type far struct {
	name string
	at   netip.Addr // ours
	addr netip.Addr // its own
	role policy.Role
	asn  uint32
	host *lab.Host
	r    router
}

// network is the speaker behind its pipeline, with routers around it.
type network struct {
	*lab.Lab
	t     *testing.T
	run   *rollout.Runner
	ends  []far
	state *desired
	parts snapshots.NetworkPart

	applied chan plan.Plan // a generation reached the speaker, which waits for compared
	next    chan struct{}
}

// start brings up two routers outside, a session per role each, and two of our
// own, and the pipeline in front of them.
func start(t *testing.T, st addressing.State) *network {
	t.Helper()
	n := &network{Lab: lab.New(t), t: t, state: &desired{st: st}, applied: make(chan plan.Plan), next: make(chan struct{})}
	n.routers()
	n.parts = snapshots.NetworkPart{ASN: synthetic.ASN, Sites: sites}
	cfg := gobgp.Config{ASN: synthetic.ASN, RouterID: netip.MustParseAddr("10.99.0.200"), Logger: logger()}
	for i, e := range n.ends {
		one := gobgp.Neighbor{
			Neighbor: policy.Neighbor{
				Name: e.name, Kind: policy.EBGP, Site: sites[i%2], Address: e.addr, ASN: e.asn, LocalASN: synthetic.ASN, Role: e.role,
				Families: both, NextHop4: hops[0][i%2], NextHop6: hops[1][i%2], Receive: policy.ReceiveNone,
			},
			LocalAddress: e.at, HoldTime: 90 * time.Second, ConnectRetry: time.Second,
		}
		if e.role == edgeRole {
			one.Kind = policy.Edge
		}
		cfg.Neighbors = append(cfg.Neighbors, one)
		cfg.Listen = append(cfg.Listen, netip.AddrPortFrom(e.at, 179))
		n.parts.Neighbors = append(n.parts.Neighbors, one.Neighbor)
	}
	g, err := gobgp.NewGuarded(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	n.pipeline(g)
	n.Eventually(coming, func() error { return established(t, g) })
	return n
}

func logger() *slog.Logger {
	level := slog.LevelError
	if os.Getenv("HOLDFAST_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// routers starts the daemons. Each session has addresses of its own at both
// ends.
func (n *network) routers() {
	frr, bird, edgeFRR, edgeBIRD := n.Host("frr"), n.Host("bird"), n.Host("edgefrr"), n.Host("edgebird")
	for _, role := range []policy.Role{policy.RoleProvider, policy.RolePeer, policy.RoleCustomer, policy.RoleRS} {
		n.ends = append(n.ends,
			far{name: "frr-" + role.String(), role: role, asn: asFRR, host: frr},
			far{name: "bird-" + role.String(), role: role, asn: asBIRD, host: bird})
	}
	n.ends = append(n.ends,
		far{name: "edge-frr", role: edgeRole, asn: synthetic.ASN, host: edgeFRR},
		far{name: "edge-bird", role: edgeRole, asn: synthetic.ASN, host: edgeBIRD})
	for i := range n.ends {
		e := &n.ends[i]
		e.at, e.addr = netip.AddrFrom4([4]byte{10, 99, 0, byte(100 + i)}), netip.AddrFrom4([4]byte{10, 99, 0, byte(150 + i)})
		n.Address(e.at)
		if _, err := e.host.Exec("ip", "addr", "add", e.addr.String()+"/24", "dev", "eth0"); err != nil {
			n.t.Fatal(err)
		}
	}
	for _, h := range []*lab.Host{frr, edgeFRR} {
		n.hold(h, h.FRR(n.frr(h)))
	}
	for _, h := range []*lab.Host{bird, edgeBIRD} {
		n.hold(h, h.BIRD(n.bird(h)))
	}
}

func (n *network) hold(h *lab.Host, r router) {
	for i := range n.ends {
		if n.ends[i].host == h {
			n.ends[i].r = r
		}
	}
}

func (n *network) frr(h *lab.Host) string {
	var head, active strings.Builder
	for _, e := range n.ends {
		if e.host != h {
			continue
		}
		if head.Len() == 0 {
			fmt.Fprintf(&head, "router bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n", e.asn, h.Addr4)
		}
		fmt.Fprintf(&head, " neighbor %s remote-as %d\n neighbor %[1]s passive\n neighbor %[1]s update-source %[3]s\n", e.at, synthetic.ASN, e.addr)
		if e.role != edgeRole {
			fmt.Fprintf(&head, " neighbor %s local-role %s\n", e.at, roleNames[e.role][0])
		}
		fmt.Fprintf(&active, "  neighbor %s activate\n", e.at)
	}
	return head.String() + " address-family ipv4 unicast\n" + active.String() + " exit-address-family\n address-family ipv6 unicast\n" + active.String() + " exit-address-family\n"
}

func (n *network) bird(h *lab.Host) string {
	var b strings.Builder
	fmt.Fprintf(&b, "router id %s;\n", h.Addr4)
	for _, e := range n.ends {
		if e.host != h {
			continue
		}
		role := ""
		if e.role != edgeRole {
			role = "local role " + roleNames[e.role][1] + ";"
		}
		fmt.Fprintf(&b, "protocol bgp %s { strict bind yes; passive on; local %s as %d; neighbor %s as %d; %s ipv4 { import all; export none; }; ipv6 { import all; export none; }; }\n",
			strings.ReplaceAll(e.name, "-", "_"), e.addr, e.asn, e.at, synthetic.ASN, role)
	}
	return b.String()
}

// pipeline puts the real pipeline in front of the speaker, with short waves.
func (n *network) pipeline(g *session.Guard) {
	n.t.Helper()
	dir := n.t.TempDir()
	err := snapshots.Init(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		n.t.Fatal(err)
	}
	store, err := snapshots.Open(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		n.t.Fatal(err)
	}
	var waves []plan.Stage
	for _, percent := range []int{1, 10, 100} {
		waves = append(waves, plan.Stage{Name: fmt.Sprintf("to %d", percent), Percent: percent, Soak: time.Millisecond})
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.run, err = rollout.New(rollout.Config{
		Environment: synthetic.Environment, Network: n.parts, Store: store, Applier: g, Gate: allows{}, Logger: logger(),
		Program: rollout.Program{Stages: map[rollout.Class][]plan.Stage{rollout.Removal: waves, rollout.Neighbor: waves}},
		Explain: func(string, netip.Prefix) (plan.Reason, bool) {
			return plan.Reason{Set: "test", By: addressing.Operator}, true
		},
		OnApplied: func(a rollout.Applied) {
			select {
			case n.applied <- a.Plan:
				<-n.next
			case <-ctx.Done():
			}
		},
	})
	if err == nil {
		_, err = n.run.Boot(ctx)
	}
	if err == nil {
		err = g.Start(ctx)
	}
	if err != nil {
		n.t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = n.run.Run(ctx) }()
	n.t.Cleanup(func() {
		cancel()
		select {
		case n.next <- struct{}{}: // a failed comparison left it waiting
			<-done
		case <-done:
		}
		store.Close()
	})
}

func established(t *testing.T, g *session.Guard) error {
	all, err := g.Neighbors(t.Context())
	for _, s := range all {
		if s.State != bgp.Established {
			err = errors.Join(err, fmt.Errorf("%s is %s: %s", s.Name, s.State, s.LastError))
		}
	}
	return err
}

// allows is a breaker that is closed.
type allows struct{}

func (allows) Judge(context.Context, plan.Plan) (policy.Verdict, []policy.Finding, error) {
	return policy.Allow, nil, nil
}

// held compares what every router holds from us with what the plan predicts.
func (n *network) held(p plan.Plan) error {
	type key struct {
		r router
		f addressing.Family
	}
	tables := map[key]lab.Routes{}
	predicted := p.Simulate()
	var errs []error
	for _, e := range n.ends {
		want := map[netip.Prefix]*snapshots.Attributes{}
		for _, r := range predicted[e.name].Has {
			want[r.Prefix] = r.Attrs
		}
		for _, f := range both {
			k := key{e.r, f}
			if tables[k] == nil {
				var err error
				if tables[k], err = e.r.Routes(f); err != nil {
					return err
				}
			}
			for prefix, got := range tables[k].From(e.at) {
				a, expected := want[prefix]
				if delete(want, prefix); !expected {
					errs = append(errs, fmt.Errorf("%s holds %s, which the plan does not predict", e.name, prefix))
				} else if was, will := text(got, e), e.expect(a); was != will {
					errs = append(errs, fmt.Errorf("%s: %s\n  held      %s\n  predicted %s", e.name, prefix, was, will))
				}
			}
		}
		for prefix := range want {
			errs = append(errs, fmt.Errorf("%s does not hold %s, which the plan predicts", e.name, prefix))
		}
	}
	return errors.Join(errs[:min(len(errs), 5)]...)
}

// expect is a predicted route in the words of text. OTC follows from the role
// (RFC 9234 section 5); without a LOCAL_PREF of its own a route to our own
// routers carries 100.
func (e far) expect(a *snapshots.Attributes) string {
	var communities, large []string
	for _, c := range a.Communities {
		communities = append(communities, c.String())
	}
	for _, c := range a.LargeCommunities {
		large = append(large, c.String())
	}
	pref, otc := a.LocalPref, uint32(0)
	if e.role != edgeRole {
		pref, otc = nil, policy.OTCEgress(e.role, synthetic.ASN, policy.OTC{}).OTC.AS
	} else if pref == nil {
		usual := uint32(100)
		pref = &usual
	}
	return line(a.ASPath, a.NextHop, a.MED, pref, communities, large, otc, "igp")
}

// wellKnown are FRR's names of communities.
var wellKnown = map[string]string{"gracefulShutdown": "65535:0", "noExport": "65535:65281"}

func text(r lab.Route, e far) string {
	var communities []string
	for _, c := range r.Communities {
		if number, named := wellKnown[c]; named {
			c = number
		}
		communities = append(communities, c)
	}
	if e.role != edgeRole {
		r.LocalPref = nil // the router's own business
	}
	return line(r.Path, r.NextHop, r.MED, r.LocalPref, communities, r.LargeCommunities, r.OTC, r.Origin)
}

func line(path []uint32, hop netip.Addr, med, pref *uint32, communities, large []string, otc uint32, origin string) string {
	slices.Sort(communities)
	slices.Sort(large)
	return fmt.Sprintf("path %v, next hop %s, MED %s, LOCAL_PREF %s, communities %v, large %v, OTC %d, %s", path, hop, show(med), show(pref), communities, large, otc, origin)
}

func show(v *uint32) string {
	if v == nil {
		return "none"
	}
	return fmt.Sprint(*v)
}
