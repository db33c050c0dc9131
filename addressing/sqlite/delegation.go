package sqlite

import (
	"cmp"
	"database/sql"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const delegationColumns = "id, prefix_id, cidr, delegated_account_id, created_at, modified_at, version"

func scanDelegation(r *sql.Rows, d *addressing.Delegation) error {
	var cidr string
	var created, modified int64
	err := r.Scan(&d.ID, &d.PrefixID, &cidr, &d.DelegatedAccountID, &created, &modified, &d.Version)
	if err != nil {
		return err
	}
	d.CreatedAt, d.ModifiedAt = at(created), at(modified)
	d.CIDR, err = netip.ParsePrefix(cidr)
	return err
}

func (t *tx) Delegation(id string) (addressing.Delegation, error) {
	return one(t, "delegation", id, scanDelegation, "SELECT "+delegationColumns+" FROM delegations WHERE id = ?")
}

func (t *tx) DelegationsOf(prefixID string) ([]addressing.Delegation, error) {
	out, err := list(t, "delegation", scanDelegation, "SELECT "+delegationColumns+" FROM delegations WHERE prefix_id = ?", prefixID)
	slices.SortFunc(out, func(a, b addressing.Delegation) int {
		return cmp.Or(addressing.ComparePrefix(a.CIDR, b.CIDR), cmp.Compare(a.ID, b.ID))
	})
	return out, err
}

func (t *tx) SaveDelegation(d addressing.Delegation) error {
	if d.Version == 1 {
		return t.insert("delegation", "cidr", "INSERT INTO delegations ("+delegationColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)",
			d.ID, d.PrefixID, d.CIDR.String(), d.DelegatedAccountID, nanos(d.CreatedAt), nanos(d.ModifiedAt), d.Version)
	}
	return t.swap("delegation", "cidr", d.ID, "delegations", "UPDATE delegations SET modified_at = ?, version = ? WHERE id = ? AND version = ?",
		nanos(d.ModifiedAt), d.Version, d.ID, d.Version-1)
}

func (t *tx) DeleteDelegation(id string, version int64) error {
	return t.swap("delegation", "", id, "delegations", "DELETE FROM delegations WHERE id = ? AND version = ?", id, version)
}
