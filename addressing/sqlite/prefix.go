package sqlite

import (
	"database/sql"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const prefixColumns = "id, account_id, cidr, asn, description, state, control, on_demand_enabled, on_demand_locked, " +
	"delegate_loa_creation, loa_document_id, irr, rpki, ownership, ownership_token, accepted_risks, delete_after, created_at, modified_at, version"

func scanPrefix(r *sql.Rows, p *addressing.Prefix) error {
	var cidr, risks string
	var description, loa sql.NullString
	var deleteAfter sql.NullInt64
	var created, modified int64
	err := r.Scan(&p.ID, &p.AccountID, &cidr, &p.ASN, &description, &p.State, &p.Control, &p.OnDemandEnabled, &p.OnDemandLocked,
		&p.DelegateLOACreation, &loa, &p.IRR, &p.RPKI, &p.Ownership, &p.OwnershipToken, &risks, &deleteAfter, &created, &modified, &p.Version)
	if err != nil {
		return err
	}
	p.Description, p.LOADocumentID, p.DeleteAfter = textOrNil(description), textOrNil(loa), atOrNil(deleteAfter)
	p.CreatedAt, p.ModifiedAt = at(created), at(modified)
	if risks != "" {
		p.AcceptedRisks = strings.Split(risks, ",")
	}
	p.CIDR, err = netip.ParsePrefix(cidr)
	return err
}

func (t *tx) Prefix(id string) (addressing.Prefix, error) {
	return one(t, "prefix", id, scanPrefix, "SELECT "+prefixColumns+" FROM prefixes WHERE id = ?")
}

func (t *tx) Prefixes(s addressing.Scope) ([]addressing.Prefix, error) {
	clause, args, ok := where(s, "account_id")
	if !ok {
		return []addressing.Prefix{}, nil
	}
	return list(t, "prefix", scanPrefix, "SELECT "+prefixColumns+" FROM prefixes"+clause, args...)
}

func (t *tx) Overlapping(cidr netip.Prefix) ([]addressing.Prefix, error) {
	return overlapping(t, "prefix", scanPrefix, prefixColumns, "prefixes", cidr)
}

func (t *tx) SavePrefix(p addressing.Prefix) error {
	values := []any{p.CIDR.String(), key16(p.CIDR.Addr()), p.ASN, textOrNull(p.Description), p.State, p.Control, p.OnDemandEnabled, p.OnDemandLocked,
		p.DelegateLOACreation, textOrNull(p.LOADocumentID), p.IRR, p.RPKI, p.Ownership, p.OwnershipToken, strings.Join(p.AcceptedRisks, ","),
		nanosOrNull(p.DeleteAfter), nanos(p.ModifiedAt), p.Version}
	if p.Version == 1 {
		return t.insert("prefix", "cidr", "INSERT INTO prefixes (cidr, first, asn, description, state, control, on_demand_enabled, on_demand_locked, "+
			"delegate_loa_creation, loa_document_id, irr, rpki, ownership, ownership_token, accepted_risks, delete_after, modified_at, version, "+
			"id, account_id, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			append(values, p.ID, p.AccountID, nanos(p.CreatedAt))...)
	}
	return t.swap("prefix", "cidr", p.ID, "prefixes", "UPDATE prefixes SET cidr = ?, first = ?, asn = ?, description = ?, state = ?, control = ?, on_demand_enabled = ?, "+
		"on_demand_locked = ?, delegate_loa_creation = ?, loa_document_id = ?, irr = ?, rpki = ?, ownership = ?, ownership_token = ?, accepted_risks = ?, "+
		"delete_after = ?, modified_at = ?, version = ? WHERE id = ? AND version = ?", append(values, p.ID, p.Version-1)...)
}

func (t *tx) DeletePrefix(id string, version int64) error {
	return t.swap("prefix", "", id, "prefixes", "DELETE FROM prefixes WHERE id = ? AND version = ?", id, version)
}
