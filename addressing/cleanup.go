package addressing

import (
	"context"
	"fmt"
	"time"
)

// CleanupOptions steer one run of the clean-up worker. The zero value is off.
type CleanupOptions struct {
	Enabled  bool // an operator switched it on in this environment
	Apply    bool // without it a run only plans
	Cap      int  // most deletions of one run; 0 means 10
	Approved int  // deletions that a person approved for this run, past the cap
}

// CleanupPlan is what a run would do, with a reason for everything it would
// not. The zero plan does nothing.
type CleanupPlan struct {
	Listed  int           // how many ids the run was given
	Expire  []string      // pending deletions whose grace time is over
	Kept    []CleanupKept // the rest, each with its reason
	Refused string        // why nothing of the plan may be applied; empty if it may
	OverCap bool          // refused because it is too large for one run
}

// CleanupKept is an object that a run leaves alone.
type CleanupKept struct {
	ID  string
	Why string
}

// defaultCap is most deletions of one run without approval.
const defaultCap = 10

// PlanCleanup decides over objects that were read again one by one: a worker
// must not trust the list it was given (20 February 2026: the list held every
// prefix there was). found has an entry for each listed id; the zero
// PrefixDetail says that it was not there. One object in the list that is no
// pending deletion makes the whole list untrue, and nothing is done.
func PlanCleanup(listed []string, found []PrefixDetail, at time.Time, opt CleanupOptions) CleanupPlan {
	plan := CleanupPlan{Listed: len(listed)}
	foreign := 0
	for i, id := range listed {
		var d PrefixDetail
		if i < len(found) {
			d = found[i]
		}
		why, isForeign := keepWhy(d, at)
		if isForeign {
			foreign++
		}
		if why != "" {
			plan.Kept = append(plan.Kept, CleanupKept{ID: id, Why: why})
			continue
		}
		plan.Expire = append(plan.Expire, id)
	}
	limit := opt.Cap
	if limit <= 0 {
		limit = defaultCap
	}
	switch {
	case foreign > 0:
		plan.Refused = fmt.Sprintf("%d of %d objects in the list are no pending deletions: the list is not what was asked for", foreign, len(listed))
	case len(plan.Expire) > max(limit, opt.Approved):
		plan.OverCap = true
		plan.Refused = fmt.Sprintf("%d deletions are more than the %d of one run", len(plan.Expire), max(limit, opt.Approved))
	}
	return plan
}

// keepWhy is why an object must not expire now; foreign if it should not be in
// a list of pending deletions at all.
func keepWhy(d PrefixDetail, at time.Time) (why string, foreign bool) {
	switch {
	case d.ID == "":
		return "is not there any more", false
	case d.State == Tombstone:
		return "expired already", false
	case d.State != PendingDelete:
		return "is " + string(d.State), true
	case d.Advertised():
		return "is advertised", true
	case len(d.Bindings) > 0:
		return "is bound", true
	case d.DeleteAfter == nil || d.DeleteAfter.After(at):
		return "is within its grace time", false
	}
	return "", false
}

// Cleanup is one run of the clean-up worker over the ids it was told: it reads
// every object again, plans, and applies the plan if it may, one object at a
// time through the same gate as everybody.
func (r *Registry) Cleanup(ctx context.Context, req Request, listed []string, opt CleanupOptions) (CleanupPlan, error) {
	const op = "clean up"
	if !opt.Enabled {
		return CleanupPlan{}, &Error{Code: CodeRefused, Op: op, Detail: "the clean-up worker is off in this environment", Next: "an operator switches it on"}
	}
	found, err := read(ctx, r, op, func(tx ReadTx) ([]PrefixDetail, error) {
		out := make([]PrefixDetail, len(listed))
		for i, id := range listed {
			d, err := detail(tx, id)
			switch {
			case CodeOf(err) == CodeNotFound, err == nil && !req.Scope.Includes(d.AccountID):
			case err != nil:
				return nil, err
			default:
				out[i] = d
			}
		}
		return out, nil
	})
	if err != nil {
		return CleanupPlan{}, err
	}
	plan := PlanCleanup(listed, found, req.At, opt)
	if !opt.Apply || plan.Refused != "" {
		return plan, nil
	}
	for i, id := range plan.Expire {
		if _, err := r.ExpirePrefix(ctx, req, id); err != nil {
			plan.Expire = plan.Expire[:i]
			return plan, err
		}
	}
	return plan, nil
}

// ExpirePrefix turns a pending deletion whose grace time is over into a
// tombstone. It checks everything again inside the transaction.
func (r *Registry) ExpirePrefix(ctx context.Context, req Request, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "expire prefix", "prefix.expire", func(m *mutation) error {
		d, err := m.any(id)
		if err != nil {
			return err
		}
		if why, _ := keepWhy(d, req.At); why != "" {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s %s", d.CIDR, why), Next: "leave it alone"}
		}
		prior, p := d.Prefix, d.Prefix
		if p.State, err = Next(p.State, EventExpire); err != nil {
			return err
		}
		p.DeleteAfter = nil
		_, err = m.savePrefix(&prior, p)
		return err
	})
}

// any loads a prefix in scope, whatever its state.
func (m *mutation) any(id string) (PrefixDetail, error) {
	d, err := detail(m.tx, id)
	if err == nil && !m.req.Scope.Includes(d.AccountID) {
		err = missing("prefix", id)
	}
	if err != nil {
		return PrefixDetail{}, err
	}
	m.account = d.AccountID
	return d, m.req.match(d.Version)
}

// Tombstones lists what was deleted and is kept until every store has seen it.
func (r *Registry) Tombstones(ctx context.Context, s Scope) ([]PrefixDetail, error) {
	return read(ctx, r, "list tombstones", func(tx ReadTx) ([]PrefixDetail, error) {
		return details(tx, s, func(p Prefix) bool { return p.State == Tombstone })
	})
}

// PurgePrefix removes a tombstone for good, with the negative intents of its
// owner under it. seen is the time up to which every store and snapshot has
// followed: a tombstone that is younger stays.
func (r *Registry) PurgePrefix(ctx context.Context, req Request, id string, seen time.Time) (ChangeSet, error) {
	return r.mutate(ctx, req, "purge prefix", "prefix.purge", func(m *mutation) error {
		d, err := m.any(id)
		if err != nil {
			return err
		}
		if _, err := Next(d.State, EventPurge); err != nil {
			return err
		}
		if !d.ModifiedAt.Before(seen) {
			return &Error{Code: CodeConflict, Field: "state", Detail: "not every store and snapshot has seen the tombstone", Next: "wait until older snapshots are gone"}
		}
		held, err := m.tx.Overlapping(d.CIDR)
		if err != nil {
			return err
		}
		for _, n := range d.Negative {
			if n.Kind != IntentOwner || !contains(d.CIDR, n.CIDR) || anotherHolds(held, d.ID, n) {
				continue
			}
			if err := m.deleteIntent(n); err != nil {
				return err
			}
		}
		return m.remove(d)
	})
}

// anotherHolds: the account holds the range anew, so the intent is about that.
func anotherHolds(held []Prefix, id string, n NegativeIntent) bool {
	for _, p := range held {
		if p.ID != id && p.State != Tombstone && contains(p.CIDR, n.CIDR) {
			return true
		}
	}
	return false
}
