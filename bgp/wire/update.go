package wire

import (
	"encoding/binary"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Session is what has to be known of a session to rule on its UPDATEs. The zero
// value is the strictest: an external neighbor with which no family was
// negotiated.
type Session struct {
	Internal   bool      // iBGP
	TwoOctetAS bool      // capability 65 was not exchanged
	Families   FamilySet // negotiated with the multiprotocol capability
	FirstAS    uint32    // if not 0 and external: the AS every AS_PATH must start with

	LoopbackNextHop bool // accept loopback next hops: the leg to a speaker on this machine
}

func (s Session) asOctets() int {
	if s.TwoOctetAS {
		return 2
	}
	return 4
}

// Action is how an error in an UPDATE is handled (RFC 7606 section 2). The
// smaller value is the stronger approach; the zero value is the strongest.
type Action uint8

// Actions, strongest first.
const (
	SessionReset Action = iota
	TreatAsWithdraw
	AttributeDiscard
	Accept
)

// String names the action as RFC 7606 does.
func (a Action) String() string {
	switch a {
	case SessionReset:
		return "session-reset"
	case TreatAsWithdraw:
		return "treat-as-withdraw"
	case AttributeDiscard:
		return "attribute-discard"
	case Accept:
		return "accept"
	}
	return fmt.Sprintf("action %d", uint8(a))
}

// Ruling says how to handle an attribute or a whole UPDATE, and why. The zero
// value resets the session.
type Ruling struct {
	Action    Action
	Attribute AttributeType // the attribute that decided, 0 for the message's own fields
	Why       string
	subcode   uint8  // of an UPDATE message error
	data      []byte // of its NOTIFICATION, in the message
}

// Notification is the NOTIFICATION that a session reset sends. It is a copy
// that outlives the message.
func (r Ruling) Notification() *Notification {
	subcode := r.subcode
	if subcode == 0 {
		subcode = SubMalformedAttributes
	}
	return &Notification{Code: CodeUpdate, Subcode: subcode, Data: slices.Clone(r.data)}
}

// Update is an UPDATE that has been ruled on. Its prefixes and attributes point
// into the message. Only what Withdrawals, Advertisements, EndOfRIB and
// Attributes give may be handed on.
type Update struct {
	Ruling

	withdrawn, announced prefixRun // IPv4, in the message's own fields
	unreached, reached   prefixRun // in MP_UNREACH_NLRI and MP_REACH_NLRI
	reachFamily          Family
	endOfRIB             Family
	otc                  policy.OTC

	list      []byte  // path attributes
	discarded typeSet // of them, those that must not be handed on
	session   Session

	beyondUnreach bool // there are attributes other than MP_UNREACH_NLRI
	reachable     bool // MP_REACH_NLRI has routes, of whatever family

	global    []byte // next hop in MP_REACH_NLRI
	linkLocal []byte
}

// Classify reads the body of an UPDATE message and rules on it by RFC 7606,
// RFC 4271 section 6.3 and the RFCs of the attributes. Whatever the body holds,
// the answer is an Update: look at its Action first.
func (s Session) Classify(body []byte) Update {
	u := Update{Ruling: Ruling{Action: Accept}, session: s}
	withdrawn, list, nlri, ok := splitUpdate(body)
	if !ok {
		// RFC 4271 section 6.3: two lengths that overrun the message leave nothing to
		// hold on to: no route in it can be told from the next.
		u.Ruling = Ruling{Action: SessionReset, subcode: SubMalformedAttributes, Why: "lengths exceed the message"}
		return u
	}
	u.list = list
	seen := u.walk()
	u.fields(withdrawn, nlri)
	u.mandatory(&seen)
	if u.Action == TreatAsWithdraw && u.beyondUnreach && !u.reachable && len(nlri) == 0 {
		// RFC 7606 section 5.2: attributes without a prefix that they could belong to.
		// Perhaps the prefixes were what got damaged, so nobody knows which routes to
		// treat as withdrawn, and the session has to go.
		u.Action = SessionReset
	}
	u.markEndOfRIB(withdrawn, nlri)
	if u.Action == SessionReset {
		u.withdrawn, u.announced, u.unreached, u.reached = prefixRun{}, prefixRun{}, prefixRun{}, prefixRun{}
		u.endOfRIB = Family{}
	}
	return u
}

// splitUpdate finds the three parts of an UPDATE (RFC 4271 section 4.3).
func splitUpdate(body []byte) (withdrawn, list, nlri []byte, ok bool) {
	if len(body) < 4 {
		return nil, nil, nil, false
	}
	n := int(binary.BigEndian.Uint16(body))
	if len(body) < 4+n {
		return nil, nil, nil, false
	}
	withdrawn, body = body[2:2+n], body[2+n:]
	n = int(binary.BigEndian.Uint16(body))
	if len(body) < 2+n {
		return nil, nil, nil, false
	}
	return withdrawn, body[2 : 2+n], body[2+n:], true
}

// walk rules on every attribute and returns the types that are there.
func (u *Update) walk() (seen typeSet) {
	for list := u.list; len(list) > 0; {
		a, rest, ok := nextAttribute(list)
		if !ok {
			// RFC 7606 section 4: when the length of the last attribute overruns
			// or underruns the list the treat-as-withdraw approach MUST be
			// used, and the Total Attribute Length MUST be relied upon to
			// enable the beginning of the NLRI field to be located.
			u.worsen(Ruling{Action: TreatAsWithdraw, subcode: SubMalformedAttributes, Why: "an attribute leaves the attribute list"})
			u.list = u.list[:len(u.list)-len(list)]
			u.beyondUnreach = true
			return seen
		}
		if seen.has(a.Type) {
			u.worsen(repeated(a.Type))
		} else {
			seen.add(a.Type)
			u.attribute(a)
		}
		list = rest
	}
	return seen
}

// repeated rules on the second occurrence of an attribute. RFC 7606 section 3 (g):
// of two lists of prefixes none can be preferred, which ends the session; of any
// other attribute the first counts.
func repeated(t AttributeType) Ruling {
	if t == AttrMPReach || t == AttrMPUnreach {
		return Ruling{Action: SessionReset, Attribute: t, subcode: SubMalformedAttributes, Why: "appears more than once"}
	}
	return Ruling{Action: AttributeDiscard, Attribute: t, Why: "appears more than once"}
}

// attribute rules on one attribute and keeps what is read from it.
func (u *Update) attribute(a Attribute) {
	ruling := u.session.Rule(a)
	u.beyondUnreach = u.beyondUnreach || a.Type != AttrMPUnreach
	if a.Type == AttrMPReach && len(a.Value) > 5 && len(a.Value) > 5+int(a.Value[3]) {
		u.reachable = true
	}
	switch {
	case ruling.Action == AttributeDiscard:
		u.discarded.add(a.Type)
	case ruling.Action == SessionReset:
	case a.Type == AttrMPReach:
		u.reachFamily = Family{AFI: binary.BigEndian.Uint16(a.Value), SAFI: a.Value[2]}
		v6 := u.reachFamily == IPv6Unicast
		end := 4 + int(a.Value[3])
		u.reached = prefixRun{raw: a.Value[end+1:], v6: v6}
		u.global = a.Value[4:end]
		if v6 {
			u.global, u.linkLocal = a.Value[4:20], a.Value[20:end]
		}
	case a.Type == AttrMPUnreach:
		u.unreached = prefixRun{raw: a.Value[3:], v6: a.Value[1] == 2}
	case a.Type == AttrOTC && ruling.Action == Accept:
		u.otc = policy.OTCWith(binary.BigEndian.Uint32(a.Value))
	}
	u.worsen(ruling)
}

// fields checks the message's own fields of IPv4 prefixes.
func (u *Update) fields(withdrawn, nlri []byte) {
	// RFC 7606 section 5.3, RFC 4271 section 6.3: prefixes that cannot be walked
	// cannot be withdrawn either.
	if !checkPrefixes(withdrawn, false) || !checkPrefixes(nlri, false) {
		u.worsen(Ruling{Action: SessionReset, subcode: SubInvalidNetwork, Why: "malformed IPv4 prefix"})
		return
	}
	if u.session.Families.Has(IPv4Unicast) {
		u.withdrawn, u.announced = prefixRun{raw: withdrawn}, prefixRun{raw: nlri}
		return
	}
	if len(withdrawn)+len(nlri) > 0 {
		u.worsen(Ruling{Action: AttributeDiscard, Why: "IPv4 unicast was not negotiated"})
	}
}

// mandatory checks that an UPDATE with routes says all it must; its routes are
// treated as withdrawn otherwise (RFC 7606 section 3 (d)).
func (u *Update) mandatory(seen *typeSet) {
	if u.announced.empty() && u.reached.empty() {
		return
	}
	missing := func(t AttributeType) {
		u.worsen(Ruling{Action: TreatAsWithdraw, Attribute: t, subcode: SubMissingWellKnown, data: attributeTypeData[t][:], Why: "missing"})
	}
	if !seen.has(AttrOrigin) {
		missing(AttrOrigin)
	}
	if !seen.has(AttrASPath) {
		missing(AttrASPath)
	}
	if !seen.has(AttrNextHop) && !u.announced.empty() {
		missing(AttrNextHop)
	}
	if !seen.has(AttrLocalPref) && u.session.Internal {
		missing(AttrLocalPref)
	}
}

// attributeTypeData holds the one octet of data of a missing attribute.
var attributeTypeData = [...][1]byte{AttrOrigin: {1}, AttrASPath: {2}, AttrNextHop: {3}, AttrLocalPref: {5}}

// markEndOfRIB recognises the two forms of End-of-RIB (RFC 4724 section 2): an
// empty UPDATE for IPv4 unicast, and for any other family one whose only attribute
// is an MP_UNREACH_NLRI without prefixes.
func (u *Update) markEndOfRIB(withdrawn, nlri []byte) {
	if u.Action != Accept || len(withdrawn)+len(nlri) > 0 {
		return
	}
	if len(u.list) == 0 {
		u.endOfRIB = IPv4Unicast
	} else if a, rest, _ := nextAttribute(u.list); len(rest) == 0 && a.Type == AttrMPUnreach && len(a.Value) == 3 {
		u.endOfRIB = Family{AFI: binary.BigEndian.Uint16(a.Value), SAFI: a.Value[2]}
	}
	if !u.session.Families.Has(u.endOfRIB) {
		u.endOfRIB = Family{}
	}
}

// worsen keeps the strongest ruling, the first of equals (RFC 7606 section 3
// (h)).
func (u *Update) worsen(r Ruling) {
	if r.Action < u.Action {
		u.Ruling = r
	}
}

// Withdrawals yields every prefix that the UPDATE takes away, those included
// whose routes are treated as withdrawn. Apply them before Advertisements. For
// a session reset there are none: nothing was parsed for certain.
func (u *Update) Withdrawals() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		runs := [...]prefixRun{u.withdrawn, u.unreached, u.announced, u.reached}
		n := len(runs)
		if u.Action >= AttributeDiscard {
			n = 2
		}
		for i := range runs[:n] {
			for p, ok := runs[i].next(); ok; p, ok = runs[i].next() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// Advertisements yields every prefix that the UPDATE advertises, IPv4 first;
// none unless the Action is Accept or AttributeDiscard.
func (u *Update) Advertisements() iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		if u.Action < AttributeDiscard {
			return
		}
		runs := [...]prefixRun{u.announced, u.reached}
		for i := range runs {
			for p, ok := runs[i].next(); ok; p, ok = runs[i].next() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// EndOfRIB is the family whose initial table is complete with this UPDATE (RFC
// 4724 section 2); ok is false for any other UPDATE and for a family that was
// not negotiated.
func (u *Update) EndOfRIB() (f Family, ok bool) { return u.endOfRIB, u.endOfRIB != Family{} }

// OTC is the route's Only-to-Customer attribute.
func (u *Update) OTC() policy.OTC { return u.otc }

// Discards reports whether the attribute was there and must not be handed on.
func (u *Update) Discards(t AttributeType) bool { return u.discarded.has(t) }

// Attributes decodes the path attributes of the routes of a family, without
// those that are discarded and without extended communities that are not
// Specific. It is an error to ask for the attributes of routes
// that are not advertised.
func (u *Update) Attributes(f Family) (Attributes, error) {
	if u.Action < AttributeDiscard {
		return Attributes{}, fmt.Errorf("attributes: the UPDATE is ruled %s", u.Action)
	}
	reached := f == u.reachFamily && !u.reached.empty()
	announced := f == IPv4Unicast && !u.announced.empty()
	if !reached && !announced {
		return Attributes{}, fmt.Errorf("attributes: the UPDATE advertises no route of %s", f)
	}
	attrs, err := decodeAttributes(u.list, &u.discarded, u.session.asOctets())
	if err != nil {
		return Attributes{}, err
	}
	attrs.ExtCommunities = slices.DeleteFunc(attrs.ExtCommunities, func(c ExtCommunity) bool { return !c.Specific() })
	if !announced {
		attrs.NextHop, _ = netip.AddrFromSlice(u.global)
		attrs.LinkLocal, _ = netip.AddrFromSlice(u.linkLocal)
	}
	return attrs, nil
}
