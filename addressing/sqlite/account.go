package sqlite

import (
	"database/sql"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const accountColumns = "id, name, kind, created_at, version"

func scanAccount(r *sql.Rows, a *addressing.Account) error {
	var created int64
	err := r.Scan(&a.ID, &a.Name, &a.Kind, &created, &a.Version)
	a.CreatedAt = at(created)
	return err
}

func (t *tx) Account(id string) (addressing.Account, error) {
	return one(t, "account", id, scanAccount, "SELECT "+accountColumns+" FROM accounts WHERE id = ?")
}

func (t *tx) Accounts(s addressing.Scope) ([]addressing.Account, error) {
	clause, args, ok := where(s, "id")
	if !ok {
		return []addressing.Account{}, nil
	}
	return list(t, "account", scanAccount, "SELECT "+accountColumns+" FROM accounts"+clause+" ORDER BY id", args...)
}

func (t *tx) SaveAccount(a addressing.Account) error {
	if a.Version == 1 {
		return t.insert("account", "name", "INSERT INTO accounts ("+accountColumns+") VALUES (?, ?, ?, ?, ?)",
			a.ID, a.Name, a.Kind, nanos(a.CreatedAt), a.Version)
	}
	return t.swap("account", "name", a.ID, "accounts", "UPDATE accounts SET name = ?, kind = ?, version = ? WHERE id = ? AND version = ?",
		a.Name, a.Kind, a.Version, a.ID, a.Version-1)
}
