package rollout

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Observed is what a Runner that observes would do now.
type Observed struct {
	At       time.Time
	To       snapshots.ID
	Report   plan.Report      // what a dry run of preflight says
	Target   snapshots.Target // what every neighbor would hold
	Findings []policy.Finding
}

// observed keeps what would be done and hands the speaker nothing.
func (r *Runner) observed(ctx context.Context, d *draft) {
	t, findings := snapshots.Targets(d.snapshot, 1, d.plan.Generation, firstWave)
	report := plan.Preflight(ctx, d.plan, r.cfg.Checks, r.preview())
	r.ledger.settle(d.seq, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.st.observed = &Observed{At: time.Now(), To: d.snapshot.ID(), Report: report, Target: t, Findings: slices.Concat(report.Findings, findings)}
	r.st.lastError = ""
}

// Observed says what would be done, if the Runner observes and desired state
// was read.
func (r *Runner) Observed() (Observed, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.st.observed == nil {
		return Observed{}, false
	}
	return *r.st.observed, true
}
