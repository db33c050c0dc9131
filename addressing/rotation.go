package addressing

import (
	"context"
	"fmt"
	"time"
)

// Rotating a token (requirement SEC-02): make the new one, put it where the
// old one is used, prove that the new one is in use and the old one is not,
// then retire the old one. RevokeToken is for emergencies and asks nothing.

// RotateToken makes a token with the rights of another, which stays valid.
// Operators only.
func (r *Registry) RotateToken(ctx context.Context, req Request, id string) (TokenRecord, string, ChangeSet, error) {
	var out TokenRecord
	var secret string
	change, err := r.mutate(ctx, req, "rotate token", "token.rotate", func(m *mutation) error {
		if err := req.onlyOperator("rotating tokens"); err != nil {
			return err
		}
		old, err := token(m.tx, req.Scope, id)
		if err != nil {
			return err
		}
		if old.RevokedAt != nil {
			return &Error{Code: CodeConflict, Detail: "the token was revoked", Next: "make a new one"}
		}
		in := NewToken{Name: old.Name, AccountID: old.AccountID, Role: old.Role, ExpiresAt: old.ExpiresAt, CIDRs: old.CIDRs}
		if err := in.check(m.tx, req.At); err != nil {
			return err
		}
		out, secret, err = m.newToken(in, old.ID)
		return err
	})
	return out, secret, change, err
}

// RetireToken ends a token that was rotated, once a token that replaces it has
// been used and it has not been used itself for the soak time. Operators only.
func (r *Registry) RetireToken(ctx context.Context, req Request, id string, soak time.Duration) (ChangeSet, error) {
	return r.mutate(ctx, req, "retire token", "token.retire", func(m *mutation) error {
		if err := req.onlyOperator("retiring tokens"); err != nil {
			return err
		}
		old, err := token(m.tx, req.Scope, id)
		if err != nil {
			return err
		}
		if old.RevokedAt != nil {
			return errUnchanged
		}
		all, err := m.tx.Tokens(req.Scope)
		if err != nil {
			return err
		}
		if err := retirable(old, all, req.At, soak); err != nil {
			return err
		}
		prior, at := old, req.At.UTC()
		old.RevokedAt = &at
		m.account = old.AccountID
		return m.saveToken(&prior, old)
	})
}

func retirable(old TokenRecord, all []TokenRecord, at time.Time, soak time.Duration) error {
	replaced, proven := false, false
	for _, k := range all {
		if k.Replaces == old.ID && k.RevokedAt == nil {
			replaced = true
			proven = proven || k.LastUsedAt != nil
		}
	}
	switch {
	case !replaced:
		return &Error{Code: CodeConflict, Detail: "nothing replaces the token", Next: "rotate it first, or revoke it if it was lost"}
	case !proven:
		return &Error{Code: CodeConflict, Detail: "the new token has not been used yet", Next: "put it where the old one is used, then repeat"}
	case old.LastUsedAt != nil && old.LastUsedAt.Add(soak).After(at):
		return &Error{Code: CodeConflict, Detail: fmt.Sprintf("the old token ...%s was still used at %s", old.Suffix, old.LastUsedAt.Format(time.RFC3339)),
			Next: fmt.Sprintf("find who uses it; it must rest for %s", soak)}
	}
	return nil
}

// TouchToken notes that a token was used, for a caller that does so once in a
// while and not with every request. It is no change of desired state: it moves
// no version and is not audited.
func (r *Registry) TouchToken(ctx context.Context, id string, at time.Time) error {
	err := r.store.Update(ctx, func(tx Tx) error { return tx.TouchToken(id, at.UTC().Truncate(time.Second)) })
	if err != nil {
		return inOp("note a token's use", err)
	}
	return nil
}
