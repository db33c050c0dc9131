package rollout

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Desired is desired state as the pipeline needs it. *addressing.Registry is one.
type Desired interface {
	State(ctx context.Context) (addressing.State, error)
	Since(ctx context.Context, r addressing.Revision, also []string) (addressing.Delta, error)
	Restore(ctx context.Context, req addressing.RestoreRequest) (addressing.Restored, addressing.ChangeSet, error)
}

// Applier puts a Target on the wire. bgp.Speaker is one.
type Applier interface {
	Apply(ctx context.Context, t snapshots.Target) error
}

// MaxCoalesce is the longest that a change waits for others to join it.
const MaxCoalesce = 50 * time.Millisecond

const (
	quiet     = 5 * time.Millisecond   // with no further change for so long, building starts
	lateNote  = 250 * time.Millisecond // how long a loss may wait for its ChangeSet to be noted
	retryMin  = 250 * time.Millisecond
	retryMax  = 30 * time.Second
	firstWave = 0

	// observeCoalesce is MaxCoalesce of a Runner that observes: looking at each
	// change of a take-over by itself would cost more than making it.
	observeCoalesce = 2 * time.Second

	pruneEvery = 500 // generations

	// wholeEvery is how often all of desired state is read, and not only what
	// has changed: should a change ever be missed, it is not for long.
	wholeEvery = time.Hour
)

// Config of a Runner. Store, Applier and Environment are required.
type Config struct {
	Environment string
	Network     snapshots.NetworkPart // what the configuration declares
	Store       *snapshots.Dir
	Applier     Applier
	Gate        plan.Gate // nil holds everything that takes something away
	// Observe plans and judges and hands the speaker nothing: what it would do
	// is in Status, and Boot refuses a store that has ever been on the wire.
	Observe   bool
	Preview   plan.Gate    // judges dry runs without charging anything; nil leaves the breaker out of them
	Checks    []plan.Check // asked before the gate
	Limits    snapshots.Limits
	Retention snapshots.Retention // zero means snapshots.DefaultRetention
	// Explain says which admitted ChangeSet explains a loss that this process
	// was not told of, after a restart above all; nil explains nothing.
	Explain func(account string, cidr netip.Prefix) (plan.Reason, bool)
	// Held gives what waits outside the plan: routes that stay as the wire has
	// them, whatever is desired. Nil, or a nil answer, is nothing.
	Held func() func(account string, cidr netip.Prefix) bool
	// Kept gives what the neighbors were told last and may still hold, as an
	// earlier process left it: what a quarantine leaves with them. Nil, or a nil
	// answer, is nothing.
	Kept func() func(netip.Prefix) bool
	// Told gives the whole tables that the neighbors were told last, as an
	// earlier process left them: what boots when every snapshot is lost. One that
	// is not known for certain must not be in it. Nil knows none.
	Told func() map[string]snapshots.NeighborTarget
	// OnRefused is called once per refusal, OnApplied after each generation.
	// They may Kick and ask for Status, and nothing else of the Runner.
	OnRefused func(plan.Plan, plan.Report)
	OnApplied func(Applied)
	// Program is how a change is cut into waves; the zero Program is
	// DefaultProgram. Book keeps rollouts across restarts, nil does not. Without
	// Health every wave runs on soak alone.
	Program Program
	Book    Book
	Health  Health
	// Edge says where a new route may be advertised; nil is everywhere.
	Edge Edge
	// OnRollout is called whenever a rollout moves, under the same rule.
	OnRollout func(Rollout, Effect)
	Sessions  Sessions     // of Network; nil leaves sessions alone
	OnStep    func(Step)   // for tests that stop the process between two steps
	Logger    *slog.Logger // nil discards
}

// Applied is a generation that reached the speaker.
type Applied struct {
	Head     snapshots.Head
	Plan     plan.Plan
	Findings []policy.Finding
	Took     time.Duration // from reading desired state to the speaker's return
}

// Runner is the pipeline. Make it with New, Boot it before the database opens,
// AttachDesired after, and keep Run running.
type Runner struct {
	cfg    Config
	log    *slog.Logger
	ledger *ledger
	wake   chan struct{}

	line sync.Mutex // one generation at a time, rollbacks included; guards what follows
	b    *snapshots.Builder
	aim  snapshots.Targeter
	read time.Time // when all of desired state was read last
	from Desired   // where it was read: revisions of one mean nothing to another
	net  snapshots.NetworkPart
	cool int             // builds still to go after an invalid one
	mark *snapshots.Head // applied but not yet marked last-known-good

	trial probation
	jobs  []*bringing // rollbacks that have not advertised everything; written under mu as well
	pace  *time.Timer // rings when more of them may go

	index    map[plan.Key]position      // see known; nil when it must be made anew
	declared bool                       // another configuration, that the speaker has not heard of
	kept     map[string]policy.Neighbor // whose sessions wait for their wave
	spoken   map[string]bool            // neighbors that the speaker has or had sessions with
	speak    Sessions                   // of the configuration in force

	dark       bool                   // removals wait for edge machines to come back
	unready    int                    // routes that waited for edge machines last time
	queue      map[plan.Key]plan.Item // waits for another rollout to end
	bookDamage string                 // why the book of rollouts cannot be used

	apart map[string]Apart // accounts at their last-known-good; written under mu as well

	mu       sync.Mutex // guards what follows
	limits   []snapshots.LimitInForce
	rollouts []Rollout // written under line as well: read under either
	desired  Desired
	st       state
}

// New returns a Runner that has touched nothing yet.
func New(cfg Config) (*Runner, error) {
	if cfg.Store == nil || cfg.Applier == nil || cfg.Environment == "" {
		return nil, errors.New("rollout: store, speaker and environment are required")
	}
	if err := snapshots.ValidateNetwork(cfg.Network); err != nil {
		return nil, fmt.Errorf("rollout: configuration: %w", err)
	}
	log := cfg.Logger
	if cfg.Retention == (snapshots.Retention{}) {
		cfg.Retention = snapshots.DefaultRetention()
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cfg: cfg, log: log, ledger: newLedger(), trial: newProbation(cfg.Store, log), wake: make(chan struct{}, 1), net: cfg.Network}
	r.speak, r.spoken = cfg.Sessions, map[string]bool{}
	for _, n := range cfg.Network.Neighbors {
		r.spoken[n.Name] = true
	}
	r.b = snapshots.NewBuilder(nil, cfg.Limits)
	r.pace = time.NewTimer(bringEvery)
	r.pace.Stop()
	return r, nil
}

// Notify takes in a committed ChangeSet. It returns at once.
func (r *Runner) Notify(c addressing.ChangeSet) {
	r.ledger.note(c)
	r.Kick()
}

// Kick asks for desired state to be looked at again, after a breaker was reset
// for example.
func (r *Runner) Kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// AttachDesired gives the Runner desired state once the database is open.
func (r *Runner) AttachDesired(d Desired) {
	r.mu.Lock()
	r.desired = d
	r.mu.Unlock()
	r.Kick()
}

// SetNetwork replaces what the configuration declares; the difference becomes
// a plan of its own (origin config) through the normal lane.
func (r *Runner) SetNetwork(n snapshots.NetworkPart) error {
	if err := snapshots.ValidateNetwork(n); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	r.line.Lock()
	r.net, r.declared = n, true
	r.line.Unlock()
	r.Kick()
	return nil
}

// Run builds a generation whenever something changed, until ctx ends. It
// outlives every error.
func (r *Runner) Run(ctx context.Context) error {
	err := r.run(ctx)
	r.Ended() // not deferred: a panic is no end in order
	return err
}

func (r *Runner) run(ctx context.Context) error {
	retry := time.NewTimer(0)
	defer retry.Stop()
	ctx, cancel := context.WithCancel(ctx)
	var sweeper sync.WaitGroup
	sweeper.Go(func() { r.sweep(ctx) })
	sweeper.Go(func() { r.cfg.Store.Confirm(ctx, r.Active().Snapshot) })
	defer sweeper.Wait()
	defer cancel()
	backoff := retryMin
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-r.trial.timer.C:
			r.survived()
			continue
		case <-r.pace.C:
			r.bring(ctx)
			continue
		case <-retry.C:
		case <-r.wake:
			r.coalesce(ctx)
		}
		if err := r.cycle(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if errors.Is(err, errCooling) {
				retry.Reset(coolPause)
				continue
			}
			r.log.Error("generation not made; the wire stays as it is", "error", err, "retry_in", backoff)
			retry.Reset(backoff)
			backoff = min(2*backoff, retryMax)
			continue
		}
		backoff = retryMin
		now := time.Now()
		retry.Reset(min(r.untilExpiry(now), r.untilWatch(now), r.untilApart()))
	}
}

// sweep keeps the history within its retention: looked at every minute, worth
// the work once an hour or after pruneEvery generations.
func (r *Runner) sweep(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	_, at := r.cfg.Store.Highest()
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			_, generation := r.cfg.Store.Highest()
			if now.Sub(last) < time.Hour && generation-at < pruneEvery || generation == at {
				continue
			}
			last, at = now, generation
			if done, err := r.cfg.Store.Prune(r.cfg.Retention, now); err != nil {
				r.log.Warn("history not pruned", "error", err)
			} else {
				r.log.Debug("history pruned", "generations", done.Heads, "files", done.Files, "compressed", done.Packed)
			}
		}
	}
}

// coalesce waits until no change came for a moment, at most MaxCoalesce.
func (r *Runner) coalesce(ctx context.Context) {
	most, quiet := MaxCoalesce, quiet
	if r.cfg.Observe { // nobody waits for the wire
		most, quiet = observeCoalesce, observeCoalesce/10
	}
	limit := time.NewTimer(most)
	defer limit.Stop()
	pause := time.NewTimer(quiet)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-limit.C:
			return
		case <-pause.C:
			return
		case <-r.wake:
			pause.Reset(quiet)
		}
	}
}

// untilExpiry is how long until a negative intent expires, bounded.
func (r *Runner) untilExpiry(now time.Time) time.Duration {
	const far = time.Hour
	active := r.Active().Snapshot
	if active == nil {
		return far
	}
	at := active.NextExpiry()
	if at.IsZero() {
		return far
	}
	return min(max(at.Sub(now), retryMin), far)
}

func (r *Runner) step(s Step) {
	if r.cfg.OnStep != nil {
		r.cfg.OnStep(s)
	}
}

// Active is the generation that the wire was last told, zero before the first.
func (r *Runner) Active() snapshots.Loaded {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.st.active
}
