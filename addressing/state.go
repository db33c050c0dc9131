package addressing

// State is one consistent read of everything that snapshots are built from.
// Prefixes are sorted by CIDR, BGP prefixes and bindings by (prefix id, CIDR,
// id), everything else by id.
type State struct {
	Version     int64 // grows by one with every committed mutation
	Accounts    []Account
	Services    []Service
	Prefixes    []Prefix // pending, approved and pending_delete; no tombstones
	BGPPrefixes []BGPPrefix
	Bindings    []Binding
	Negative    []NegativeIntent
}
