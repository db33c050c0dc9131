package sqlite

import (
	"database/sql"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const bindingColumns = "b.id, b.prefix_id, b.cidr, b.service_id, b.active, b.created_at"

func scanBinding(r *sql.Rows, b *addressing.Binding) error {
	var cidr string
	var created int64
	err := r.Scan(&b.ID, &b.PrefixID, &cidr, &b.ServiceID, &b.Active, &created)
	if err != nil {
		return err
	}
	b.CreatedAt = at(created)
	b.CIDR, err = netip.ParsePrefix(cidr)
	return err
}

func (t *tx) Binding(id string) (addressing.Binding, error) {
	return one(t, "binding", id, scanBinding, "SELECT "+bindingColumns+" FROM bindings b WHERE b.id = ?")
}

func (t *tx) Bindings(s addressing.Scope) ([]addressing.Binding, error) {
	clause, args, ok := where(s, "p.account_id")
	if !ok {
		return []addressing.Binding{}, nil
	}
	return t.bindings("SELECT "+bindingColumns+" FROM bindings b JOIN prefixes p ON p.id = b.prefix_id"+clause, args...)
}

func (t *tx) BindingsOf(prefixID string) ([]addressing.Binding, error) {
	return t.bindings("SELECT "+bindingColumns+" FROM bindings b WHERE b.prefix_id = ?", prefixID)
}

func (t *tx) bindings(query string, args ...any) ([]addressing.Binding, error) {
	out, err := list(t, "binding", scanBinding, query, args...)
	sortBindings(out)
	return out, err
}

func (t *tx) InsertBinding(b addressing.Binding) error {
	return t.insert("binding", "cidr", "INSERT INTO bindings (id, prefix_id, cidr, service_id, active, created_at) VALUES (?, ?, ?, ?, ?, ?)",
		b.ID, b.PrefixID, b.CIDR.String(), b.ServiceID, b.Active, nanos(b.CreatedAt))
}

func (t *tx) DeleteBinding(id string) error {
	return t.swap("binding", "", id, "bindings", "DELETE FROM bindings WHERE id = ?", id)
}
