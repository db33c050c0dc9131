package rollout_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// february is what 20 February left behind: 800 routes withdrawn, 300 more
// without their bindings, and 50 others that were down on purpose before.
func february(t testing.TB, b *bench) (lost int, down map[netip.Prefix]bool) {
	t.Helper()
	down = map[netip.Prefix]bool{}
	block := addressing.ChangeSet{ID: "blocks", Actor: addressing.Actor{Kind: addressing.Owner, ID: "o"}}
	b.intent.set(func(st *addressing.State) {
		for i := 1100; i < 1150; i++ {
			p := st.Prefixes[i]
			down[p.CIDR] = true
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: p.ID, AccountID: p.AccountID, CIDR: p.CIDR, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
			block.Effects = append(block.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: p.CIDR, AccountID: p.AccountID})
		}
	})
	b.Notify(block)
	b.settle()
	outage := addressing.ChangeSet{ID: "outage", Actor: addressing.Actor{Kind: addressing.Owner, ID: "o"}}
	b.intent.set(func(st *addressing.State) {
		for i := range 1100 {
			st.BGPPrefixes[i].Advertised = false
			outage.Effects = append(outage.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
		}
		st.Bindings = append(append([]addressing.Binding{}, st.Bindings[:800]...), st.Bindings[1100:]...)
	})
	b.Notify(outage)
	b.settle()
	return 1100, down
}

// D2: everything comes back but what is down on purpose; through rollback of an
// account, rollback of all, a restart and a rebuild it stays down.
func TestDrillD2(t *testing.T) {
	runSized(t, 200, 1500, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		lost, down := february(t, b)
		if got := b.wire.routes(); got != 1500-lost-len(down) {
			t.Fatalf("%d routes after the outage: %+v", got, b.Status().Refusal)
		}
		stays := func(when string) {
			t.Helper()
			for p := range down {
				if b.wire.held[p] {
					t.Fatalf("%s: %s is down on purpose and on the wire", when, p)
				}
			}
		}
		a, err := b.Damage(t.Context(), good)
		if err != nil || a.Counts[snapshots.WithdrawnOnly] != 800 || a.Counts[snapshots.AllUnbound] != 300 || len(a.Down) != 50 {
			t.Fatalf("damage %v, %d down on purpose, %v", a.Counts, len(a.Down), err)
		}
		before := b.wire.routes()
		one := back(good, false)
		one.Accounts = []string{a.Accounts[0].Account}
		if _, err := b.Rollback(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		restored := 0
		for _, n := range a.Accounts[0].Counts {
			restored += n
		}
		restored -= a.Accounts[0].Counts[snapshots.Intact]
		if got := b.wire.routes(); got != before+restored {
			t.Errorf("one account: %d routes, want %d", got, before+restored)
		}
		stays("one account")
		withdrawn := b.wire.taken()
		if _, err := b.Rollback(t.Context(), back(good, true)); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if got := b.wire.routes(); got != 1450 || b.wire.taken() != withdrawn {
			t.Errorf("all: %d routes, %d withdrawn on the way", got, b.wire.taken()-withdrawn)
		}
		stays("rollback")
		b.stop()
		b.start(nil)
		b.AttachDesired(b.intent)
		b.settle()
		stays("restart")
		b.intent.set(func(st *addressing.State) { *st = addressing.State{} })
		b.Kick()
		b.settle()
		if _, err := b.Rebuild(t.Context(), person, "drill"); err != nil {
			t.Fatal(err)
		}
		b.settle()
		stays("rebuild")
		if got, s := b.wire.routes(), b.Status(); got != 1450 || s.Refusal != nil || s.IntentLost != "" {
			t.Errorf("at the end %d routes, %+v", got, s)
		}
	})
}

// direct is a pipeline without a goroutine, for measuring.
func direct(b *testing.B, accounts, routes int) (*rollout.Runner, *desired, *snapshots.Dir, chan uint64) {
	root := b.TempDir()
	if err := snapshots.Init(root, snapshots.Options{Environment: synthetic.Environment}); err != nil {
		b.Fatal(err)
	}
	d, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		b.Fatal(err)
	}
	applied := make(chan uint64, 100)
	r, err := rollout.New(rollout.Config{
		Environment: synthetic.Environment, Network: synthetic.Network(2), Store: d, Applier: &speaker{}, Gate: open,
		OnApplied: func(a rollout.Applied) { applied <- a.Head.Generation },
	})
	if err != nil {
		b.Fatal(err)
	}
	intent := &desired{st: synthetic.State(accounts, routes)}
	r.AttachDesired(intent)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	b.Cleanup(func() { cancel(); <-done; d.Close() })
	<-applied
	return r, intent, d, applied
}

// BenchmarkOneChange is from the notice of an owner's change to the speaker's
// return, coalescing and fsyncs included.
func BenchmarkOneChange(b *testing.B) {
	for name, routes := range map[string]int{"routes=6500": 6_500, "routes=100000": 100_000} {
		b.Run(name, func(b *testing.B) {
			r, intent, _, applied := direct(b, routes/16, routes)
			for n := 0; b.Loop(); n++ {
				intent.set(func(st *addressing.State) {
					st.BGPPrefixes[n%routes].Prepend = (st.BGPPrefixes[n%routes].Prepend + 1) % 4
				})
				r.Notify(addressing.ChangeSet{ID: "c", Actor: person})
				<-applied
			}
		})
	}
}

// BenchmarkRollbackAll brings 1,100 of 6,500 routes back.
func BenchmarkRollbackAll(b *testing.B) {
	r, intent, _, applied := direct(b, 400, 6_500)
	for b.Loop() {
		b.StopTimer()
		good := r.Status().Generation
		outage := addressing.ChangeSet{ID: "outage", Actor: addressing.Actor{Kind: addressing.Owner, ID: "o"}}
		intent.set(func(st *addressing.State) {
			for i := range 1100 {
				st.BGPPrefixes[i].Advertised = false
				outage.Effects = append(outage.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: st.BGPPrefixes[i].CIDR, AccountID: st.Prefixes[i].AccountID})
			}
		})
		r.Notify(outage)
		<-applied
		b.StartTimer()
		if _, err := r.Rollback(b.Context(), back(good, true)); err != nil {
			b.Fatal(err)
		}
		<-applied
	}
}
