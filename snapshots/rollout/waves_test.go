package rollout_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// told keeps what OnRollout said.
type told struct {
	mu   sync.Mutex
	seen []rollout.Rollout
	did  []rollout.Effect
}

func (l *told) note(r rollout.Rollout, e rollout.Effect) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen, l.did = append(l.seen, r), append(l.did, e)
}

func (l *told) trips() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, e := range l.did {
		if e == rollout.Trip {
			n++
		}
	}
	return n
}

// waved is a bench with the default program and a book.
func waved(l *told, h rollout.Health, book string) func(*rollout.Config) {
	return func(c *rollout.Config) {
		c.Program, c.Health, c.OnRollout = rollout.Program{}, h, l.note
		if book != "" {
			c.Book = rollout.FileBook(book)
		}
	}
}

func numbers(from, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = from + i
	}
	return out
}

// An operator's removal starts with one prefix per class and ends with all of
// them; no stage starts before the one before has soaked.
func TestRemovalGoesInWaves(t *testing.T) {
	l := &told{}
	run(t, waved(l, nil, ""), func(t *testing.T, b *bench) {
		b.admit(person, numbers(0, 20)...)
		b.settle()
		first := b.wire.taken()
		if first == 0 || first > 4 {
			t.Fatalf("%d of 20 withdrawn at first", first)
		}
		r := b.Rollouts()
		if len(r) != 1 || r[0].Phase != rollout.Soaking || r[0].Monitor != "unmonitored" || r[0].Class != rollout.Removal {
			t.Fatalf("rollouts %+v", r)
		}
		time.Sleep(50 * time.Second)
		if b.wire.taken() != first {
			t.Fatalf("%d withdrawn within the first soak", b.wire.taken())
		}
		// An owner's change does not wait for it.
		b.admit(addressing.Actor{Kind: addressing.Owner, ID: "o"}, 100)
		b.settle()
		if b.wire.taken() != first+1 {
			t.Fatalf("%d withdrawn, want the owner's one more than %d", b.wire.taken(), first)
		}
		// Another operator's does.
		b.admit(person, 101)
		b.settle()
		if b.wire.taken() != first+1 || len(b.Rollouts()) != 1 {
			t.Fatalf("a second removal did not wait: %d withdrawn, %d rollouts", b.wire.taken(), len(b.Rollouts()))
		}
		time.Sleep(10 * time.Minute)
		if b.wire.taken() != 22 || b.wire.routes() != 178 {
			t.Fatalf("%d withdrawn in the end", b.wire.taken())
		}
		for _, r := range b.Rollouts() {
			if r.Phase != rollout.Done {
				t.Errorf("%s is %s: %s", r.ID, r.Phase, r.Why)
			}
		}
	})
}

// What the forecast of a plan says is what happens when it goes out.
func TestForecast(t *testing.T) {
	run(t, waved(&told{}, nil, ""), func(t *testing.T, b *bench) {
		forecast := func() rollout.Forecast {
			t.Helper()
			p, _, err := b.Pending(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return b.Forecast(p)
		}
		if f := forecast(); f.Begins != nil || f.AtOnce+f.Queued+len(f.Waits) != 0 {
			t.Fatalf("nothing is pending: %+v", f)
		}
		if err := b.Pin(person, "look first"); err != nil {
			t.Fatal(err)
		}
		b.admit(person, numbers(0, 20)...)
		b.admit(addressing.Actor{Kind: addressing.Owner, ID: "o"}, 100)
		b.settle()
		first := forecast()
		if first.Begins == nil || first.Begins.Monitor != "unmonitored" || first.AtOnce != 1 || first.Begins.Changes() != 20 {
			t.Fatalf("forecast %+v", first)
		}
		p, _, _ := b.Pending(t.Context())
		if err := b.Unpin(t.Context(), p.To); err != nil {
			t.Fatal(err)
		}
		b.settle()
		r := b.Rollouts()
		if len(r) != 1 || !slices.EqualFunc(r[0].Waves, first.Begins.Waves, func(a, b plan.Wave) bool {
			return a.Stage == b.Stage && a.Soak == b.Soak && slices.EqualFunc(a.Items, b.Items, func(x, y plan.Item) bool { return x.Key() == y.Key() })
		}) {
			t.Fatalf("forecast %+v, rolled out %+v", first.Begins.Waves, r)
		}
		b.admit(person, 101, 102)
		b.settle()
		if f := forecast(); f.Queued != 2 || f.Waits[r[0].ID] != 20-b.wire.taken()+1 || f.Begins != nil || f.AtOnce != 0 {
			t.Fatalf("%d are on the wire, forecast %+v", b.wire.taken(), f)
		}
	})
}

// One change of one prefix needs no second wave: small networks stay usable.
func TestOneRemovalIsAtOnce(t *testing.T) {
	run(t, waved(&told{}, nil, ""), func(t *testing.T, b *bench) {
		for i := range 5 {
			b.admit(person, i)
			b.settle()
		}
		if b.wire.taken() != 5 {
			t.Fatalf("%d of 5 single removals on the wire", b.wire.taken())
		}
	})
}

func TestPauseAndPromote(t *testing.T) {
	run(t, waved(&told{}, nil, ""), func(t *testing.T, b *bench) {
		b.admit(person, numbers(0, 20)...)
		b.settle()
		id, first := b.Rollouts()[0].ID, b.wire.taken()
		decide := func(verb rollout.EventKind) {
			t.Helper()
			if _, err := b.Decide(t.Context(), id, verb, person, "because"); err != nil {
				t.Fatal(err)
			}
			b.settle()
		}
		decide(rollout.Pause)
		time.Sleep(time.Hour)
		if b.wire.taken() != first {
			t.Fatal("a paused rollout went on")
		}
		if _, err := b.Decide(t.Context(), id, rollout.Promote, person, ""); err == nil {
			t.Error("promoted without a reason")
		}
		decide(rollout.Promote) // soaks again
		decide(rollout.Promote) // skips the soak
		if b.wire.taken() <= first {
			t.Error("promoting a soaking rollout released nothing")
		}
		decide(rollout.Abort)
		if b.wire.routes() != 200 || b.Rollouts()[0].Phase != rollout.Aborted || !b.Rollouts()[0].Restored {
			t.Fatalf("%d routes after the abort, %+v", b.wire.routes(), b.Rollouts()[0].Phase)
		}
		time.Sleep(time.Hour)
		if b.wire.routes() != 200 {
			t.Error("what was aborted came back")
		}
		if _, err := b.Decide(t.Context(), "nobody", rollout.Pause, person, "x"); err == nil {
			t.Error("decided about a rollout that is not there")
		}
	})
}

// A process that ends stops its rollout; the next one resumes nothing by
// itself (HMD-03).
func TestRestartStops(t *testing.T) {
	book := filepath.Join(t.TempDir(), "rollouts.json")
	l := &told{}
	run(t, waved(l, nil, book), func(t *testing.T, b *bench) {
		b.admit(person, numbers(0, 20)...)
		b.settle()
		first := b.wire.taken()
		b.stop()
		b.start(waved(l, nil, book))
		b.AttachDesired(b.intent)
		time.Sleep(time.Hour)
		r := b.Rollouts()
		if len(r) != 1 || r[0].Phase != rollout.Paused || b.wire.taken() != first {
			t.Fatalf("%d withdrawn, want %d: %+v", b.wire.taken(), first, r)
		}
		if _, err := b.Decide(t.Context(), r[0].ID, rollout.Promote, person, "looked at it"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if b.wire.taken() != 20 {
			t.Fatalf("%d withdrawn after a person let it go on", b.wire.taken())
		}
	})
}

// A book that cannot be read starts no wave: what it held must not go on as if
// it had never been.
func TestUnreadableBookHolds(t *testing.T) {
	book := filepath.Join(t.TempDir(), "rollouts.json")
	if err := os.WriteFile(book, []byte(`[{"id":"r","phase":"running"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, waved(&told{}, nil, book), func(t *testing.T, b *bench) {
		b.admit(person, 1)
		b.settle()
		if b.wire.taken() != 0 || !strings.Contains(b.Status().LastError, "could not be read") {
			t.Fatalf("%d withdrawn, %q", b.wire.taken(), b.Status().LastError)
		}
		b.admit(addressing.Actor{Kind: addressing.Owner, ID: "o"}, 2)
		b.settle()
	})
}

// vitals speaks for every account, and says what it is told to say of one.
func vitals(b *bench, board *health.Board, errors func(account string) float64, speaks func() bool) func() {
	stop := make(chan struct{})
	accounts := slices.Clone(b.intent.st.Accounts)
	go func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case at := <-tick.C:
				var s []health.Sample
				b.mu.Lock() // what the test says of the accounts changes under it
				for _, a := range accounts {
					if speaks() {
						s = append(s, health.Sample{Account: a.ID, Site: "fra", Service: "cdn", At: at, Requests: 100, Errors: 100 * errors(a.ID)})
					}
				}
				b.mu.Unlock()
				if err := board.Add(s); err != nil {
					panic(err)
				}
			}
		}
	}()
	return func() { close(stop) }
}

func always() bool { return true }

// D8 with scaled time: a change that does harm stops in its first wave, is back
// within 10 s, opens the breaker once, and desired state follows.
func TestHarmStopsTheFirstWave(t *testing.T) {
	l, board := &told{}, health.NewBoard(health.Thresholds{}, []string{"removal"})
	runSized(t, 40, 800, waved(l, board, ""), func(t *testing.T, b *bench) {
		bad := false
		changed := map[string]bool{}
		stop := vitals(b, board, func(a string) float64 {
			if bad && changed[a] {
				return 1
			}
			return 0
		}, always)
		defer stop()
		time.Sleep(6 * time.Minute)
		b.mu.Lock()
		bad = true
		for i := range 20 {
			changed[b.intent.st.Prefixes[i].AccountID] = true
		}
		b.mu.Unlock()
		b.admit(person, numbers(0, 20)...)
		b.settle()
		most := b.wire.taken()
		if most == 0 || most > 8 {
			t.Fatalf("%d of 800 withdrawn in the first wave, want at most 1 %%", most)
		}
		time.Sleep(10 * time.Second)
		if b.wire.routes() != 800 || b.wire.taken() != most {
			t.Fatalf("%d routes 10 s later, %d withdrawn: %+v", b.wire.routes(), b.wire.taken(), b.Rollouts()[0].Why)
		}
		if r := b.Rollouts()[0]; r.Phase != rollout.Failed || !r.Restored || l.trips() != 1 {
			t.Fatalf("%s, restored %v, %d trips", r.Phase, r.Restored, l.trips())
		}
		time.Sleep(time.Hour)
		if b.wire.routes() != 800 || len(b.Rollouts()) != 1 {
			t.Error("it was tried again without a person")
		}
	})
}

// D9: one customer of 400 at 20 % errors is 0.05 % of all and stops it within
// 30 s.
func TestOneCustomersHarmStops(t *testing.T) {
	l, board := &told{}, health.NewBoard(health.Thresholds{}, []string{"removal"})
	runSized(t, 400, 900, waved(l, board, ""), func(t *testing.T, b *bench) {
		var victim string
		stop := vitals(b, board, func(a string) float64 {
			if a == victim {
				return 0.2
			}
			return 0
		}, always)
		defer stop()
		time.Sleep(6 * time.Minute)
		var one []int
		seen := map[string]bool{}
		for i := range b.intent.st.Prefixes {
			if a := b.intent.st.Prefixes[i].AccountID; !seen[a] && len(one) < 20 {
				seen[a] = true
				one = append(one, i)
			}
		}
		b.admit(person, one...)
		b.settle()
		first := b.Rollouts()[0].Waves[0].Items[0].Account
		b.mu.Lock()
		victim = first
		b.mu.Unlock()
		time.Sleep(30 * time.Second)
		r := b.Rollouts()[0]
		if r.Phase != rollout.Failed || !strings.Contains(r.Why, first) || b.wire.routes() != 900 {
			t.Fatalf("%s (%s), %d routes", r.Phase, r.Why, b.wire.routes())
		}
	})
}

// A source that is configured and silent holds; it never passes.
func TestSilenceHolds(t *testing.T) {
	l, board := &told{}, health.NewBoard(health.Thresholds{}, []string{"removal"})
	runSized(t, 10, 200, waved(l, board, ""), func(t *testing.T, b *bench) {
		speaking := true
		stop := vitals(b, board, func(string) float64 { return 0 }, func() bool { return speaking })
		defer stop()
		time.Sleep(time.Minute)
		b.mu.Lock()
		speaking = false
		b.mu.Unlock()
		b.admit(person, numbers(0, 20)...)
		b.settle()
		first := b.wire.taken()
		time.Sleep(4 * time.Minute)
		if r := b.Rollouts()[0]; b.wire.taken() != first || r.Phase != rollout.Soaking || !r.Waiting {
			t.Fatalf("%d withdrawn, want %d: %s %q", b.wire.taken(), first, r.Phase, r.Why)
		}
		b.mu.Lock()
		speaking = true
		b.mu.Unlock()
		time.Sleep(8 * time.Minute)
		if r := b.Rollouts()[0]; r.Phase != rollout.Done || b.wire.taken() != 20 {
			t.Fatalf("%s %q, %d withdrawn once it speaks again", r.Phase, r.Why, b.wire.taken())
		}
	})
}

// Neighbors change one first, and a failing change goes back to what it was.
func TestNeighborsOneFirst(t *testing.T) {
	board := health.NewBoard(health.Thresholds{}, []string{"neighbor"})
	bad := false
	runSized(t, 10, 100, func(c *rollout.Config) {
		waved(&told{}, board, "")(c)
		c.Network = synthetic.Network(6)
	}, func(t *testing.T, b *bench) {
		stop := vitals(b, board, func(string) float64 {
			if bad {
				return 0.5
			}
			return 0
		}, always)
		defer stop()
		time.Sleep(6 * time.Minute)
		network := synthetic.Network(6)
		network.Neighbors = slices.Clone(network.Neighbors)
		med := uint32(50)
		for i := range network.Neighbors {
			network.Neighbors[i].MED = &med
		}
		if err := b.SetNetwork(network); err != nil {
			t.Fatal(err)
		}
		b.settle()
		changed := func() (n int) {
			for _, x := range b.Active().Snapshot.Network.Neighbors {
				if x.MED != nil && *x.MED == med {
					n++
				}
			}
			return n
		}
		if changed() != 1 {
			t.Fatalf("%d neighbors changed at first", changed())
		}
		b.mu.Lock()
		bad = true
		b.mu.Unlock()
		time.Sleep(15 * time.Second)
		if r := b.Rollouts()[0]; changed() != 0 || r.Phase != rollout.Failed {
			t.Fatalf("%d neighbors changed after harm, %s %s", changed(), r.Phase, r.Why)
		}
	})
}

// grow advertises that many new prefixes.
func (b *bench) grow(actor addressing.Actor, verb string, n int) {
	set := addressing.ChangeSet{ID: "bulk", Actor: actor, Verb: verb}
	b.intent.set(func(st *addressing.State) {
		for i := 200; i < 200+n; i++ {
			synthetic.Add(st, i, synthetic.AccountID(1))
			set.Effects = append(set.Effects, addressing.Effect{Kind: addressing.Gained, CIDR: synthetic.CIDR(i), AccountID: synthetic.AccountID(1)})
		}
	})
	b.Notify(set)
	b.settle()
}

// More than a generation may carry is split, with nothing configured, and needs
// no soak (HMD-08): each generation is planned and judged by itself. Owners and
// restores are exempt.
func TestBulkAnnouncementIsSplit(t *testing.T) {
	var most int
	count := func(c *rollout.Config) {
		waved(&told{}, nil, "")(c)
		most = 0
		c.OnApplied = func(a rollout.Applied) {
			if a.Head.Generation > 1 {
				most = max(most, len(a.Plan.Changes))
			}
		}
	}
	run(t, count, func(t *testing.T, b *bench) {
		before := b.Status().Generation
		b.grow(person, "", 1000)
		if n := b.Status().Generation - before; n < 5 || b.wire.routes() != 1200 || most > plan.DefaultMaxChanges {
			t.Fatalf("%d routes in %d generations of up to %d changes: %+v", b.wire.routes(), n, most, summary(b.Rollouts()))
		}
		if r := b.Rollouts()[0]; r.Class != rollout.Announce || r.Monitor != "unmonitored" || r.Phase != rollout.Done {
			t.Errorf("%+v", summary(b.Rollouts()))
		}
	})
	for name, by := range map[string]struct {
		actor addressing.Actor
		verb  string
	}{"an owner": {addressing.Actor{Kind: addressing.Owner, ID: "o"}, ""}, "a restore": {person, addressing.VerbRestore}} {
		run(t, count, func(t *testing.T, b *bench) {
			before := b.Status().Generation
			b.grow(by.actor, by.verb, 1000)
			if n := b.Status().Generation - before; n != 1 || b.wire.routes() != 1200 {
				t.Errorf("%s: %d routes in %d generations", name, b.wire.routes(), n)
			}
		})
	}
}

// With a health source for announcements each generation of a bulk change waits
// for its verdict.
func TestBulkAnnouncementIsHealthGated(t *testing.T) {
	board := health.NewBoard(health.Thresholds{}, []string{"announce"})
	run(t, waved(&told{}, board, ""), func(t *testing.T, b *bench) {
		b.grow(person, "", 1000)
		if r := b.Rollouts(); len(r) != 1 || r[0].Applied != 1 || !r[0].Waiting || r[0].Monitor != "health" {
			t.Fatalf("nobody reported, and it went on: %+v", summary(r))
		}
	})
}

// Canaries that have nothing of a class that the change has stop the rollout
// before the half, with the class named, until a person says that it may go on
// without (HMD-07).
func TestCanariesMustCover(t *testing.T) {
	run(t, func(c *rollout.Config) {
		waved(&told{}, nil, "")(c)
		c.Program.Canaries = []string{synthetic.AccountID(0)}
	}, func(t *testing.T, b *bench) {
		b.admit(person, 0, 1, 2, 3, 90, 97) // of the canary IPv4 alone; 90 and 97 are IPv6 of another account
		b.settle()
		time.Sleep(time.Hour)
		r := b.Rollouts()
		if len(r) != 1 || r[0].Phase != rollout.Paused || !strings.Contains(r[0].Why, "family:ipv6-unicast") || b.wire.taken() == 0 || b.wire.taken() > 4 {
			t.Fatalf("%d withdrawn: %v", b.wire.taken(), summary(r))
		}
		if _, err := b.Decide(t.Context(), r[0].ID, rollout.Promote, person, "IPv6 was looked at by hand"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if r := b.Rollouts(); b.wire.taken() != 6 || r[0].Phase != rollout.Done || !strings.Contains(r[0].Overridden, person.Key()) {
			t.Errorf("%d withdrawn: %v, overridden by %q", b.wire.taken(), summary(r), r[0].Overridden)
		}
	})
}

func summary(all []rollout.Rollout) []string {
	var out []string
	for _, r := range all {
		out = append(out, fmt.Sprintf("%s %s %d/%d of %d: %s", r.ID, r.Phase, r.Applied, r.Released, len(r.Waves), r.Why))
	}
	return out
}
