package drill

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// The network of every rig.
const (
	Environment = "drill"
	Neighbor    = "transit-a"
	ourASN      = table.OurASN
	theirASN    = 64510
)

// Began is the simulated time at which every rig starts: the clean-up task of
// 20 February 2026 was released at 17:56 UTC.
var Began = time.Date(2026, 2, 20, 17, 56, 0, 0, time.UTC)

// RigOptions of a Rig. The zero value is the daemon as it is delivered.
type RigOptions struct {
	Dir    string
	Rows   []table.Row                           // advertised, each bound to one service
	Limits breaker.Limits                        // zero means breaker.DefaultLimits
	Gate   func(*gate.Gate) addressing.Gate      // stands before desired state; nil is the gate itself
	Judge  func(*gate.Gate) plan.Gate            // stands before the speaker; nil is the gate itself
	Fill   func(*Desk) error                     // more desired state than Rows; may be nil
	Config func(*rollout.Config)                 // last word on the pipeline; may be nil
	Asked  func(policy.Neighbor) policy.Neighbor // last word on the neighbor; may be nil
	Second bool                                  // a second site with a neighbor of its own
}

// Rig is a network that a drill is run on.
type Rig struct {
	*Desk
	Breaker *breaker.Breaker
	Gate    *gate.Gate
	Runner  *rollout.Runner
	Speaker bgp.Speaker
	Wire    *neighbor.Neighbor // the other side of the session: what is measured
	Other   *neighbor.Neighbor // that of the second site; nil without one
	Store   *snapshots.Dir
	Full    int // routes at the neighbor when everything was up

	now   atomic.Int64 // simulated, Unix nanoseconds
	stops []func()
}

// NewRig builds the network and waits until the neighbor holds every row.
func NewRig(ctx context.Context, o RigOptions) (r *Rig, err error) {
	r = &Rig{Full: len(o.Rows)}
	r.now.Store(Began.UnixNano())
	defer func() {
		if err != nil {
			r.Close()
			r = nil
		}
	}()
	if r.Wire, err = r.listen(loopback); err != nil {
		return r, err
	}
	if o.Second {
		if r.Other, err = r.listen(elsewhere); err != nil {
			return r, err
		}
	}
	if err := r.openBreaker(o); err != nil {
		return r, err
	}
	if err := r.openStore(ctx, o); err != nil {
		return r, err
	}
	if err := r.start(ctx, o); err != nil {
		return r, err
	}
	if err := r.Await(ctx, r.Full); err != nil || r.Other == nil {
		return r, err
	}
	return r, r.AwaitOther(ctx, r.Full)
}

var (
	loopback  = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	elsewhere = netip.AddrFrom4([4]byte{127, 0, 0, 2})
	families  = []addressing.Family{addressing.IPv4, addressing.IPv6}
)

// Sites of the network. There is a neighbor at the second one if it was asked
// for.
const (
	site       = "default"
	secondSite = "second"
)

// listen is the other side of a session.
func (r *Rig) listen(at netip.Addr) (*neighbor.Neighbor, error) {
	n, err := neighbor.New(neighbor.Config{ASN: theirASN, PeerASN: ourASN, RouterID: netip.AddrFrom4([4]byte{192, 0, 2, at.As4()[3] + 1}),
		Listen: netip.AddrPortFrom(at, 0), Peer: loopback, Families: families, LogLimit: 1 << 20})
	if err != nil {
		return nil, fmt.Errorf("neighbor: %w", err)
	}
	r.stops = append(r.stops, func() { _ = n.Close() })
	return n, nil
}

// network is what every snapshot says of sites and neighbors, with the ports of
// the other sides.
func (r *Rig) network(o RigOptions) (snapshots.NetworkPart, []gobgp.Neighbor) {
	out := snapshots.NetworkPart{ASN: ourASN, Sites: []string{site}}
	var sessions []gobgp.Neighbor
	add := func(name, site string, wire *neighbor.Neighbor) {
		them := policy.Neighbor{Name: name, Kind: policy.EBGP, Site: site, Address: wire.Addr().Addr(), ASN: theirASN, LocalASN: ourASN, Role: policy.RoleCustomer,
			Families: families, NextHop4: ourself, NextHop6: netip.MustParseAddr("2001:db8::1")}
		if o.Asked != nil {
			them = o.Asked(them)
		}
		out.Neighbors = append(out.Neighbors, them)
		sessions = append(sessions, gobgp.Neighbor{Neighbor: them, Port: wire.Addr().Port(), LocalAddress: loopback})
	}
	add(Neighbor, site, r.Wire)
	if r.Other != nil {
		out.Sites = append(out.Sites, secondSite)
		add("transit-b", secondSite, r.Other)
	}
	return out, sessions
}

var ourself = netip.AddrFrom4([4]byte{192, 0, 2, 1})

// announced tells the second look who is out of service, as the daemon does.
type announced struct {
	rollout.Applier
	look *gate.SecondLook
}

// Apply implements rollout.Applier.
func (a announced) Apply(ctx context.Context, t snapshots.Target) error {
	a.look.OutOfService(t.Drained)
	return a.Applier.Apply(ctx, t)
}

func (r *Rig) openBreaker(o RigOptions) error {
	dir := filepath.Join(o.Dir, "journal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := breaker.Init(dir, Began); err != nil {
		return err
	}
	b, err := breaker.OpenDir(dir, breaker.Options{Limits: o.Limits, At: Began})
	if err != nil {
		return err
	}
	r.Breaker = b
	r.stops = append(r.stops, func() { _ = b.Close() })
	return nil
}

func (r *Rig) openStore(ctx context.Context, o RigOptions) error {
	root := filepath.Join(o.Dir, "snapshots")
	options := snapshots.Options{Environment: Environment}
	if err := snapshots.Init(root, options); err != nil {
		return err
	}
	var err error
	if r.Store, err = snapshots.Open(root, options); err != nil {
		return err
	}
	r.stops = append(r.stops, func() { _ = r.Store.Close() })
	r.Gate = gate.New(r.Breaker, func() (*snapshots.Snapshot, snapshots.Head) {
		l := r.Runner.Active()
		return l.Snapshot, l.Head
	})
	var before addressing.Gate = r.Gate
	if o.Gate != nil {
		before = o.Gate(r.Gate)
	}
	db, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(o.Dir, "intent.db"), Environment: Environment, Create: true})
	if err != nil {
		return err
	}
	r.stops = append(r.stops, func() { _ = db.Close() })
	registry := addressing.NewRegistry(db, before, addressing.Options{Entropy: rand.Reader, AllowSpecial: true, Grace: time.Hour,
		Notify: func(c addressing.ChangeSet) { r.Runner.Notify(c) }})
	r.Desk = &Desk{Registry: registry, store: db}
	if err := r.Desk.fill(ctx, o.Rows); err != nil || o.Fill == nil {
		return err
	}
	return o.Fill(r.Desk)
}

func (r *Rig) start(ctx context.Context, o RigOptions) error {
	network, sessions := r.network(o)
	quiet := slog.New(slog.DiscardHandler)
	look := gate.NewSecondLook(quiet)
	speaker, err := gobgp.NewGuarded(gobgp.Config{ASN: ourASN, RouterID: ourself, Logger: quiet, StateDir: filepath.Join(o.Dir, "adj-rib-out"), Events: func(e bgp.Event) { e.At = r.Now(); look.See(e) },
		Neighbors: sessions})
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	r.Speaker = speaker
	r.stops = append(r.stops, func() { _ = speaker.Close() })
	cfg := rollout.Config{Environment: Environment, Store: r.Store, Applier: announced{speaker, look}, Gate: r.Gate, Explain: r.Gate.Explain, Program: atOnce,
		Network: network}
	if o.Judge != nil {
		cfg.Gate = o.Judge(r.Gate)
	}
	if o.Config != nil {
		o.Config(&cfg)
	}
	cfg.Gate = simulated{cfg.Gate, r}
	if r.Runner, err = rollout.New(cfg); err != nil {
		return err
	}
	if _, err := r.Runner.Boot(ctx); err != nil {
		return err
	}
	if err := speaker.Start(ctx); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Runner.Run(running) }()
	looked := make(chan struct{})
	go func() { defer close(looked); look.Run(running, r.Breaker) }()
	r.stops = append(r.stops, func() { cancel(); <-ended; <-looked })
	r.Runner.AttachDesired(r.Registry)
	return nil
}

// simulated judges plans in simulated time.
type simulated struct {
	plan.Gate
	r *Rig
}

func (s simulated) Judge(ctx context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	p.At = s.r.Now()
	return s.Gate.Judge(ctx, p)
}

// Close ends everything, the last part first.
func (r *Rig) Close() {
	for i := len(r.stops) - 1; i >= 0; i-- {
		r.stops[i]()
	}
	r.stops = nil
}

// Now is the simulated time; Pass moves it on.
func (r *Rig) Now() time.Time { return time.Unix(0, r.now.Load()).UTC() }

// Pass lets simulated time pass, and tells the breaker how full the neighbor's
// table is, as the daemon does every few seconds.
func (r *Rig) Pass(d time.Duration) error {
	r.now.Add(int64(d))
	var err error
	for _, f := range families {
		err = errors.Join(err, r.Breaker.ObserveAdvertised(Neighbor, breaker.Family(f), r.Wire.HeldOf(f), r.Now()))
		if r.Other != nil {
			err = errors.Join(err, r.Breaker.ObserveAdvertised("transit-b", breaker.Family(f), r.Other.HeldOf(f), r.Now()))
		}
	}
	return err
}

// atOnce is a program without waves, which is a layer of its own: what a drill
// measures must stand without it.
var atOnce = rollout.Program{MaxChanges: 1 << 20, Stages: map[rollout.Class][]plan.Stage{
	rollout.Removal: {{Name: "all", Percent: 100}}, rollout.Neighbor: {{Name: "all", Percent: 100}},
}}

// Request is one by an actor, now.
func (r *Rig) Request(by addressing.Actor, reason string) addressing.Request {
	scope := addressing.EveryAccount()
	if by.Kind == addressing.Owner {
		scope = addressing.OneAccount(by.AccountID)
	}
	return addressing.Request{Actor: by, Scope: scope, Reason: reason, At: r.Now()}
}

// Await waits until the neighbor holds so many routes, for 20 s at most.
func (r *Rig) Await(ctx context.Context, routes int) error { return r.await(ctx, r.Wire, routes) }

// AwaitOther is Await at the second site.
func (r *Rig) AwaitOther(ctx context.Context, routes int) error { return r.await(ctx, r.Other, routes) }

func (r *Rig) await(ctx context.Context, wire *neighbor.Neighbor, routes int) error {
	err := awaitHeld(ctx, wire, routes)
	if errors.Is(err, errMissed) {
		return fmt.Errorf("%w: %+v", err, r.Runner.Status().Refusal)
	}
	return err
}

var errMissed = errors.New("the wire did not follow")

func awaitHeld(ctx context.Context, wire *neighbor.Neighbor, routes int) error {
	for end := time.Now().Add(20 * time.Second); wire.Held() != routes; {
		if time.Now().After(end) {
			return fmt.Errorf("%w: the neighbor holds %d routes, want %d", errMissed, wire.Held(), routes)
		}
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// Settle waits until nothing has changed at the neighbor for a while.
func (r *Rig) Settle(ctx context.Context, quiet time.Duration) error {
	counted, since := r.Wire.Counters(), time.Now()
	for time.Since(since) < quiet {
		if err := pause(ctx, 2*time.Millisecond); err != nil {
			return err
		}
		if now := r.Wire.Counters(); now != counted {
			counted, since = now, time.Now()
		}
	}
	return nil
}

// Lowest is the fewest routes that the neighbor held since it was full.
func (r *Rig) Lowest() int {
	lowest, full := r.Full, false
	for _, c := range r.Wire.Log() {
		full = full || c.Held >= r.Full
		if full {
			lowest = min(lowest, c.Held)
		}
	}
	return lowest
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
