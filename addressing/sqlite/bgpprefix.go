package sqlite

import (
	"database/sql"
	"encoding/json"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const bgpPrefixColumns = "b.id, b.prefix_id, b.cidr, b.prepend, b.auto_advertise_withdraw, b.advertised, b.advertised_modified_at, b.resting, b.sites, " +
	"b.created_at, b.modified_at, b.version, b.down_at"

// everywhere is how all sites are written; it is so common that it is not
// decoded each time.
const everywhere = `{"all":true}`

func scanBGPPrefix(r *sql.Rows, b *addressing.BGPPrefix) error {
	var cidr, sites string
	var toggled, down sql.NullInt64
	var created, modified int64
	err := r.Scan(&b.ID, &b.PrefixID, &cidr, &b.Prepend, &b.AutoAdvertiseWithdraw, &b.Advertised, &toggled, &b.Resting, &sites,
		&created, &modified, &b.Version, &down)
	if err != nil {
		return err
	}
	b.AdvertisedModifiedAt, b.CreatedAt, b.ModifiedAt, b.DownAt = atOrNil(toggled), at(created), at(modified), atOrNil(down)
	if sites == everywhere {
		b.Sites = addressing.AllSites()
	} else if err := json.Unmarshal([]byte(sites), &b.Sites); err != nil {
		return err
	}
	b.CIDR, err = netip.ParsePrefix(cidr)
	return err
}

func (t *tx) BGPPrefix(id string) (addressing.BGPPrefix, error) {
	return one(t, "BGP prefix", id, scanBGPPrefix, "SELECT "+bgpPrefixColumns+" FROM bgp_prefixes b WHERE b.id = ?")
}

func (t *tx) BGPPrefixes(s addressing.Scope) ([]addressing.BGPPrefix, error) {
	clause, args, ok := where(s, "p.account_id")
	if !ok {
		return []addressing.BGPPrefix{}, nil
	}
	return t.bgpPrefixes("SELECT "+bgpPrefixColumns+" FROM bgp_prefixes b JOIN prefixes p ON p.id = b.prefix_id"+clause, args...)
}

func (t *tx) BGPPrefixesOf(prefixID string) ([]addressing.BGPPrefix, error) {
	return t.bgpPrefixes("SELECT "+bgpPrefixColumns+" FROM bgp_prefixes b WHERE b.prefix_id = ?", prefixID)
}

func (t *tx) BGPPrefixesAt(cidr netip.Prefix) ([]addressing.BGPPrefix, error) {
	return t.bgpPrefixes("SELECT "+bgpPrefixColumns+" FROM bgp_prefixes b WHERE b.cidr = ?", cidr.String())
}

func (t *tx) bgpPrefixes(query string, args ...any) ([]addressing.BGPPrefix, error) {
	out, err := list(t, "BGP prefix", scanBGPPrefix, query, args...)
	sortBGPPrefixes(out)
	return out, err
}

func (t *tx) SaveBGPPrefix(b addressing.BGPPrefix) error {
	sites := everywhere
	if !b.Sites.All || len(b.Sites.Names) > 0 {
		text, err := json.Marshal(b.Sites)
		if err != nil {
			return err
		}
		sites = string(text)
	}
	values := []any{b.Prepend, b.AutoAdvertiseWithdraw, b.Advertised, nanosOrNull(b.AdvertisedModifiedAt), b.Resting, sites, nanosOrNull(b.DownAt), nanos(b.ModifiedAt), b.Version}
	if b.Version == 1 {
		return t.insert("BGP prefix", "cidr", "INSERT INTO bgp_prefixes (prepend, auto_advertise_withdraw, advertised, advertised_modified_at, resting, sites, down_at, modified_at, version, "+
			"id, prefix_id, cidr, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			append(values, b.ID, b.PrefixID, b.CIDR.String(), nanos(b.CreatedAt))...)
	}
	return t.swap("BGP prefix", "cidr", b.ID, "bgp_prefixes", "UPDATE bgp_prefixes SET prepend = ?, auto_advertise_withdraw = ?, advertised = ?, advertised_modified_at = ?, "+
		"resting = ?, sites = ?, down_at = ?, modified_at = ?, version = ? WHERE id = ? AND version = ?", append(values, b.ID, b.Version-1)...)
}

func (t *tx) DeleteBGPPrefix(id string, version int64) error {
	return t.swap("BGP prefix", "", id, "bgp_prefixes", "DELETE FROM bgp_prefixes WHERE id = ? AND version = ?", id, version)
}
