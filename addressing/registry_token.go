package addressing

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"
)

// TokenPrefix starts every secret, so that scanners find leaked ones.
const TokenPrefix = "hf_"

// NewToken is what CreateToken takes. Admin and on-demand need an account.
type NewToken struct {
	Name      string
	AccountID string
	Role      Role
	ExpiresAt *time.Time
	CIDRs     []netip.Prefix // where it may be used from; empty: anywhere
}

// CreateToken makes a token and returns its secret, the only time it is seen.
// Operators only.
func (r *Registry) CreateToken(ctx context.Context, req Request, in NewToken) (TokenRecord, string, ChangeSet, error) {
	var out TokenRecord
	var secret string
	change, err := r.mutate(ctx, req, "create token", "token.create", func(m *mutation) error {
		if err := req.onlyOperator("creating tokens"); err != nil {
			return err
		}
		if err := in.check(m.tx, req.At); err != nil {
			return err
		}
		var err error
		out, secret, err = m.newToken(in, "")
		return err
	})
	return out, secret, change, err
}

func (in NewToken) check(tx ReadTx, at time.Time) error {
	switch in.Role {
	case RoleAdmin, RoleOnDemand:
		if in.AccountID == "" {
			return &Error{Code: CodeInvalid, Field: "account_id", Detail: fmt.Sprintf("a token with the role %s needs an account", in.Role), Next: "name the account it is for"}
		}
	case RoleReadOnly, RoleOperator:
	case RoleApprove, RoleBreakGlass, RoleSpeaker, RoleReporter:
		if in.AccountID != "" {
			return &Error{Code: CodeInvalid, Field: "account_id", Detail: fmt.Sprintf("a token with the role %s is for all accounts", in.Role), Next: "leave the account out"}
		}
	default:
		return &Error{Code: CodeInvalid, Field: "role", Detail: fmt.Sprintf("%q is no role", in.Role), Next: "use admin, on-demand, read-only, operator, approve, break-glass, speaker or reporter"}
	}
	if in.Name != "" {
		if err := checkName(in.Name); err != nil {
			return err
		}
	}
	if in.ExpiresAt != nil && !in.ExpiresAt.After(at) {
		return &Error{Code: CodeInvalid, Field: "expires_at", Detail: "is in the past"}
	}
	for _, c := range in.CIDRs {
		if !c.IsValid() || c != c.Masked() || c.Addr().Is4In6() {
			return &Error{Code: CodeInvalid, Field: "cidrs", Detail: fmt.Sprintf("%s is no range of addresses", c)}
		}
	}
	if in.AccountID != "" {
		if _, err := tx.Account(in.AccountID); err != nil {
			return err
		}
	}
	return nil
}

func (m *mutation) newToken(in NewToken, replaces string) (TokenRecord, string, error) {
	id, err := m.id()
	if err != nil {
		return TokenRecord{}, "", err
	}
	var raw [32]byte
	if _, err := io.ReadFull(m.entropy, raw[:]); err != nil {
		return TokenRecord{}, "", fmt.Errorf("new secret: %w", err)
	}
	secret := TokenPrefix + base64.RawURLEncoding.EncodeToString(raw[:])
	t := TokenRecord{ID: id, AccountID: in.AccountID, Name: in.Name, Role: in.Role, Hash: HashToken(secret), Suffix: secret[len(secret)-4:],
		CIDRs: in.CIDRs, CreatedAt: m.req.At.UTC(), ExpiresAt: in.ExpiresAt, Replaces: replaces, CreatedBy: m.req.Actor.Key(), Version: 1}
	m.account, m.inverse = t.AccountID, "token.revoke"
	return t, secret, m.saveToken(nil, t)
}

// Tokens lists the tokens in scope, sorted by id. Tokens without an account
// are seen with EveryAccount only.
func (r *Registry) Tokens(ctx context.Context, s Scope) ([]TokenRecord, error) {
	return read(ctx, r, "list tokens", func(tx ReadTx) ([]TokenRecord, error) { return tx.Tokens(s) })
}

// token finds a token in scope. One without an account belongs to operators.
func token(tx ReadTx, s Scope, id string) (TokenRecord, error) {
	t, err := tx.Token(id)
	if err == nil && !s.Every() && !s.Includes(t.AccountID) {
		err = missing("token", id)
	}
	if err != nil {
		return TokenRecord{}, err
	}
	return t, nil
}

// RevokeToken ends a token at once. Revoking twice changes nothing.
func (r *Registry) RevokeToken(ctx context.Context, req Request, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "revoke token", "token.revoke", func(m *mutation) error {
		t, err := token(m.tx, req.Scope, id)
		if err != nil {
			return err
		}
		if err := req.match(t.Version); err != nil {
			return err
		}
		if t.RevokedAt != nil {
			return errUnchanged
		}
		prior, at := t, req.At.UTC()
		t.RevokedAt = &at
		m.account = t.AccountID
		return m.saveToken(&prior, t)
	})
}

// Authenticate finds the token with this secret hash (HashToken) that is
// neither revoked nor expired and may be used from the address. An invalid
// address is a local caller and passes tokens without CIDRs only. The error has
// CodeUnauthenticated, or CodeUnavailable when the store cannot be asked.
func (r *Registry) Authenticate(ctx context.Context, hash string, from netip.Addr, at time.Time) (TokenRecord, error) {
	const op = "authenticate"
	t, err := read(ctx, r, op, func(tx ReadTx) (TokenRecord, error) { return tx.TokenByHash(hash) })
	switch {
	case CodeOf(err) == CodeNotFound:
		return TokenRecord{}, &Error{Code: CodeUnauthenticated, Op: op, Detail: "unknown token"}
	case err != nil:
		return TokenRecord{}, err
	}
	if err := t.Usable(from, at); err != nil {
		return TokenRecord{}, inOp(op, err)
	}
	return t, nil
}

// Usable reports why the token cannot be used from this address at this time,
// as an *Error with CodeUnauthenticated, or nil.
func (t TokenRecord) Usable(from netip.Addr, at time.Time) error {
	switch {
	case t.RevokedAt != nil && !t.RevokedAt.After(at):
		return &Error{Code: CodeUnauthenticated, Detail: "the token was revoked"}
	case t.ExpiresAt != nil && !t.ExpiresAt.After(at):
		return &Error{Code: CodeUnauthenticated, Detail: "the token has expired", Next: "make a new one with `holdfast token create`"}
	}
	if len(t.CIDRs) == 0 {
		return nil
	}
	from = from.Unmap().WithZone("")
	for _, c := range t.CIDRs {
		if c.Contains(from) {
			return nil
		}
	}
	return &Error{Code: CodeUnauthenticated, Detail: "the token may not be used from this address"}
}

// MirrorTokens writes the mirror of the tokens anew, at start.
func (r *Registry) MirrorTokens(ctx context.Context) error {
	if r.opt.OnTokens == nil {
		return nil
	}
	all, err := r.Tokens(ctx, EveryAccount())
	if err != nil {
		return err
	}
	return r.opt.OnTokens(all)
}

// LooksLikeToken reports whether a secret has the form of a token, so that
// other people's secrets are not hashed and looked up.
func LooksLikeToken(secret string) bool {
	return strings.HasPrefix(secret, TokenPrefix) && len(secret) == len(TokenPrefix)+43
}
