package sqlite

import (
	"database/sql"
	"net/netip"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const tokenColumns = "id, account_id, name, role, hash, suffix, cidrs, created_at, expires_at, revoked_at, last_used_at, replaces, created_by, version"

func scanToken(r *sql.Rows, k *addressing.TokenRecord) error {
	var account sql.NullString
	var cidrs string
	var created int64
	var expires, revoked, used sql.NullInt64
	err := r.Scan(&k.ID, &account, &k.Name, &k.Role, &k.Hash, &k.Suffix, &cidrs, &created, &expires, &revoked, &used, &k.Replaces, &k.CreatedBy, &k.Version)
	if err != nil {
		return err
	}
	k.AccountID, k.CreatedAt = account.String, at(created)
	k.ExpiresAt, k.RevokedAt, k.LastUsedAt = atOrNil(expires), atOrNil(revoked), atOrNil(used)
	for _, c := range strings.Fields(cidrs) {
		p, err := netip.ParsePrefix(c)
		if err != nil {
			return err // a range that is lost would let the token in from anywhere
		}
		k.CIDRs = append(k.CIDRs, p)
	}
	return nil
}

func (t *tx) Token(id string) (addressing.TokenRecord, error) {
	return one(t, "token", id, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE id = ?")
}

func (t *tx) Tokens(s addressing.Scope) ([]addressing.TokenRecord, error) {
	clause, args, ok := where(s, "account_id")
	if !ok {
		return []addressing.TokenRecord{}, nil
	}
	return list(t, "token", scanToken, "SELECT "+tokenColumns+" FROM tokens"+clause+" ORDER BY id", args...)
}

func (t *tx) TokenByHash(hash string) (addressing.TokenRecord, error) {
	k, err := one(t, "token", hash, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?")
	if addressing.CodeOf(err) == addressing.CodeNotFound {
		err = addressing.Missing("token", "") // the hash stays out of messages
	}
	return k, err
}

func (t *tx) SaveToken(k addressing.TokenRecord) error {
	cidrs := make([]string, len(k.CIDRs))
	for i, c := range k.CIDRs {
		cidrs[i] = c.String()
	}
	var account any
	if k.AccountID != "" {
		account = k.AccountID
	}
	values := []any{account, k.Name, k.Role, k.Hash, k.Suffix, strings.Join(cidrs, " "), nanosOrNull(k.ExpiresAt), nanosOrNull(k.RevokedAt),
		nanosOrNull(k.LastUsedAt), k.Replaces, k.CreatedBy, k.Version}
	if k.Version == 1 {
		return t.insert("token", "hash", "INSERT INTO tokens (account_id, name, role, hash, suffix, cidrs, expires_at, revoked_at, last_used_at, replaces, created_by, version, id, created_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", append(values, k.ID, nanos(k.CreatedAt))...)
	}
	return t.swap("token", "hash", k.ID, "tokens", "UPDATE tokens SET account_id = ?, name = ?, role = ?, hash = ?, suffix = ?, cidrs = ?, expires_at = ?, revoked_at = ?, "+
		"last_used_at = ?, replaces = ?, created_by = ?, version = ? WHERE id = ? AND version = ?", append(values, k.ID, k.Version-1)...)
}

func (t *tx) TouchToken(id string, used time.Time) error {
	return t.swap("token", "", id, "tokens", "UPDATE tokens SET last_used_at = max(ifnull(last_used_at, 0), ?) WHERE id = ?", nanos(used), id)
}
