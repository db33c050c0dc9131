package sqlite

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const auditColumns = "seq, change_id, account_id, record, hash"

// scanAudit takes the record from its JSON, and from the columns beside it
// what queries go by.
func scanAudit(r *sql.Rows, a *addressing.AuditRecord) error {
	var seq int64
	var change, account, record, hash string
	if err := r.Scan(&seq, &change, &account, &record, &hash); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(record), a); err != nil {
		return fmt.Errorf("seq %d: %w", seq, err)
	}
	// The columns win: where they differ from the record, its hash no longer
	// fits and verification names it.
	a.Seq, a.ChangeID, a.AccountID, a.Hash = seq, change, account, hash
	return nil
}

func (t *tx) AuditHead() (addressing.AuditRecord, error) {
	scan := func(r *sql.Rows, a *addressing.AuditRecord) error { return r.Scan(&a.Seq, &a.Hash) }
	last, err := list(t, "audit record", scan, "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
	if err != nil || len(last) == 0 {
		return addressing.AuditRecord{}, err
	}
	return last[0], nil
}

func (t *tx) Audit(s addressing.Scope, after int64, limit int) ([]addressing.AuditRecord, error) {
	switch {
	case s.Every():
		return list(t, "audit record", scanAudit, "SELECT "+auditColumns+" FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", after, max(0, limit))
	case s.Account() != "":
		return list(t, "audit record", scanAudit, "SELECT "+auditColumns+" FROM audit WHERE account_id = ? AND seq > ? ORDER BY seq LIMIT ?", s.Account(), after, max(0, limit))
	}
	return []addressing.AuditRecord{}, nil
}

func (t *tx) AuditBefore(when time.Time) (int64, error) {
	scan := func(r *sql.Rows, v *int64) error { return r.Scan(v) }
	seq, err := list(t, "audit record", scan, "SELECT ifnull(max(seq), 0) FROM audit WHERE at < ?", nanos(when))
	if err != nil {
		return 0, err
	}
	return seq[0], nil
}

func (t *tx) AuditOn(s addressing.Scope, objectID string) ([]addressing.AuditRecord, error) {
	clause, args, ok := where(s, "account_id")
	if !ok {
		return []addressing.AuditRecord{}, nil
	}
	and := " WHERE "
	if clause != "" {
		and = clause + " AND "
	}
	return list(t, "audit record", scanAudit, "SELECT "+auditColumns+" FROM audit"+and+"seq IN (SELECT seq FROM audit_objects WHERE object_id = ?) ORDER BY seq",
		append(args, objectID)...)
}

func (t *tx) AuditOf(changeID string) (addressing.AuditRecord, error) {
	return one(t, "change", changeID, scanAudit, "SELECT "+auditColumns+" FROM audit WHERE change_id = ?")
}

func (t *tx) AppendAudit(a addressing.AuditRecord) error {
	record, err := a.Canonical()
	if err != nil {
		return err
	}
	if err := t.insert("audit record", "seq", "INSERT INTO audit (seq, change_id, at, account_id, actor, record, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
		a.Seq, a.ChangeID, nanos(a.At), a.AccountID, a.Actor.Key(), string(record), a.Hash); err != nil {
		return err
	}
	about, err := a.About()
	if err != nil {
		return err
	}
	for _, id := range about {
		if err := t.insert("audit record", "object_id", "INSERT INTO audit_objects (object_id, seq) VALUES (?, ?)", id, a.Seq); err != nil {
			return err
		}
	}
	return nil
}
