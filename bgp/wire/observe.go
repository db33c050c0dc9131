package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Recording is how UPDATEs and attributes were written down by a collector.
type Recording struct {
	TwoOctetAS bool // AS_PATH has two octets per AS number
	AddPath    bool // prefixes are preceded by a path identifier (RFC 7911 section 3)
}

// Observed is an UPDATE that somebody else received, or the attributes of a
// route in his table: read for what it says, with no ruling on it, because
// nothing is handed on. It points into what it was read from and reuses its
// own memory, so all of it is valid until the next read. The zero value is
// ready to use.
type Observed struct {
	Path        ASPath     // AS_PATH with AS4_PATH merged in
	OTC         policy.OTC // the zero value if there is none
	Communities []byte     // value of COMMUNITIES, nil if there is none

	withdrawn, advertised, unreached, reached observedRun

	end       Family // of an End-of-RIB marker, the zero value if it is none
	path, as4 []byte // values
	octets    int
	asns      []uint32
	segments  []Segment
}

// observedRun is a run of prefixes as they were recorded.
type observedRun struct {
	prefixRun
	addPath bool
}

func (r *observedRun) check() bool {
	if !r.addPath {
		return checkPrefixes(r.raw, r.v6)
	}
	for rest := r.raw; len(rest) > 0; {
		if len(rest) < 5 {
			return false
		}
		end := 5 + (int(rest[4])+7)/8
		if len(rest) < end || !checkPrefixes(rest[4:end], r.v6) {
			return false
		}
		rest = rest[end:]
	}
	return true
}

func (r *observedRun) next() (netip.Prefix, bool) {
	if r.addPath && len(r.raw) > 4 {
		r.raw = r.raw[4:]
	}
	return r.prefixRun.next()
}

// ReadUpdate reads the body of an UPDATE. Routes of families other than IPv4
// and IPv6 unicast are passed over. The error names the first field or
// attribute whose length or content cannot be.
func (o *Observed) ReadUpdate(body []byte, r Recording) error {
	o.reset(r)
	withdrawn, list, nlri, ok := splitUpdate(body)
	if !ok {
		return errors.New("update: lengths exceed the message")
	}
	o.withdrawn = observedRun{prefixRun{raw: withdrawn}, r.AddPath}
	o.advertised = observedRun{prefixRun{raw: nlri}, r.AddPath}
	o.end = endOfRIB(withdrawn, list, nlri)
	if err := o.attributes(list, r, true); err != nil {
		return err
	}
	for _, run := range []*observedRun{&o.withdrawn, &o.advertised, &o.unreached, &o.reached} {
		if !run.check() {
			return errors.New("update: malformed prefix")
		}
	}
	return o.decodePath()
}

// endOfRIB is the family whose End-of-RIB marker this is (RFC 4724 section 2),
// the zero value if it is none.
func endOfRIB(withdrawn, list, nlri []byte) Family {
	if len(withdrawn)+len(nlri) > 0 {
		return Family{}
	}
	if len(list) == 0 {
		return IPv4Unicast
	}
	a, rest, ok := nextAttribute(list)
	if !ok || len(rest) > 0 || a.Type != AttrMPUnreach || len(a.Value) != 3 {
		return Family{}
	}
	return Family{AFI: binary.BigEndian.Uint16(a.Value), SAFI: a.Value[2]}
}

// EndOfRIB reports whether the UPDATE ends a table, and of which family.
func (o *Observed) EndOfRIB() (f Family, ok bool) { return o.end, o.end != Family{} }

// ReadAttributes reads the attributes of a route in a table dump. MP_REACH_NLRI
// is passed over there: RFC 6396 section 4.3.4 keeps only its next hop.
func (o *Observed) ReadAttributes(list []byte, r Recording) error {
	o.reset(r)
	if err := o.attributes(list, r, false); err != nil {
		return err
	}
	return o.decodePath()
}

func (o *Observed) reset(r Recording) {
	o.Path, o.OTC, o.Communities, o.path, o.as4 = nil, policy.OTC{}, nil, nil, nil
	o.withdrawn, o.advertised, o.unreached, o.reached, o.end = observedRun{}, observedRun{}, observedRun{}, observedRun{}, Family{}
	o.octets = 4
	if r.TwoOctetAS {
		o.octets = 2
	}
}

func (o *Observed) attributes(list []byte, r Recording, update bool) error {
	for len(list) > 0 {
		a, rest, ok := nextAttribute(list)
		if !ok {
			return errors.New("attributes: an attribute leaves the list")
		}
		list = rest
		if err := o.attribute(a, r, update); err != nil {
			return err
		}
	}
	return nil
}

func (o *Observed) attribute(a Attribute, r Recording, update bool) error {
	switch a.Type {
	case AttrASPath:
		o.path = a.Value
	case AttrAS4Path:
		o.as4 = a.Value
	case AttrCommunities:
		if len(a.Value)%4 != 0 {
			return fmt.Errorf("%s: %d octets", a.Type, len(a.Value))
		}
		o.Communities = a.Value
	case AttrOTC:
		if len(a.Value) != 4 {
			return fmt.Errorf("%s: %d octets", a.Type, len(a.Value))
		}
		o.OTC = policy.OTCWith(binary.BigEndian.Uint32(a.Value))
	case AttrMPReach:
		if update {
			return o.reach(a.Value, r)
		}
	case AttrMPUnreach:
		if update {
			return o.unreach(a.Value, r)
		}
	}
	return nil
}

// reach reads MP_REACH_NLRI (RFC 4760 section 3).
func (o *Observed) reach(value []byte, r Recording) error {
	if len(value) < 5 || len(value) < 5+int(value[3]) {
		return fmt.Errorf("%s: %d octets", AttrMPReach, len(value))
	}
	f := Family{AFI: binary.BigEndian.Uint16(value), SAFI: value[2]}
	if f == IPv4Unicast || f == IPv6Unicast {
		o.reached = observedRun{prefixRun{raw: value[5+int(value[3]):], v6: f == IPv6Unicast}, r.AddPath}
	}
	return nil
}

// unreach reads MP_UNREACH_NLRI (RFC 4760 section 4).
func (o *Observed) unreach(value []byte, r Recording) error {
	if len(value) < 3 {
		return fmt.Errorf("%s: %d octets", AttrMPUnreach, len(value))
	}
	f := Family{AFI: binary.BigEndian.Uint16(value), SAFI: value[2]}
	if f == IPv4Unicast || f == IPv6Unicast {
		o.unreached = observedRun{prefixRun{raw: value[3:], v6: f == IPv6Unicast}, r.AddPath}
	}
	return nil
}

// decodePath decodes the path into memory that is used again.
func (o *Observed) decodePath() error {
	if why := checkASPath(o.path, o.octets, true); why != "" {
		return fmt.Errorf("%s: %s", AttrASPath, why)
	}
	o.asns, o.segments = slices.Grow(o.asns[:0], len(o.path)/o.octets), o.segments[:0]
	for v := o.path; len(v) > 0; {
		n, from := int(v[1]), len(o.asns)
		for i := range n {
			o.asns = append(o.asns, asnAt(v[2+i*o.octets:], o.octets))
		}
		o.segments = append(o.segments, Segment{Type: SegmentType(v[0]), ASNs: o.asns[from:len(o.asns):len(o.asns)]})
		v = v[2+n*o.octets:]
	}
	o.Path = o.segments
	if o.octets == 4 || len(o.as4) == 0 {
		return nil
	}
	// RFC 6793 section 6: a malformed AS4_PATH is discarded, not the route.
	if checkASPath(o.as4, 4, true) != "" {
		return nil
	}
	as4, err := decodeASPath(o.as4, 4)
	if err == nil {
		o.Path = mergeAS4Path(o.Path, as4)
	}
	return nil
}

// Withdrawals yields every prefix that the UPDATE withdraws.
func (o *Observed) Withdrawals() iter.Seq[netip.Prefix] { return both(o.withdrawn, o.unreached) }

// Advertisements yields every prefix that the UPDATE advertises.
func (o *Observed) Advertisements() iter.Seq[netip.Prefix] { return both(o.advertised, o.reached) }

func both(a, b observedRun) iter.Seq[netip.Prefix] {
	return func(yield func(netip.Prefix) bool) {
		for _, run := range [2]observedRun{a, b} {
			for p, ok := run.next(); ok; p, ok = run.next() {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// ReadPrefix reads one prefix as it is written in messages and table dumps and
// gives what follows it.
func ReadPrefix(b []byte, v6 bool) (p netip.Prefix, rest []byte, err error) {
	if len(b) == 0 {
		return p, b, errors.New("prefix: missing")
	}
	end := 1 + (int(b[0])+7)/8
	if len(b) < end || !checkPrefixes(b[:end], v6) {
		return p, b, fmt.Errorf("prefix: length %d does not fit", b[0])
	}
	run := prefixRun{raw: b[:end], v6: v6}
	p, _ = run.next()
	return p, b[end:], nil
}
