package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

const neighbor = "customer-a"

var (
	one = netip.MustParsePrefix("11.0.0.0/24")
	two = netip.MustParsePrefix("11.0.1.0/24")
)

// desired is desired state with the prefixes of one account under BGP control.
// That the real registry does the same is addressing.TestSignal.
type desired struct {
	mu    sync.Mutex
	state map[netip.Prefix]bool
	err   error
	said  []string
}

func (d *desired) Signal(_ context.Context, req addressing.Request, p netip.Prefix, on bool) (addressing.BGPPrefix, addressing.ChangeSet, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return addressing.BGPPrefix{}, addressing.ChangeSet{}, d.err
	}
	if _, known := d.state[p]; !known {
		return addressing.BGPPrefix{}, addressing.ChangeSet{}, &addressing.Error{Code: addressing.CodeNotFound}
	}
	d.state[p] = on
	d.said = append(d.said, fmt.Sprintf("%s %v %s", p, on, req.Actor.Key()))
	return addressing.BGPPrefix{}, addressing.ChangeSet{}, nil
}

func (d *desired) fail(err error) { d.mu.Lock(); d.err = err; d.mu.Unlock() }

func (d *desired) log() []string { d.mu.Lock(); defer d.mu.Unlock(); return slices.Clone(d.said) }

func (d *desired) snapshot() *snapshots.Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	part := snapshots.AccountPart{Account: synthetic.AccountID(0)}
	for p, on := range d.state {
		part.Prefixes = append(part.Prefixes, snapshots.PrefixRecord{CIDR: p, Control: addressing.ControlBGP, BGP: []snapshots.BGPRecord{{CIDR: p, Advertised: on}}})
	}
	return &snapshots.Snapshot{Accounts: []snapshots.AccountPart{part}}
}

// rig is a Control with a session that announces what the test says.
type rig struct {
	*Control
	desired   *desired
	announced []netip.Prefix
	out       bytes.Buffer
}

func start(t *testing.T, state map[netip.Prefix]bool) *rig {
	t.Helper()
	r := &rig{desired: &desired{state: state}}
	r.Control = New(Config{
		Accounts:  map[string]string{neighbor: synthetic.AccountID(0)},
		Registry:  func() Registry { return r.desired },
		Announced: func(string) []netip.Prefix { return r.announced },
		Active:    r.desired.snapshot,
		Log:       slog.New(slog.NewTextHandler(&r.out, nil)),
	})
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	go r.Run(ctx)
	return r
}

func (r *rig) hear(kind bgp.EventKind, prefixes ...netip.Prefix) {
	r.See(bgp.Event{Kind: kind, Neighbor: neighbor, Prefixes: prefixes, At: time.Now()})
	synctest.Wait()
}

// TestLostSignal: a session with 50 advertised prefixes is lost: nothing is
// withdrawn, ever, and it is told.
func TestLostSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := map[netip.Prefix]bool{}
		for i := range 50 {
			state[netip.PrefixFrom(netip.AddrFrom4([4]byte{11, 0, byte(i), 0}), 24)] = true
		}
		r := start(t, state)
		r.hear(bgp.SessionUp)
		r.hear(bgp.SessionDown)
		time.Sleep(24 * time.Hour)
		if said := r.desired.log(); len(said) != 0 {
			t.Errorf("changes: %v", said)
		}
		if risks := strings.Join(r.Risks(), " "); !strings.Contains(risks, "bgp_control_signal_lost") || !strings.Contains(r.out.String(), "bgp_control_signal_lost") {
			t.Errorf("risks %q, log %s", risks, r.out.String())
		}
		r.hear(bgp.SessionUp)
		if risks := r.Risks(); len(risks) != 0 {
			t.Errorf("with the session back: %v", risks)
		}
	})
}

// TestSignalsAreTheOwners: announcing and withdrawing change desired state at
// once, as the owner.
func TestSignalsAreTheOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, map[netip.Prefix]bool{one: false, two: true})
		r.hear(bgp.SignalAnnounced, one)
		r.hear(bgp.SignalWithdrawn, two)
		r.See(bgp.Event{Kind: bgp.SignalWithdrawn, Neighbor: "another", Prefixes: []netip.Prefix{one}})
		synctest.Wait()
		want := []string{"11.0.0.0/24 true owner/bgp/customer-a", "11.0.1.0/24 false owner/bgp/customer-a"}
		if got := r.desired.log(); !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if s := r.State(); s.Counts.Announced != 1 || s.Counts.Withdrawn != 1 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestHeldSignalIsTriedAgain: what a gate holds waits, is told once, and is
// carried out when the gate lets it.
func TestHeldSignalIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, map[netip.Prefix]bool{one: true})
		r.desired.fail(&addressing.Error{Code: addressing.CodeHeld, Detail: "the breaker is open"})
		r.hear(bgp.SignalWithdrawn, one)
		time.Sleep(10 * every)
		if s := r.State(); s.Waiting != 1 || s.Counts.Refused < 2 || !strings.Contains(strings.Join(r.Risks(), ""), "the breaker is open") {
			t.Errorf("%+v, %v", s, r.Risks())
		}
		if n := strings.Count(r.out.String(), "not carried out"); n != 1 {
			t.Errorf("logged %d times", n)
		}
		r.desired.fail(nil)
		time.Sleep(every + time.Second)
		if got := r.desired.log(); len(got) != 1 || r.State().Waiting != 0 {
			t.Errorf("%v, %+v", got, r.State())
		}
	})
}

// TestLastWordCounts: a withdrawal that waits is forgotten when the customer
// announces the prefix again.
func TestLastWordCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, map[netip.Prefix]bool{one: true})
		r.desired.fail(errors.New("no database"))
		r.hear(bgp.SignalWithdrawn, one)
		r.hear(bgp.SignalAnnounced, one)
		r.desired.fail(nil)
		time.Sleep(2 * every)
		if got := r.desired.log(); !slices.Equal(got, []string{"11.0.0.0/24 true owner/bgp/customer-a"}) {
			t.Errorf("%v", got)
		}
	})
}

// TestApprovedLater: a prefix that its customer announced before it could be
// advertised is advertised once it can; one that is not announced is not.
func TestApprovedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, map[netip.Prefix]bool{one: false, two: false})
		r.desired.fail(&addressing.Error{Code: addressing.CodeConflict, Detail: "not approved"})
		r.announced = []netip.Prefix{one}
		r.hear(bgp.SignalAnnounced, one)
		time.Sleep(4 * every)
		r.desired.fail(nil)
		time.Sleep(every + time.Second)
		if got := r.desired.log(); !slices.Equal(got, []string{"11.0.0.0/24 true owner/bgp/customer-a"}) {
			t.Errorf("%v", got)
		}
	})
}

func TestAllows(t *testing.T) {
	d := &desired{state: map[netip.Prefix]bool{one: false}}
	c := New(Config{Accounts: map[string]string{neighbor: synthetic.AccountID(0), "b": synthetic.AccountID(1)}, Active: d.snapshot})
	for _, tt := range []struct {
		neighbor string
		prefix   netip.Prefix
		want     bool
	}{
		{neighbor, one, true}, {neighbor, two, false}, {"b", one, false}, {"unknown", one, false},
		{neighbor, netip.MustParsePrefix("11.0.0.0/25"), false}, {neighbor, netip.MustParsePrefix("0.0.0.0/0"), false},
	} {
		if got := c.Allows(tt.neighbor, tt.prefix); got != tt.want {
			t.Errorf("%s, %s: %v", tt.neighbor, tt.prefix, got)
		}
	}
	none := New(Config{Accounts: map[string]string{neighbor: synthetic.AccountID(0)}, Active: func() *snapshots.Snapshot { return nil }})
	if none.Allows(neighbor, one) {
		t.Error("without a snapshot something is allowed")
	}
}

// TestOthersSpeak: neighbors come and go while signals wait; what one said that
// speaks no longer is not carried out, and what the new one says is.
func TestOthersSpeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, map[netip.Prefix]bool{one: true, two: true})
		r.desired.fail(errors.New("busy"))
		r.hear(bgp.SignalWithdrawn, one)
		r.hear(bgp.SessionDown)
		if s := r.State(); s.Waiting != 1 || len(s.Lost) != 1 {
			t.Fatalf("%+v", s)
		}
		r.Speak(map[string]string{"other": synthetic.AccountID(0)})
		r.desired.fail(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if s := r.State(); s.Waiting != 0 || len(s.Lost) != 0 || s.Counts.Withdrawn != 0 {
			t.Errorf("after it left: %+v", s)
		}
		if r.Allows(neighbor, one) || !r.Allows("other", one) {
			t.Error("who may signal is as it was")
		}
		r.See(bgp.Event{Kind: bgp.SignalWithdrawn, Neighbor: "other", Prefixes: []netip.Prefix{two}, At: time.Now()})
		synctest.Wait()
		if s := r.State(); s.Counts.Withdrawn != 1 {
			t.Errorf("what the new one said: %+v", s)
		}
	})
}
