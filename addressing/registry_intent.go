package addressing

import (
	"context"
	"time"
)

// BlockPrefix takes a prefix and everything inside it down on purpose, for
// abuse or legal reasons, until the intent is lifted by name or expires. What
// is desired stays as it is. Operators only.
func (r *Registry) BlockPrefix(ctx context.Context, req Request, id string, expires *time.Time) (NegativeIntent, ChangeSet, error) {
	var out NegativeIntent
	change, err := r.mutate(ctx, req, "block prefix", "prefix.block", func(m *mutation) error {
		if err := req.onlyOperator("blocking prefixes"); err != nil {
			return err
		}
		if req.Reason == "" {
			return &Error{Code: CodeInvalid, Field: "reason", Detail: "a block needs a reason", Next: "say why, it is shown wherever the block stops something"}
		}
		if expires != nil && !expires.After(req.At) {
			return &Error{Code: CodeInvalid, Field: "expires_at", Detail: "is in the past"}
		}
		d, err := m.own(id)
		if err != nil {
			return err
		}
		for _, n := range d.BlockedBy(d.CIDR, req.At) {
			if n.Kind == IntentBlock {
				return &Error{Code: CodeConflict, Field: "state", Detail: "blocked already, by " + n.ID, Next: "unblock it first to change the reason or the time"}
			}
		}
		if out.ID, err = m.id(); err != nil {
			return err
		}
		out = NegativeIntent{ID: out.ID, AccountID: d.AccountID, CIDR: d.CIDR, Kind: IntentBlock, Author: req.Actor.Key(), Reason: req.Reason,
			CreatedAt: req.At.UTC(), ExpiresAt: expires}
		m.inverse = "prefix.unblock"
		return m.insertIntent(out)
	})
	return out, change, err
}

// UnblockPrefix lifts one negative intent over the prefix, by its id. What
// was desired all the while is effective again. Operators only.
func (r *Registry) UnblockPrefix(ctx context.Context, req Request, id, intentID string) (PrefixDetail, ChangeSet, error) {
	return r.unchangedPrefix(ctx, req, id, "unblock prefix", "prefix.unblock", func(m *mutation, d PrefixDetail) error {
		if err := req.onlyOperator("lifting negative intents"); err != nil {
			return err
		}
		for _, n := range d.Negative {
			if n.ID == intentID {
				m.inverse = "prefix.block"
				return m.deleteIntent(n)
			}
		}
		return missing("negative intent", intentID)
	})
}

// NegativeIntents lists what is down on purpose, sorted by id. Those that
// belong to a site are seen with EveryAccount only.
func (r *Registry) NegativeIntents(ctx context.Context, s Scope) ([]NegativeIntent, error) {
	return read(ctx, r, "list negative intents", func(tx ReadTx) ([]NegativeIntent, error) { return tx.Intents(s) })
}
