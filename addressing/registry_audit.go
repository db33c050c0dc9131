package addressing

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// Audit returns up to limit records with a higher Seq, oldest first. In the
// scope of one account only the records of its objects are seen.
func (r *Registry) Audit(ctx context.Context, s Scope, after int64, limit int) ([]AuditRecord, error) {
	return read(ctx, r, "read audit", func(tx ReadTx) ([]AuditRecord, error) { return tx.Audit(s, after, limit) })
}

// History returns the records of one object and of what belongs to it, oldest
// first, as far as they are in scope.
func (r *Registry) History(ctx context.Context, s Scope, objectID string) ([]AuditRecord, error) {
	return read(ctx, r, "read history", func(tx ReadTx) ([]AuditRecord, error) { return tx.AuditOn(s, objectID) })
}

// auditPage is how many records are read at once where all are needed.
const auditPage = 1000

// Changes returns every change that State has had since the version, oldest
// first: what a builder that was away must know was admitted.
func (r *Registry) Changes(ctx context.Context, since int64) ([]ChangeSet, error) {
	return read(ctx, r, "read changes", func(tx ReadTx) ([]ChangeSet, error) {
		var out []ChangeSet
		err := eachAudit(tx, since, func(a AuditRecord) error {
			out = append(out, a.ChangeSet())
			return nil
		})
		return out, err
	})
}

func eachAudit(tx ReadTx, after int64, fn func(AuditRecord) error) error {
	for {
		page, err := tx.Audit(EveryAccount(), after, auditPage)
		if err != nil {
			return err
		}
		for _, a := range page {
			if err := fn(a); err != nil {
				return err
			}
			after = a.Seq
		}
		if len(page) < auditPage {
			return nil
		}
	}
}

// VerifyAudit recomputes the whole chain and returns how many records hold.
// The error names the first one that does not fit.
func (r *Registry) VerifyAudit(ctx context.Context) (records int64, err error) {
	return read(ctx, r, "verify audit", func(tx ReadTx) (int64, error) {
		var prev AuditRecord
		err := eachAudit(tx, 0, func(a AuditRecord) error {
			if err := a.Follows(prev); err != nil {
				return &Error{Code: CodeRefused, Detail: err.Error(), Next: "keep the database file as evidence and restore the log from a backup"}
			}
			prev = a
			return nil
		})
		return prev.Seq, err
	})
}

// Busy is how much one actor did in a stretch of time.
type Busy struct {
	Actor   Actor
	Changes int
	Lost    int            // routes lost or weakened by them
	Verbs   map[string]int // changes by verb
	First   time.Time
	Last    time.Time
}

// Busiest names who changed the most since a time, the one who took the most
// away first: the question of the first minute of an outage (requirement
// ADR-07).
func (r *Registry) Busiest(ctx context.Context, s Scope, since time.Time) ([]Busy, error) {
	return read(ctx, r, "find the busiest actor", func(tx ReadTx) ([]Busy, error) {
		after, err := tx.AuditBefore(since)
		if err != nil {
			return nil, err
		}
		by := map[string]*Busy{}
		err = eachAudit(tx, after, func(a AuditRecord) error {
			// A record may be older than the ones before it if a clock jumped.
			if !a.At.Before(since) && (s.Every() || s.Includes(a.AccountID)) {
				count(by, a)
			}
			return nil
		})
		out := make([]Busy, 0, len(by))
		for _, b := range by {
			out = append(out, *b)
		}
		slices.SortFunc(out, func(a, b Busy) int {
			return cmp.Or(cmp.Compare(b.Lost, a.Lost), cmp.Compare(b.Changes, a.Changes), cmp.Compare(a.Actor.Key(), b.Actor.Key()))
		})
		return out, err
	})
}

func count(by map[string]*Busy, a AuditRecord) {
	b := by[a.Actor.Key()]
	if b == nil {
		b = &Busy{Actor: a.Actor, Verbs: map[string]int{}, First: a.At}
		by[a.Actor.Key()] = b
	}
	b.Changes++
	b.Lost += len(a.ChangeSet().Losses())
	b.Verbs[a.Verb]++
	b.Last = a.At
}

// Change finds the audit record of one change.
func (r *Registry) Change(ctx context.Context, s Scope, changeID string) (AuditRecord, error) {
	return read(ctx, r, "find change", func(tx ReadTx) (AuditRecord, error) {
		record, err := tx.AuditOf(changeID)
		if err == nil && !s.Includes(record.AccountID) && !(s.Every() && record.AccountID == "") {
			return AuditRecord{}, missing("change", changeID)
		}
		return record, err
	})
}
