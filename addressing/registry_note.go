package addressing

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"
)

// Note writes to the audit log what was decided about objects outside desired
// state, such as a step of a rollout: who, why, and which objects it concerns
// (AuditRecord.Objects). It changes nothing, so no gate is asked and nothing
// can be undone.
func (r *Registry) Note(ctx context.Context, req Request, verb string, objects []string) error {
	const op = "note"
	if err := req.check(); err != nil {
		return inOp(op, err)
	}
	if verb == "" || len(objects) == 0 || req.Reason == "" {
		return inOp(op, &Error{Code: CodeInternal, Detail: "a note has a verb, a reason and objects"})
	}
	req.At = req.At.UTC().Round(0)
	err := r.store.Update(ctx, func(tx Tx) error {
		head, err := tx.AuditHead()
		if err != nil {
			return err
		}
		id, err := ulid.New(ulid.Timestamp(req.At), r.opt.Entropy)
		if err != nil {
			return fmt.Errorf("change id: %w", err)
		}
		m := &mutation{tx: tx, req: req}
		return m.append(ChangeSet{ID: id.String(), RequestID: req.RequestID, Actor: req.Actor, Reason: req.Reason, At: req.At, Verb: verb, Objects: objects}, head)
	})
	if err != nil {
		return inOp(op, err)
	}
	return nil
}
