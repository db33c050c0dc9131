package sqlite

import (
	"database/sql"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const intentColumns = "id, account_id, cidr, site, neighbor, kind, author, reason, created_at, expires_at, down_at, shutdown"

func scanIntent(r *sql.Rows, n *addressing.NegativeIntent) error {
	var cidr string
	var created int64
	var expires, down sql.NullInt64
	err := r.Scan(&n.ID, &n.AccountID, &cidr, &n.Site, &n.Neighbor, &n.Kind, &n.Author, &n.Reason, &created, &expires, &down, &n.Shutdown)
	if err != nil {
		return err
	}
	n.CreatedAt, n.ExpiresAt, n.DownAt = at(created), atOrNil(expires), atOrNil(down)
	if cidr != "" {
		n.CIDR, err = netip.ParsePrefix(cidr)
	}
	return err
}

func (t *tx) Intent(id string) (addressing.NegativeIntent, error) {
	return one(t, "negative intent", id, scanIntent, "SELECT "+intentColumns+" FROM negative_intents WHERE id = ?")
}

func (t *tx) Intents(s addressing.Scope) ([]addressing.NegativeIntent, error) {
	clause, args, ok := where(s, "account_id")
	if !ok {
		return []addressing.NegativeIntent{}, nil
	}
	return list(t, "negative intent", scanIntent, "SELECT "+intentColumns+" FROM negative_intents"+clause+" ORDER BY id", args...)
}

func (t *tx) IntentsOver(cidr netip.Prefix) ([]addressing.NegativeIntent, error) {
	out, err := overlapping(t, "negative intent", scanIntent, intentColumns, "negative_intents", cidr)
	sortByID(out, func(n addressing.NegativeIntent) string { return n.ID })
	return out, err
}

func (t *tx) InsertIntent(n addressing.NegativeIntent) error {
	cidr, first := "", any(nil)
	if n.CIDR.IsValid() {
		cidr, first = n.CIDR.String(), key16(n.CIDR.Addr())
	}
	return t.insert("negative intent", "id", "INSERT INTO negative_intents ("+intentColumns+", first) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		n.ID, n.AccountID, cidr, n.Site, n.Neighbor, n.Kind, n.Author, n.Reason, nanos(n.CreatedAt), nanosOrNull(n.ExpiresAt), nanosOrNull(n.DownAt), n.Shutdown, first)
}

func (t *tx) DeleteIntent(id string) error {
	return t.swap("negative intent", "", id, "negative_intents", "DELETE FROM negative_intents WHERE id = ?", id)
}
