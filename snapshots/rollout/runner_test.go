package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// speaker is a fake Applier that keeps what it was told, and counts what
// neighbors would have seen.
type speaker struct {
	mu        sync.Mutex
	err       error
	applied   []snapshots.Target
	held      map[netip.Prefix]bool // by transit-a
	withdrawn int
}

func (s *speaker) Apply(_ context.Context, t snapshots.Target) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	if t.Total() == 0 && t.Empty == "" {
		return errors.New("an empty target that does not say why")
	}
	if n := len(s.applied); n > 0 && t.Generation < s.applied[n-1].Generation {
		return fmt.Errorf("generation %d after %d", t.Generation, s.applied[n-1].Generation)
	}
	now := map[netip.Prefix]bool{}
	for _, r := range t.Neighbors["transit-a"].Routes {
		now[r.Prefix] = true
	}
	for p := range s.held {
		if !now[p] {
			s.withdrawn++
		}
	}
	s.applied, s.held = append(s.applied, t), now
	return nil
}

func (s *speaker) routes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.held)
}

// taken is how many routes were withdrawn so far.
func (s *speaker) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.withdrawn
}

func (s *speaker) targets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.applied)
}

func (s *speaker) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// desired is desired state in memory.
type desired struct {
	mu       sync.Mutex
	st       addressing.State
	err      error
	restored []addressing.RestoreRequest
	reads    int
	known    map[string]bool // accounts that were ever there
}

func (d *desired) State(context.Context) (addressing.State, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	return copyOf(d.st), d.err
}

// Since says of every account that it may have changed.
func (d *desired) Since(ctx context.Context, r addressing.Revision, _ []string) (addressing.Delta, error) {
	st, err := d.State(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]bool{}
	}
	for _, a := range st.Accounts {
		d.known[a.ID] = true
	}
	out := addressing.Delta{Revision: addressing.Revision{Changes: r.Changes + 1}, State: st}
	if out.Whole = r == (addressing.Revision{}); !out.Whole {
		out.Accounts = slices.Sorted(maps.Keys(d.known))
	}
	return out, err
}

func (d *desired) set(change func(*addressing.State)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.st)
}

// Restore puts back what is missing, never lifting an intent.
func (d *desired) Restore(_ context.Context, req addressing.RestoreRequest) (addressing.Restored, addressing.ChangeSet, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return addressing.Restored{}, addressing.ChangeSet{}, d.err
	}
	d.restored = append(d.restored, req)
	d.st.Accounts = merge(d.st.Accounts, req.Want.Accounts, func(a addressing.Account) string { return a.ID })
	d.st.Services = merge(d.st.Services, req.Want.Services, func(s addressing.Service) string { return s.ID })
	d.st.Prefixes = merge(d.st.Prefixes, req.Want.Prefixes, func(p addressing.Prefix) string { return p.ID })
	d.st.BGPPrefixes = merge(d.st.BGPPrefixes, req.Want.BGPPrefixes, func(b addressing.BGPPrefix) string { return b.ID })
	d.st.Bindings = merge(d.st.Bindings, req.Want.Bindings, func(b addressing.Binding) string { return b.ID })
	d.st.Negative = merge(d.st.Negative, req.Want.Negative, func(n addressing.NegativeIntent) string { return n.ID })
	return addressing.Restored{Created: 1}, addressing.ChangeSet{ID: "restore"}, nil
}

func (d *desired) LiftIntents(_ context.Context, _ addressing.Request, ids []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.st.Negative = slices.DeleteFunc(d.st.Negative, func(n addressing.NegativeIntent) bool { return slices.Contains(ids, n.ID) })
	return d.err
}

func merge[T any](have, want []T, id func(T) string) []T {
	at := map[string]int{}
	for i, v := range have {
		at[id(v)] = i
	}
	for _, v := range want {
		if i, found := at[id(v)]; found {
			have[i] = v
		} else {
			have = append(have, v)
		}
	}
	return have
}

func copyOf(st addressing.State) addressing.State {
	st.Accounts = append([]addressing.Account(nil), st.Accounts...)
	st.Prefixes = append([]addressing.Prefix(nil), st.Prefixes...)
	st.BGPPrefixes = append([]addressing.BGPPrefix(nil), st.BGPPrefixes...)
	st.Bindings = append([]addressing.Binding(nil), st.Bindings...)
	st.Negative = append([]addressing.NegativeIntent(nil), st.Negative...)
	return st
}

type gateFunc func(plan.Plan) (policy.Verdict, error)

func (g gateFunc) Judge(_ context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	v, err := g(p)
	return v, nil, err
}

var open = gateFunc(func(plan.Plan) (policy.Verdict, error) { return policy.Allow, nil })

// atOnce is a program without waves, for tests of something else.
var atOnce = rollout.Program{Stages: map[rollout.Class][]plan.Stage{
	rollout.Removal: {{Name: "all", Percent: 100}}, rollout.Neighbor: {{Name: "all", Percent: 100}},
}}

// bench is a whole pipeline on a directory of its own.
type bench struct {
	*rollout.Runner
	t       *testing.T
	root    string
	store   *snapshots.Dir
	wire    *speaker
	intent  *desired
	mu      sync.Mutex
	refused []plan.Report
	steps   []rollout.Step
	stop    func()
}

// newBench makes the pipeline, boots it and runs it with its routes on the wire.
func newBench(t *testing.T, accounts, routes int, change func(*rollout.Config)) *bench {
	b := &bench{t: t, root: t.TempDir(), wire: &speaker{}, intent: &desired{st: synthetic.State(accounts, routes)}}
	if err := snapshots.Init(b.root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		t.Fatal(err)
	}
	b.start(change)
	b.AttachDesired(b.intent)
	synctest.Wait()
	time.Sleep(time.Second)
	if got := b.wire.routes(); got != routes {
		t.Fatalf("%d routes on the wire after the first load, want %d: %+v", got, routes, b.Status())
	}
	return b
}

func (b *bench) start(change func(*rollout.Config)) {
	b.t.Helper()
	d, err := snapshots.Open(b.root, snapshots.Options{Environment: synthetic.Environment, Marker: filepath.Join(b.root, "generation")})
	if err != nil {
		b.t.Fatal(err)
	}
	b.store = d
	cfg := rollout.Config{
		Environment: synthetic.Environment, Network: synthetic.Network(2), Store: d, Applier: b.wire, Gate: open, Program: atOnce,
		OnRefused: func(_ plan.Plan, r plan.Report) { b.mu.Lock(); b.refused = append(b.refused, r); b.mu.Unlock() },
		OnStep:    func(s rollout.Step) { b.mu.Lock(); b.steps = append(b.steps, s); b.mu.Unlock() },
	}
	if change != nil {
		change(&cfg)
	}
	if b.Runner, err = rollout.New(cfg); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Boot(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = b.Run(ctx) }()
	b.stop = func() { cancel(); <-done; d.Close() }
}

// settle lets the pipeline come to rest.
func (b *bench) settle() { time.Sleep(2 * time.Second); synctest.Wait() }

func (b *bench) refusals() []plan.Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refused
}

var person = addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}

// admit withdraws the routes with the given numbers as the API would: commit,
// then notify.
func (b *bench) admit(actor addressing.Actor, numbers ...int) {
	set := addressing.ChangeSet{ID: fmt.Sprintf("set-%v", numbers), Actor: actor, Reason: "test"}
	b.intent.set(func(st *addressing.State) {
		for _, i := range numbers {
			st.BGPPrefixes[i].Advertised = false
			set.Effects = append(set.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
		}
	})
	b.Notify(set)
}

func run(t *testing.T, change func(*rollout.Config), test func(t *testing.T, b *bench)) {
	t.Helper()
	runSized(t, 5, 200, change, test)
}

func runSized(t *testing.T, accounts, routes int, change func(*rollout.Config), test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, accounts, routes, change)
		test(t, b)
		b.stop()
	})
}

func TestAdmittedChangeReachesTheWire(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		before := b.Status()
		b.admit(person, 3, 4)
		b.settle()
		s := b.Status()
		if b.wire.routes() != 198 || s.Generation != before.Generation+1 || s.Refusal != nil {
			t.Fatalf("%d routes, status %+v", b.wire.routes(), s)
		}
		l, err := b.store.Good()
		if err != nil || l.Head.Generation != s.Generation || l.Head.Actor != person.Key() || l.Head.Parent != before.Snapshot {
			t.Errorf("last-known-good is %+v, %v", l.Head, err)
		}
	})
}

// Changes within a moment make one generation; none waits longer than 50 ms.
func TestCoalescing(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		targets := b.wire.targets()
		for i := range 10 {
			b.admit(person, i)
			time.Sleep(time.Millisecond)
		}
		b.settle()
		if n := b.wire.targets() - targets; n != 1 {
			t.Errorf("10 changes in 10 ms made %d generations", n)
		}
		targets = b.wire.targets()
		begun := time.Now()
		for i := 10; b.wire.targets() == targets; i++ {
			b.intent.set(func(st *addressing.State) { synthetic.Add(st, 6000+i, st.Accounts[0].ID) })
			b.Notify(addressing.ChangeSet{ID: "never quiet", Actor: person})
			time.Sleep(time.Millisecond)
		}
		if waited := time.Since(begun); waited > rollout.MaxCoalesce+2*time.Millisecond {
			t.Errorf("a change waited %v under constant changes, want at most %v", waited, rollout.MaxCoalesce)
		}
		b.settle()
	})
}

// Invariant 4: losing, emptying or corrupting the database causes no UPDATE.
func TestLostDatabase(t *testing.T) {
	for name, lose := range map[string]func(*addressing.State){
		"emptied":          func(st *addressing.State) { *st = addressing.State{} },
		"prefixes deleted": func(st *addressing.State) { st.Prefixes, st.BGPPrefixes, st.Bindings = nil, nil, nil },
		"bindings deleted": func(st *addressing.State) { st.Bindings = nil },
		"nothing advertised": func(st *addressing.State) {
			for i := range st.BGPPrefixes {
				st.BGPPrefixes[i].Advertised = false
			}
		},
		"a quarter gone": func(st *addressing.State) {
			for i := range 50 {
				st.BGPPrefixes[i].Advertised = false
			}
		},
		"orphans":         func(st *addressing.State) { st.Accounts = st.Accounts[:2] },
		"rows doubled":    func(st *addressing.State) { st.Prefixes = append(st.Prefixes, st.Prefixes...) },
		"somebody else's": func(st *addressing.State) { *st = synthetic.State(2, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(t *testing.T, b *bench) {
				before := b.Status()
				b.intent.set(lose)
				b.Kick()
				b.settle()
				s := b.Status()
				if b.wire.routes() != 200 || b.wire.taken() != 0 || s.Generation != before.Generation {
					t.Fatalf("%d routes on the wire, %d withdrawn", b.wire.routes(), b.wire.taken())
				}
				if len(b.refusals()) == 0 || s.Refusal == nil {
					t.Fatalf("nothing was refused: %+v", s)
				}
				stopped := name != "orphans" && name != "rows doubled"
				if (s.IntentLost != "") != stopped {
					t.Errorf("intent lost: %q", s.IntentLost)
				}
			})
		})
	}
}

// A database that cannot be read is not an empty one.
func TestUnreadableDatabase(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.intent.set(func(*addressing.State) { b.intent.err = errors.New("disk I/O error") })
		b.Kick()
		b.settle()
		if s := b.Status(); b.wire.taken() != 0 || !strings.Contains(s.LastError, "disk I/O error") {
			t.Fatalf("status %+v", s)
		}
		b.intent.set(func(st *addressing.State) { b.intent.err = nil })
		b.admit(person, 1)
		b.settle()
		if s := b.Status(); b.wire.routes() != 199 || s.LastError != "" {
			t.Errorf("%d routes after the database came back, status %+v", b.wire.routes(), s)
		}
	})
}

// One row deleted behind the daemon's back is refused, and does not keep
// anybody else's announcement waiting.
func TestUnexplainedLossHoldsOnlyItself(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.intent.set(func(st *addressing.State) {
			st.BGPPrefixes[7].Advertised = false
			synthetic.Add(st, 5000, st.Accounts[1].ID)
		})
		b.Kick()
		b.settle()
		s := b.Status()
		if b.wire.routes() != 201 || b.wire.taken() != 0 {
			t.Fatalf("%d routes, %d withdrawn", b.wire.routes(), b.wire.taken())
		}
		if s.Refusal == nil || !s.Refusal.Report.Has(plan.RuleUnexplained) || s.IntentLost != "" {
			t.Errorf("status %+v", s)
		}
		if n := len(b.refusals()); n != 1 {
			t.Errorf("%d refusals, want one", n)
		}
		b.intent.set(func(st *addressing.State) { synthetic.Add(st, 5001, st.Accounts[1].ID) })
		b.Kick()
		b.settle()
		if n := len(b.refusals()); n != 1 || b.wire.routes() != 202 || b.Status().Refusal == nil {
			t.Errorf("%d refusals after another change, want still one; %d routes", n, b.wire.routes())
		}
	})
}

// SNP-08: a source that alternates between valid and invalid moves nothing, and
// is one incident; once it stays valid, it is believed again by itself.
func TestAlternatingBuilds(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		targets := b.wire.targets()
		for i := range 12 {
			b.intent.set(func(st *addressing.State) {
				st.Prefixes[0].ASN = uint32(i % 2 * 64500) // 0 is invalid
				synthetic.Add(st, 6000+i, st.Accounts[0].ID)
			})
			b.Kick()
			time.Sleep(time.Second)
		}
		if n := b.wire.targets() - targets; n != 0 || b.wire.taken() != 0 {
			t.Fatalf("%d generations from a source that alternates", n)
		}
		if n := len(b.refusals()); n != 1 {
			t.Errorf("%d incidents, want one", n)
		}
		time.Sleep(time.Minute)
		if s := b.Status(); b.wire.routes() != 212 || s.Refusal != nil {
			t.Errorf("%d routes once it stayed valid, %+v", b.wire.routes(), s.Refusal)
		}
	})
}

// SNP-09: how long desired state cannot be followed, and how old the active
// snapshot is, to the second; the wire goes on with it.
func TestStaleness(t *testing.T) {
	for name, spoil := range map[string]func(*desired, bool){
		"invalid": func(d *desired, bad bool) {
			d.set(func(st *addressing.State) {
				if st.Services = st.Services[:2]; bad {
					st.Services = append(slices.Clone(st.Services), st.Services[0])
				}
			})
		},
		"unreadable": func(d *desired, bad bool) {
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.err = nil; bad {
				d.err = errors.New("disk I/O error")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, nil, func(t *testing.T, b *bench) {
				made := time.Unix(0, b.Status().Head.CreatedAt)
				spoil(b.intent, true)
				b.Kick()
				begun := time.Now()
				time.Sleep(15 * time.Minute)
				s := b.Status()
				if off := time.Since(s.StaleSince) - time.Since(begun); s.StaleSince.IsZero() || off < -10*time.Second || off > 10*time.Second {
					t.Errorf("stale since %v after 15 minutes", s.StaleSince)
				}
				if off := s.AgeSeconds - time.Since(made).Seconds(); off < -1 || off > 1 || b.wire.routes() != 200 {
					t.Errorf("age %v s, made %v ago, %d routes", s.AgeSeconds, time.Since(made), b.wire.routes())
				}
				spoil(b.intent, false)
				b.Kick()
				time.Sleep(time.Minute)
				if s := b.Status(); !s.StaleSince.IsZero() {
					t.Errorf("still stale since %v: %s", s.StaleSince, s.LastError)
				}
			})
		})
	}
}

// Invariant 15: a negative intent whose row is lost is not a lifted one.
func TestLostIntentStaysInForce(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		cidr, account := b.intent.st.Prefixes[9].CIDR, b.intent.st.Prefixes[9].AccountID
		b.intent.set(func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "abuse", AccountID: account, CIDR: cidr, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
		})
		b.Notify(addressing.ChangeSet{ID: "block", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: cidr, AccountID: account}}})
		b.settle()
		b.intent.set(func(st *addressing.State) {
			st.Negative = nil
			synthetic.Add(st, 5000, st.Accounts[1].ID)
		})
		b.Kick()
		b.settle()
		if s := b.Status(); b.wire.held[cidr] || b.wire.routes() != 200 || s.Refusal == nil || !s.Refusal.Report.Has(plan.RuleIntent) {
			t.Fatalf("up: %v, %d routes, refusal %+v", b.wire.held[cidr], b.wire.routes(), s.Refusal)
		}
		b.Notify(addressing.ChangeSet{ID: "unblock", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Gained, CIDR: cidr, AccountID: account}}})
		b.settle()
		if s := b.Status(); !b.wire.held[cidr] || b.wire.routes() != 201 || s.Refusal != nil {
			t.Errorf("lifted by name and still down: %d routes, refusal %+v", b.wire.routes(), s.Refusal)
		}
	})
}

// A commit is seen before its notice: the loss waits for it.
func TestLateNotice(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[7].Advertised = false })
		b.Kick()
		time.Sleep(100 * time.Millisecond)
		b.admit(person, 7)
		b.settle()
		if b.wire.routes() != 199 || len(b.refusals()) != 0 {
			t.Errorf("%d routes, refusals %v", b.wire.routes(), b.refusals())
		}
	})
}

// After a restart the process was told of nothing: the breaker's journal says
// what was admitted.
func TestExplainAfterRestart(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.stop()
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[7].Advertised = false })
		want := b.intent.st.BGPPrefixes[7].CIDR
		b.start(func(c *rollout.Config) {
			c.Explain = func(_ string, p netip.Prefix) (plan.Reason, bool) {
				return plan.Reason{Set: "before", By: addressing.Owner}, p == want
			}
		})
		if b.wire.routes() != 200 {
			t.Fatalf("%d routes after the restart", b.wire.routes())
		}
		b.AttachDesired(b.intent)
		b.settle()
		if b.wire.routes() != 199 || len(b.refusals()) != 0 {
			t.Errorf("%d routes, refusals %v", b.wire.routes(), b.refusals())
		}
	})
}

// Invariant 13: a restart withdraws nothing, and needs no database.
func TestBootWithoutDatabase(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		b.stop()
		b.wire.held = nil
		b.start(nil)
		s := b.Status()
		if b.wire.routes() != 200 || s.Attached || s.Generation == 0 {
			t.Fatalf("%d routes, status %+v", b.wire.routes(), s)
		}
		b.StopIntentLost("the database file is not there")
		b.AttachDesired(&desired{})
		b.settle()
		if b.wire.routes() != 200 || b.Status().IntentLost == "" {
			t.Errorf("%d routes, status %+v", b.wire.routes(), b.Status())
		}
	})
}

func TestBootOfNothingExportsNothing(t *testing.T) {
	root := t.TempDir()
	if err := snapshots.Init(root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		t.Fatal(err)
	}
	d, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	wire := &speaker{}
	r, err := rollout.New(rollout.Config{Environment: synthetic.Environment, Network: synthetic.Network(1), Store: d, Applier: wire})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Boot(t.Context())
	if err != nil || !b.None || wire.targets() != 0 {
		t.Errorf("booted %+v, %v, %d targets", b, err, wire.targets())
	}
}

// Every failure leaves the wire as it is, and is tried again.
func TestSpeakerFails(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		before := b.Status()
		b.wire.fail(errors.New("speaker is wedged"))
		b.admit(person, 1)
		b.settle()
		if s := b.Status(); s.Generation != before.Generation || !strings.Contains(s.LastError, "wedged") {
			t.Fatalf("status %+v", s)
		}
		if l, err := b.store.Good(); err != nil || l.Head.Generation != before.Generation {
			t.Errorf("last-known-good is %+v, %v", l.Head, err)
		}
		b.wire.fail(nil)
		time.Sleep(time.Minute)
		if s := b.Status(); b.wire.routes() != 199 || s.LastError != "" {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

func TestHeldPlanGoesOnAfterReset(t *testing.T) {
	var mu sync.Mutex
	verdict := policy.Allow
	set := func(v policy.Verdict) { mu.Lock(); verdict = v; mu.Unlock() }
	gate := gateFunc(func(p plan.Plan) (policy.Verdict, error) {
		mu.Lock()
		defer mu.Unlock()
		if len(p.Losses()) == 0 {
			return policy.Allow, nil
		}
		return verdict, nil
	})
	run(t, func(c *rollout.Config) { c.Gate = gate }, func(t *testing.T, b *bench) {
		set(policy.Hold)
		b.admit(person, 1)
		b.settle()
		if s := b.Status(); b.wire.routes() != 200 || s.Refusal == nil || s.Refusal.Report.Verdict != policy.Hold {
			t.Fatalf("%d routes, status %+v", b.wire.routes(), s)
		}
		set(policy.Allow)
		b.Kick()
		b.settle()
		if s := b.Status(); b.wire.routes() != 199 || s.Refusal != nil {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

func TestConfigurationIsAPlan(t *testing.T) {
	var origins []plan.Origin
	run(t, func(c *rollout.Config) {
		c.OnApplied = func(a rollout.Applied) { origins = append(origins, a.Plan.Origin) }
	}, func(t *testing.T, b *bench) {
		if err := b.SetNetwork(synthetic.Network(3)); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if n := len(b.wire.applied[b.wire.targets()-1].Neighbors); n != 3 {
			t.Errorf("%d neighbors in the target", n)
		}
		if last := origins[len(origins)-1]; last != plan.FromConfig {
			t.Errorf("origin %s", last)
		}
		bad := synthetic.Network(1)
		bad.Neighbors[0].NextHop6 = netip.Addr{}
		if err := b.SetNetwork(bad); err == nil {
			t.Error("a neighbor without a next hop was taken")
		}
	})
}

func TestExpiredIntentComesBack(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		until := time.Now().Add(10 * time.Minute)
		b.intent.set(func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "n", AccountID: st.Prefixes[0].AccountID, CIDR: st.Prefixes[0].CIDR, Kind: addressing.IntentBlock, Author: "a", CreatedAt: time.Now(), ExpiresAt: &until})
		})
		b.Notify(addressing.ChangeSet{ID: "block", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: b.intent.st.Prefixes[0].CIDR, AccountID: b.intent.st.Prefixes[0].AccountID}}})
		b.settle()
		if b.wire.routes() != 199 {
			t.Fatalf("%d routes while blocked", b.wire.routes())
		}
		time.Sleep(11 * time.Minute)
		if b.wire.routes() != 200 {
			t.Errorf("%d routes after the block expired", b.wire.routes())
		}
	})
}

// TestFullFarEndKeepsNobodyElseWaiting: what a far end would not take stays
// off the wire, and a withdrawal of somebody else goes on.
func TestFullFarEndKeepsNobodyElseWaiting(t *testing.T) {
	run(t, func(c *rollout.Config) { c.Network.Neighbors[0].Limit.IPv4 = 210 }, func(t *testing.T, b *bench) {
		before := b.wire.routes()
		b.intent.set(func(st *addressing.State) {
			for i := range 40 {
				synthetic.Add(st, 5000+i, st.Accounts[1].ID)
				if synthetic.CIDR(5000 + i).Addr().Is6() {
					before++ // that table has room
				}
			}
		})
		b.Kick()
		b.settle()
		if s := b.Status(); s.Refusal == nil || !s.Refusal.Report.Has(plan.RuleMaxPrefix) || b.wire.routes() != before {
			t.Fatalf("%d routes, refusal %+v", b.wire.routes(), s.Refusal)
		}
		b.admit(person, 3)
		b.settle()
		if s := b.Status(); b.wire.routes() != before-1 || b.wire.taken() != 1 || s.Refusal == nil {
			t.Errorf("%d routes, %d withdrawn, refusal %+v", b.wire.routes(), b.wire.taken(), s.Refusal)
		}
		if n := len(b.refusals()); n != 1 {
			t.Errorf("%d refusals, want one", n)
		}
	})
}
