// Package wire is the session guard's message walker: the little of BGP's
// encoding that must be read and written to stand between a neighbor and a
// speaker, without trusting either.
//
// It takes the bytes of one session direction and gives messages whose every
// length has been checked, a ruling on each UPDATE (RFC 4271 section 6, RFC
// 7606), its prefixes and attributes as values, and from such values new
// messages. What goes on is always rebuilt from vetted parts, never copied
// through. Reading an UPDATE and walking its prefixes allocates nothing.
//
// It never panics on input, never keeps state between messages, never decides
// what may be advertised, and knows no timers and no sockets. It imports
// nothing of GoBGP.
//
// Families: IPv4 and IPv6 unicast. Routes of any other family, or of one that
// was not negotiated, are discarded with their attribute. Extended next hops
// (RFC 8950), ADD-PATH (RFC 7911) and extended messages (RFC 8654) are read in
// an OPEN so that they can be stripped from it; UPDATEs are never read or
// written that way.
//
// Four-octet AS numbers: with a neighbor that offers capability 65 every
// AS_PATH has four octets and AS4_PATH and AS4_AGGREGATOR are discarded (RFC
// 6793 section 6). With one that does not, set Session.TwoOctetAS and
// Encoding.TwoOctetAS: on receipt AS4_PATH and AS4_AGGREGATOR are merged into
// the attributes they stand for (section 4.2.3), on sending an AS number that
// does not fit becomes AS_TRANS beside an AS4_PATH or AS4_AGGREGATOR (section
// 4.2.2). A session that would rather refuse such a neighbor answers its OPEN
// with UnsupportedCapability(FourOctetASCapability(asn)).
//
// Attributes that belong to services Holdfast does not speak (PMSI tunnel,
// tunnel encapsulation, AIGP, BGP-LS, prefix SID and their like) are discarded
// even where their flags would let them pass: they have an inner structure that
// nothing here vets, and speakers have been crashed with them. So are extended
// communities of such services. Truly unknown optional transitive attributes
// pass as opaque bytes with the Partial bit set (RFC 4271 section 5).
//
// AS_SETs are read and written as RFC 4271 has them; whether to accept a route
// with one (RFC 9774) is the caller's decision, see ASPath.Has.
//
// RFC sections: 4271 (4, 6), 4456 (8), 1997, 2918, 2545, 4360, 4724 (3), 4760
// (3, 4, 6, 7), 5065 (4, received segments only), 5492, 6608, 6793, 7606, 7607,
// 7911 (4), 8092, 8538 (2), 8950 (4), 9003, 9072, 9234 (4.2, 5), 9494 (4.1).
package wire
