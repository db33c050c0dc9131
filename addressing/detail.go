package addressing

// PrefixDetail is a prefix with everything that decides whether it is on the wire.
type PrefixDetail struct {
	Prefix
	Account  Account
	BGP      []BGPPrefix      // sorted by CIDR
	Bindings []Binding        // sorted by CIDR
	Negative []NegativeIntent // over any part of it, sorted by id
}
