package rollout_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

const (
	crashDir  = "HOLDFAST_TEST_CRASH_DIR"
	crashStep = "HOLDFAST_TEST_CRASH_STEP" // a Step, or "none"
	crashVerb = "HOLDFAST_TEST_CRASH_VERB" // see TestKilledBetweenSteps
)

// panics is no Step: the Runner's own goroutine panics once it has applied.
const panics rollout.Step = "panic"

// TestMain is also the program that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if err := crash(dir, os.Getenv(crashVerb), rollout.Step(os.Getenv(crashStep))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

const (
	crashRoutes = 60
	crashLost   = 3 // withdrawn by the change, brought back by the rollback
)

// crash does one thing with the store in dir, and kills itself before a step.
func crash(dir, verb string, at rollout.Step) error {
	d, err := snapshots.Open(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		return err
	}
	intent := &desired{st: synthetic.State(4, crashRoutes)}
	var armed bool
	r, err := rollout.New(rollout.Config{
		Environment: synthetic.Environment, Network: synthetic.Network(1), Store: d, Applier: &speaker{}, Gate: open,
		Explain: func(string, netip.Prefix) (plan.Reason, bool) {
			by := addressing.Owner
			if verb == "waves" {
				by = addressing.Operator
			}
			return plan.Reason{Set: "before", By: by}, true
		},
		Book: rollout.FileBook(filepath.Join(filepath.Dir(dir), "rollouts.json")),
		Program: rollout.Program{Stages: map[rollout.Class][]plan.Stage{
			rollout.Removal: {{Name: "canary", Percent: 1}, {Name: "all", Percent: 100}},
		}},
		OnStep: func(s rollout.Step) {
			if armed && s == rollout.StepGood && at == panics {
				panic("poison")
			}
			if armed && s == at {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		},
	})
	if err != nil {
		return err
	}
	if _, err := r.Boot(context.Background()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = r.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	if verb == "load" {
		r.AttachDesired(intent)
		if err := wait(func() bool { return r.Status().Routes == crashRoutes }); err != nil {
			return err
		}
		_, _, err = r.Pending(ctx) // the speaker has it before it is marked good
		return err
	}
	fmt.Println("ready")
	armed = true
	switch verb {
	case "emergency":
		return takeFirst(ctx, r)
	case "rollback", "paced":
		intent.set(withdrawFirst)
		req := rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: true}}, To: 1, Actor: person, Reason: "crash"}
		if verb == "paced" {
			req.Rate = 10 // a route at a time
		}
		res, err := r.Rollback(ctx, req)
		if err != nil || res.Pinned == "" && res.Generation == 0 {
			return fmt.Errorf("rollback: pinned %q, generation %d: %w", res.Pinned, res.Generation, err)
		}
		return wait(func() bool { return len(r.Bringing()) == 0 })
	}
	intent.set(withdrawFirst)
	r.AttachDesired(intent)
	if err := wait(func() bool {
		for _, ro := range r.Rollouts() {
			if ro.Phase == rollout.Paused { // nobody but a person goes on
				_, _ = r.Decide(ctx, ro.ID, rollout.Promote, person, "after the crash")
			}
		}
		return r.Status().Routes == crashRoutes-crashLost
	}); err != nil {
		return err
	}
	_, _, err = r.Pending(ctx) // waits for the generation to be done
	return err
}

// takeFirst takes the first routes down by the emergency lane.
func takeFirst(ctx context.Context, r *rollout.Runner) error {
	st := synthetic.State(4, crashRoutes)
	var intents []addressing.NegativeIntent
	for i := range crashLost {
		intents = append(intents, addressing.NegativeIntent{ID: fmt.Sprintf("emergency-%d", i), AccountID: st.Prefixes[i].AccountID, CIDR: st.BGPPrefixes[i].CIDR,
			Kind: addressing.IntentEmergency, Author: person.Key(), Reason: "crash", CreatedAt: synthetic.At})
	}
	_, err := r.TakeDown(ctx, addressing.ChangeSet{ID: "emergency", Actor: person, Reason: "crash"}, intents)
	return err
}

func withdrawFirst(st *addressing.State) {
	for i := range crashLost {
		st.BGPPrefixes[i].Advertised = false
	}
}

func wait(done func() bool) error {
	for range 1000 {
		if done() {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("did not come to rest within 10 s")
}

func child(t *testing.T, dir, verb string, at rollout.Step) *exec.Cmd {
	t.Helper()
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), crashDir+"="+dir, crashVerb+"="+verb, crashStep+"="+string(at))
	c.Stderr = os.Stderr
	return c
}

func finish(t *testing.T, dir, verb string) {
	t.Helper()
	if err := child(t, dir, verb, "none").Run(); err != nil {
		t.Fatalf("%s after the crash: %v", verb, err)
	}
}

// newCrashStore is a store with every route in generation 1.
func newCrashStore(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "snapshots")
	syscall.ForkLock.RLock() // see intact
	err := snapshots.Init(dir, snapshots.Options{Environment: synthetic.Environment})
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	finish(t, dir, "load")
	return dir
}

// intact wants the store to boot a whole generation with one of the counts.
func intact(t *testing.T, dir string, counts ...int) int {
	t.Helper()
	// A process that is started meanwhile would hold the store's lock for the
	// moment between fork and exec.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	d, err := snapshots.Open(dir, snapshots.Options{Environment: synthetic.Environment})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	l, err := d.Good()
	if err != nil {
		t.Fatalf("the last-known-good does not load: %v", err)
	}
	if l.Fallback || !slices.Contains(counts, l.Snapshot.RouteCount()) {
		t.Fatalf("booted %d routes (fallback %v), want one of %v", l.Snapshot.RouteCount(), l.Fallback, counts)
	}
	if err := d.Verify(); err != nil {
		t.Errorf("verify: %v", err)
	}
	return l.Snapshot.RouteCount()
}

// SIGKILL between any two steps leaves the old or the new generation, and the
// next start gets to the end.
func TestKilledBetweenSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not with -short")
	}
	for _, verb := range []string{"change", "waves", "rollback", "paced", "emergency"} {
		for _, step := range rollout.Steps() {
			back := verb == "rollback" || verb == "paced"
			if !back && step == rollout.StepIntent || (back || verb == "emergency") && step == rollout.StepRead || verb != "waves" && step == rollout.StepRecord ||
				verb == "waves" && slices.Index(rollout.Steps(), step) < slices.Index(rollout.Steps(), rollout.StepStore) {
				continue // not on that way
			}
			t.Run(verb+"/"+string(step), func(t *testing.T) {
				t.Parallel()
				dir := newCrashStore(t)
				old, now := crashRoutes, crashRoutes-crashLost
				if back {
					finish(t, dir, "change")
					old, now = now, old
				}
				err := child(t, dir, verb, step).Run()
				if err == nil || !strings.Contains(err.Error(), "killed") {
					t.Fatalf("the process was not killed before %s: %v", step, err)
				}
				between := []int{old, now}
				parts := verb == "waves" || verb == "paced"
				if parts { // each wave is a generation, and so is each part that comes back
					between = append(between, crashRoutes-1, crashRoutes-2)
				}
				got := intact(t, dir, between...)
				if late := step == rollout.StepIntent || step == rollout.StepDone; late && got != now && !parts {
					t.Errorf("killed before %s, the old generation booted", step)
				}
				finish(t, dir, verb)
				intact(t, dir, now)
			})
		}
	}
}

// SIGKILL at any moment, writes included.
func TestKilledAnyTime(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes: not with -short")
	}
	dir := newCrashStore(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	old, now := crashRoutes, crashRoutes-crashLost
	for i := range 20 {
		verb := []string{"change", "load"}[i%2]
		c := child(t, dir, verb, "none")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
		_ = c.Process.Kill()
		_ = c.Wait()
		intact(t, dir, old, now)
	}
}
