package device

import "net/netip"

// SessionKind tells external and internal sessions apart.
type SessionKind uint8

// Kinds of session. UnknownKind is treated as external by the rules.
const (
	UnknownKind SessionKind = iota
	External
	InternalSession
	Confederation
)

// String writes ebgp, ibgp, confed or unknown.
func (k SessionKind) String() string {
	return [...]string{"unknown", "ebgp", "ibgp", "confed"}[k]
}

// Session is one BGP session for the families that share its pipelines. A
// front end makes two of one neighbor when its families have different
// policies.
type Session struct {
	At
	End         Pos
	Name        string       // address, or the name the configuration gives it
	Neighbor    netip.Addr   // zero for dynamic neighbors
	Range       netip.Prefix // dynamic neighbors
	Group       string
	Description string
	Instance    string // VRF, routing instance
	LocalAS     uint32
	PeerAS      uint32 // 0 when the configuration does not say
	Kind        SessionKind
	Families    []Family // empty: not said, judge IPv4 and IPv6
	Role        Role     // what the neighbor is to us; filled from .leaklint.yaml, RFC 9234 or inference
	RoleSource  RoleSource
	Inactive    bool // shut down or deactivated

	Export    Pipeline
	Import    Pipeline
	Originate []Origination
	Facts     Facts
}

// Carries reports whether the session carries the family.
func (s *Session) Carries(f Family) bool {
	if len(s.Families) == 0 {
		return f != OtherFamily
	}
	for _, have := range s.Families {
		if have == f {
			return true
		}
	}
	return false
}

// Origination is a route the session sends whatever its export pipeline says
// (default-originate).
type Origination struct {
	At
	Prefix netip.Prefix
	Chain  *Chain // condition, nil for none
	Sent   *Route // what is sent, when filters change it; nil for the bare prefix
}

// Facts are settings of a session that rules ask about. Zero values mean "not
// configured".
type Facts struct {
	LocalRole       Role // RFC 9234: configured, as what the neighbor is to us
	StrictRole      bool
	MaxPrefix       uint32
	MaxPrefixOut    uint32
	SendCommunity   Sending
	SendExtended    Sending
	SendLarge       Sending
	NextHopSelf     bool
	RemovePrivateAS bool
	ReflectorClient bool // the neighbor is our route-reflector client
	RSClient        bool // the neighbor is our route-server client
	NoExportPolicy  bool // nothing is configured for export
	NoImportPolicy  bool
	DefaultDeny     Truth // RFC 8212 in force on this session
	Ignored         []IgnoredPolicy
}

// Sending says whether an attribute crosses the session.
type Sending uint8

// Values of Sending; NotSaid leaves it to the dialect's default.
const (
	NotSaid Sending = iota
	Sent
	Stripped
)

// IgnoredPolicy is a policy that is written at the session but has no effect.
type IgnoredPolicy struct {
	At
	Name string
	Why  string
}
