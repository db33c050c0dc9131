package addressing

import (
	"fmt"
	"net/netip"
)

// special is a block of the IANA special-purpose registries that is not
// globally reachable, or is multicast, reserved or otherwise no one's to hold.
type special struct {
	block netip.Prefix
	name  string
}

// specialBlocks is from the IANA IPv4 and IPv6 Special-Purpose Address
// Registries (RFC 6890 and its updates), with multicast, class E and the parts
// of IPv6 that are not global unicast (RFC 4291 section 2.4).
var specialBlocks = []special{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network, RFC 791"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private use, RFC 1918"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space, RFC 6598"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback, RFC 1122"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link local, RFC 3927"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private use, RFC 1918"},
	{netip.MustParsePrefix("192.0.0.0/24"), "IETF protocol assignments, RFC 6890"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation, RFC 5737"},
	{netip.MustParsePrefix("192.31.196.0/24"), "AS112-v4, RFC 7535"},
	{netip.MustParsePrefix("192.52.193.0/24"), "AMT, RFC 7450"},
	{netip.MustParsePrefix("192.88.99.0/24"), "deprecated 6to4 relay anycast, RFC 7526"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private use, RFC 1918"},
	{netip.MustParsePrefix("192.175.48.0/24"), "AS112 service, RFC 7534"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking, RFC 2544"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation, RFC 5737"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation, RFC 5737"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast, RFC 5771"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved, RFC 1112"},
	{netip.MustParsePrefix("2001::/23"), "IETF protocol assignments, RFC 2928"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation, RFC 3849"},
	{netip.MustParsePrefix("2002::/16"), "6to4, RFC 3056"},
	{netip.MustParsePrefix("2620:4f:8000::/48"), "AS112 service, RFC 7534"},
	{netip.MustParsePrefix("3fff::/20"), "documentation, RFC 9637"},
}

// globalUnicastIPv6 is all of IPv6 that IANA hands out (RFC 4291 section 2.4).
var globalUnicastIPv6 = netip.MustParsePrefix("2000::/3")

// CheckGlobal reports why p is not a block that anyone can hold on the public
// Internet, or nil.
func CheckGlobal(p netip.Prefix) error {
	if FamilyOf(p) == IPv6 && !contains(globalUnicastIPv6, p) {
		return fmt.Errorf("prefix %s: outside 2000::/3, the global unicast space", p)
	}
	for _, s := range specialBlocks {
		if s.block.Overlaps(p) {
			return fmt.Errorf("prefix %s: overlaps %s (%s)", p, s.block, s.name)
		}
	}
	return nil
}

// Autonomous system numbers that no one may originate routes from.
const (
	asTrans    = 23456      // RFC 6793 section 9
	asLast16   = 65535      // RFC 7300
	asLast32   = 4294967295 // RFC 7300
	asReserved = 0          // RFC 7607
)

// CheckASN reports why asn cannot originate a prefix, or nil. Private and
// documentation numbers pass: they are how a network talks to itself.
func CheckASN(asn uint32) error {
	switch asn {
	case asReserved, asTrans, asLast16, asLast32:
		return fmt.Errorf("asn %d: reserved, cannot originate routes", asn)
	}
	return nil
}
