package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
)

// CreateDelegation lets another account use a range of a prefix. The account
// need not be known here: to an unknown one the delegation is inert.
func (r *Registry) CreateDelegation(ctx context.Context, req Request, prefixID string, cidr netip.Prefix, account string) (Delegation, ChangeSet, error) {
	var out Delegation
	change, err := r.mutate(ctx, req, "create delegation", "delegation.create", func(m *mutation) error {
		d, err := m.own(prefixID)
		if err != nil {
			return err
		}
		if err := CheckRange(cidr); err != nil {
			return &Error{Code: CodeInvalid, Field: "cidr", Detail: err.Error(), Number: 1001, Message: "invalid_network_cidr"}
		}
		if !contains(d.CIDR, cidr) {
			return &Error{Code: CodeInvalid, Field: "cidr", Detail: fmt.Sprintf("%s is not inside %s", cidr, d.CIDR), Number: 1001, Message: "invalid_network_cidr"}
		}
		if !IsID(account) || account == d.AccountID {
			return &Error{Code: CodeInvalid, Field: "delegated_account_id", Detail: "must be the id of another account, 32 lower-case hex digits", Number: 1001, Message: "invalid_delegated_account"}
		}
		there, err := m.tx.DelegationsOf(prefixID)
		if err != nil {
			return err
		}
		for _, g := range there {
			if g.CIDR == cidr && g.DelegatedAccountID == account {
				return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s is delegated to that account already, by %s", cidr, g.ID), Number: 1003, Message: "delegation_exists"}
			}
		}
		id, err := m.id()
		if err != nil {
			return err
		}
		at := req.At.UTC()
		m.inverse = "delegation.delete"
		out = Delegation{ID: id, PrefixID: prefixID, CIDR: cidr, DelegatedAccountID: account, CreatedAt: at, ModifiedAt: at, Version: 1}
		return m.saveDelegation(nil, out)
	})
	return out, change, err
}

// IsID reports whether s has the form of an id: 32 lower-case hex digits.
func IsID(s string) bool {
	return len(s) == 32 && strings.Trim(s, "0123456789abcdef") == ""
}

// Delegations lists the delegations of a prefix, sorted by CIDR.
func (r *Registry) Delegations(ctx context.Context, s Scope, prefixID string) ([]Delegation, error) {
	return read(ctx, r, "list delegations", func(tx ReadTx) ([]Delegation, error) {
		if _, err := inScope(tx, s, prefixID); err != nil {
			return nil, err
		}
		return tx.DelegationsOf(prefixID)
	})
}

// DeleteDelegation removes a delegation.
func (r *Registry) DeleteDelegation(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "delete delegation", "delegation.delete", func(m *mutation) error {
		p, err := inScope(m.tx, req.Scope, prefixID)
		if err != nil {
			return err
		}
		m.account, m.inverse = p.AccountID, "delegation.create"
		d, err := m.tx.Delegation(id)
		if err == nil && d.PrefixID != prefixID {
			err = missing("delegation", id)
		}
		if err != nil {
			return err
		}
		if err := req.match(d.Version); err != nil {
			return err
		}
		return m.deleteDelegation(d)
	})
}
