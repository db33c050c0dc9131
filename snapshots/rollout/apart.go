package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// RuleApart is the rule of an account that is invalid and stays as it is.
const RuleApart = "snapshot.account"

// lookApart is how often an account that is set apart is looked at when nobody
// says that it changed: it may be mended behind the daemon's back.
const lookApart = 30 * time.Second

// Apart is an account that stays at its last-known-good part because desired
// state has it in no valid form, or had it a moment ago.
type Apart struct {
	snapshots.Apart
	Since time.Time `json:"since"`
	// Left is how many valid builds it takes until it is believed again (SNP-08).
	Left int `json:"left"`
}

// construct builds desired state. Accounts that are invalid are set apart: they
// stay as they are, everybody else goes on. All of desired state is read for that.
func (r *Runner) construct(ctx context.Context, desired Desired, changed addressing.Delta, now time.Time) (*snapshots.Snapshot, error) {
	next, err := r.b.Update(changed, r.network(), r.cfg.Environment, now)
	if err == nil && len(r.apart) == 0 {
		return next, nil
	}
	active, cooling := r.Active().Snapshot, r.cooling()
	if err == nil {
		if next, err = snapshots.HoldAccounts(active, next, func(account string) bool { return slices.Contains(cooling, account) }); err == nil {
			r.setApart(nil, now)
			return next, nil
		}
	}
	var bad *snapshots.Invalid
	if !errors.As(err, &bad) {
		return nil, err
	}
	state := changed.State
	if !changed.Whole {
		var unread error
		if state, unread = desired.State(ctx); unread != nil {
			return nil, errors.Join(err, unread)
		}
	}
	next, found, err := snapshots.BuildApart(active, state, r.network(), r.cfg.Environment, now, r.cfg.Limits, cooling)
	if err != nil {
		return nil, err
	}
	r.setApart(found, now)
	return next, nil
}

// cooling are the accounts that stay apart even if they are valid now.
func (r *Runner) cooling() []string {
	var out []string
	for account, a := range r.apart {
		if a.Left > 1 {
			out = append(out, account)
		}
	}
	return out
}

// setApart notes who is apart since this build, and says who is new.
func (r *Runner) setApart(found []snapshots.Apart, now time.Time) {
	next := map[string]Apart{}
	for account, a := range r.apart {
		if a.Left--; a.Left > 0 {
			next[account] = a
		}
	}
	var news []policy.Finding
	for _, f := range found {
		was, known := r.apart[f.Account]
		if !known {
			was.Since = now
			news = append(news, policy.Finding{Rule: RuleApart, Verdict: policy.Hold, Account: f.Account,
				Why:  fmt.Sprintf("account %s is not valid and stays as it is on the wire: %s", f.Account, f.Problems[0]),
				Next: "mend its records; holdfast restore --account " + f.Account + " puts missing ones back"})
			r.log.Error("an account is invalid; it stays at its last-known-good, everybody else goes on", "alert", "account_apart", "account", f.Account, "problem", f.Problems[0].String())
		}
		next[f.Account] = Apart{Apart: f, Since: was.Since, Left: Believed}
	}
	for account := range r.apart {
		if _, still := next[account]; !still {
			r.log.Info("an account is valid again", "account", account)
		}
	}
	r.mu.Lock()
	r.apart = next
	r.mu.Unlock()
	if len(news) > 0 && r.cfg.OnRefused != nil {
		r.cfg.OnRefused(plan.Plan{Environment: r.cfg.Environment, At: now}, plan.Report{Verdict: policy.Hold, Findings: news})
	}
}

// Apart lists the accounts that are set apart, sorted.
func (r *Runner) Apart() []Apart {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Apart, 0, len(r.apart))
	for _, account := range slices.Sorted(maps.Keys(r.apart)) {
		out = append(out, r.apart[account])
	}
	return out
}

// buildOver builds desired state as construct would, for a look that changes nothing.
func (r *Runner) buildOver(base *snapshots.Snapshot, state addressing.State, n snapshots.NetworkPart, now time.Time) (*snapshots.Snapshot, error) {
	n = r.underLimits(n)
	next, err := snapshots.BuildOver(base, state, n, r.cfg.Environment, now, r.cfg.Limits)
	if err == nil {
		return next, nil
	}
	next, _, err = snapshots.BuildApart(base, state, n, r.cfg.Environment, now, r.cfg.Limits, nil)
	return next, err
}

// keeping is waits, and the reasons of what accounts that are set apart ask for.
func (r *Runner) keeping(waits func(route) bool) func(route) bool {
	if len(r.apart) == 0 {
		return waits
	}
	return func(at route) bool {
		_, apart := r.apart[at.account]
		return apart || waits != nil && waits(at)
	}
}

// untilApart is how long until accounts that are set apart must be looked at.
func (r *Runner) untilApart() time.Duration {
	r.line.Lock()
	defer r.line.Unlock()
	next := time.Hour
	for _, a := range r.apart {
		if a.Left < Believed {
			return coolPause
		}
		next = lookApart
	}
	return next
}
