package rollout

import (
	"errors"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Status is how the pipeline stands.
type Status struct {
	Environment string         `json:"environment"`
	Generation  uint64         `json:"generation"` // active; 0 before the first
	Snapshot    snapshots.ID   `json:"snapshot,omitempty"`
	Head        snapshots.Head `json:"head"`
	Routes      int            `json:"routes"`
	AppliedAt   time.Time      `json:"applied_at"` // when this process handed it to the speaker
	AgeSeconds  float64        `json:"age_seconds"`
	Attached    bool           `json:"attached"`         // desired state is there to build from
	LastBuild   time.Time      `json:"last_build"`       // last successful build; zero if none yet
	StaleSince  time.Time      `json:"stale_since"`      // first of the builds that failed since the last good one; zero if that is the last
	Static      string         `json:"static,omitempty"` // why the wire is held without a snapshot; empty if it is not
	IntentLost  string         `json:"intent_lost"`      // why the builder is stopped; empty if it is not
	Pinned      bool           `json:"pinned"`
	Pin         snapshots.Pin  `json:"pin"`
	Degraded    string         `json:"degraded,omitempty"`   // what works, but not in full
	LastError   string         `json:"last_error,omitempty"` // of the last attempt, empty if it succeeded
	Refusal     *Refusal       `json:"refusal,omitempty"`    // of what desired state now asks for; nil if it is applied
	// Findings of the active Target, a missing next hop for example.
	Findings []policy.Finding   `json:"findings,omitempty"`
	Damage   []snapshots.Damage `json:"damage,omitempty"` // what loading found wrong in the store
}

// Refusal is a plan that was not carried out.
type Refusal struct {
	At         time.Time           `json:"at"`
	Generation uint64              `json:"generation"` // it would have got
	To         snapshots.ID        `json:"to,omitempty"`
	Changes    int                 `json:"changes"`
	Losses     int                 `json:"losses"`
	Report     plan.Report         `json:"report"`
	Problems   []snapshots.Problem `json:"problems,omitempty"` // if it did not even build
}

type state struct {
	active    snapshots.Loaded
	appliedAt time.Time
	findings  []policy.Finding
	damage    []snapshots.Damage
	lastBuild time.Time
	stale     time.Time // StaleSince
	lost      string
	degraded  string
	lastError string
	refusal   *Refusal
	observed  *Observed

	refusedKey string // of the refusal, see heldKey

	static   string // see Booted.Static
	told     map[string]snapshots.NeighborTarget
	accepted snapshots.ID // that a person went on with
}

// Status of the pipeline as of now.
func (r *Runner) Status() Status {
	pin, pinned := r.cfg.Store.Pinned()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Status{
		Environment: r.cfg.Environment, Generation: r.st.active.Head.Generation, Snapshot: r.st.active.Snapshot.ID(), Head: r.st.active.Head,
		Routes: r.st.active.Snapshot.RouteCount(), AppliedAt: r.st.appliedAt, Attached: r.desired != nil, LastBuild: r.st.lastBuild, StaleSince: r.st.stale,
		Static: r.st.static, IntentLost: r.st.lost, Pinned: pinned, Pin: pin, Degraded: r.st.degraded, LastError: r.st.lastError,
		Findings: slices.Clone(r.st.findings), Damage: slices.Clone(r.st.damage),
	}
	if r.st.refusal != nil {
		refusal := *r.st.refusal
		s.Refusal = &refusal
	}
	if !s.AppliedAt.IsZero() {
		s.AgeSeconds = time.Since(time.Unix(0, s.Head.CreatedAt)).Seconds()
	}
	return s
}

// ready returns desired state, and whether building is stopped.
func (r *Runner) ready() (Desired, bool) {
	_, pinned := r.cfg.Store.Pinned()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.desired, pinned || r.st.lost != ""
}

func (r *Runner) setActive(l snapshots.Loaded, findings []policy.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.active, r.st.appliedAt, r.st.findings = l, time.Now(), findings
	r.st.static, r.st.told = "", nil
}

func (r *Runner) built(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.lastBuild, r.st.lastError = at, ""
}

// stale notes whether desired state could be followed (SNP-09).
func (r *Runner) stale(failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !failed:
		r.st.stale = time.Time{}
	case r.st.stale.IsZero():
		r.st.stale = time.Now()
	}
}

func (r *Runner) failed(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.lastError = err.Error()
}

func (r *Runner) degraded(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.degraded = ""
	if err != nil {
		r.st.degraded = err.Error()
	}
}

// clear forgets errors and refusals: desired state is on the wire.
func (r *Runner) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.lastError, r.st.refusal, r.st.refusedKey = "", nil, ""
}

// stop stops the builder because desired state is lost.
func (r *Runner) stop(why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.lost = why
}

// invalid keeps a build that was refused by the validator.
func (r *Runner) invalid(err error) {
	refusal := &Refusal{At: time.Now(), Report: plan.Report{Findings: []policy.Finding{{
		Rule: "snapshot.invalid", Verdict: policy.Refuse, Why: err.Error(), Next: "desired state must be repaired before anything new is advertised; the wire stays as it is",
	}}}}
	var bad *snapshots.Invalid
	if errors.As(err, &bad) {
		refusal.Problems = bad.Problems
	}
	r.mu.Lock()
	again := r.st.refusedKey == err.Error()
	r.st.refusal, r.st.lastError, r.st.refusedKey = refusal, err.Error(), err.Error()
	r.mu.Unlock()
	if again {
		return // still the same: one incident, not one a second
	}
	r.log.Error("snapshot refused", "error", err)
	if r.cfg.OnRefused != nil {
		r.cfg.OnRefused(plan.Plan{Environment: r.cfg.Environment, At: refusal.At}, refusal.Report)
	}
}
