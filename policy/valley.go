package policy

import "fmt"

// Source says where a route came from, seen from our AS. The zero value is
// unknown, which goes nowhere.
type Source uint8

// Sources. FromSelf covers our own prefixes and those delegated to us;
// FromInternal is a route that is meant for the inside alone.
const (
	FromUnknown Source = iota
	FromSelf
	FromInternal
	FromCustomer
	FromProvider
	FromPeer
	FromRS
	FromRSClient
)

var sourceNames = [...]string{"unknown", "self", "internal", "customer", "provider", "peer", "rs", "rs-client"}

// String names the source.
func (s Source) String() string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return fmt.Sprintf("source(%d)", uint8(s))
}

// SourceOf is the source of a route learned over a session on which our role
// is local: as a customer we learn from a provider.
func SourceOf(local Role) Source {
	switch local {
	case RoleProvider:
		return FromCustomer
	case RoleCustomer:
		return FromProvider
	case RolePeer:
		return FromPeer
	case RoleRS:
		return FromRSClient
	case RoleRSClient:
		return FromRS
	}
	return FromUnknown
}

// LeakType is a type of route leak (RFC 7908 section 3). The zero value is no
// type: either no leak or one that cannot be told.
type LeakType uint8

// The types that a pair of neighbors can show. Type 5 (re-origination) cannot
// be seen from the pair.
const (
	NoLeakType        LeakType = 0
	HairpinLeak       LeakType = 1 // provider to provider
	LateralLeak       LeakType = 2 // peer to peer
	ProviderToPeer    LeakType = 3
	PeerToProvider    LeakType = 4
	ReoriginationLeak LeakType = 5
	InternalLeak      LeakType = 6 // internal prefixes and more-specifics
)

// String writes "RFC 7908 type N".
func (t LeakType) String() string {
	if t == NoLeakType {
		return "no leak type"
	}
	return fmt.Sprintf("RFC 7908 type %d", uint8(t))
}

// Passage is the answer of the valley-free guard. The zero value refuses.
type Passage struct {
	Verdict Verdict
	Leak    LeakType // the leak that was stopped, if it has a type
	Why     string
}

// Allowed is the valley-free rule: may a route that came from there be
// advertised over a session on which our role is to? It is applied after every
// policy and no policy can switch it off.
func Allowed(from Source, to Role) Passage {
	if !to.Valid() {
		return Passage{Why: "no role towards the neighbor"}
	}
	switch from {
	case FromUnknown:
		return Passage{Why: "the route's source is unknown"}
	case FromInternal:
		// RFC 7908 section 3.6: internal prefixes offered to any external
		// neighbor, a customer included.
		return Passage{Leak: InternalLeak, Why: "an internal route must not leave"}
	case FromSelf, FromCustomer:
		// RFC 9234 section 3.1: what is ours or our customers' may go up, to the
		// side and down.
		return Passage{Verdict: Allow}
	case FromProvider, FromPeer, FromRS, FromRSClient:
		return downhillOnly(from, to)
	}
	return Passage{Why: "the route's source is unknown"}
}

// downhillOnly judges a route that came from above or from the side.
func downhillOnly(from Source, to Role) Passage {
	switch to {
	case RoleProvider, RoleRS:
		// RFC 9234 section 3.1: down may go everything.
		return Passage{Verdict: Allow}
	case RoleCustomer:
		// RFC 7908 sections 3.1 and 3.4; an RS and its clients are lateral.
		if from == FromProvider {
			return Passage{Leak: HairpinLeak, Why: "a provider's route must not go to a provider"}
		}
		return Passage{Leak: PeerToProvider, Why: "a peer's route must not go to a provider"}
	case RolePeer, RoleRSClient:
		// RFC 7908 sections 3.3 and 3.2.
		if from == FromProvider {
			return Passage{Leak: ProviderToPeer, Why: "a provider's route must not go to a peer or RS"}
		}
		return Passage{Leak: LateralLeak, Why: "a peer's route must not go to a peer or RS"}
	}
	return Passage{Why: "no role towards the neighbor"}
}
