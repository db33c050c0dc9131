package addressing

import (
	"context"
	"strings"
	"unicode/utf8"
)

// NewAccount is what CreateAccount takes. A zero Kind is customer.
type NewAccount struct {
	Name string
	Kind AccountKind
}

// CreateAccount adds an account. Its name must be new, so that a repeated
// request is refused and not doubled. Operators only.
func (r *Registry) CreateAccount(ctx context.Context, req Request, in NewAccount) (Account, ChangeSet, error) {
	var out Account
	change, err := r.mutate(ctx, req, "create account", "account.create", func(m *mutation) error {
		if err := req.onlyOperator("creating accounts"); err != nil {
			return err
		}
		if in.Kind == "" {
			in.Kind = Customer
		}
		if in.Kind != Customer && in.Kind != FirstParty {
			return &Error{Code: CodeInvalid, Field: "kind", Detail: "use customer or first-party"}
		}
		if err := checkName(in.Name); err != nil {
			return err
		}
		id, err := m.id()
		if err != nil {
			return err
		}
		out = Account{ID: id, Name: in.Name, Kind: in.Kind, CreatedAt: req.At.UTC(), Version: 1}
		m.account = id
		return m.saveAccount(nil, out)
	})
	return out, change, err
}

// maxName bounds names, in characters.
const maxName = 255

func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) != name || name == "":
		return &Error{Code: CodeInvalid, Field: "name", Detail: "empty, or space at an end"}
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return printable(c) != c }):
		return &Error{Code: CodeInvalid, Field: "name", Detail: "holds bytes that are no printable text"}
	case utf8.RuneCountInString(name) > maxName:
		return &Error{Code: CodeInvalid, Field: "name", Detail: "longer than 255 characters"}
	}
	return nil
}

// Accounts lists the accounts in scope, sorted by id.
func (r *Registry) Accounts(ctx context.Context, s Scope) ([]Account, error) {
	return read(ctx, r, "list accounts", func(tx ReadTx) ([]Account, error) { return tx.Accounts(s) })
}

// Account finds one account.
func (r *Registry) Account(ctx context.Context, s Scope, id string) (Account, error) {
	return read(ctx, r, "find account", func(tx ReadTx) (Account, error) {
		if !s.Includes(id) {
			return Account{}, missing("account", id)
		}
		return tx.Account(id)
	})
}
