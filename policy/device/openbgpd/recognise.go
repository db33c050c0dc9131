package openbgpd

import (
	"net/netip"
	"regexp"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

var (
	ruleLine = regexp.MustCompile(`(?m)^[ \t]*(allow|deny|match)([ \t]+quick)?([ \t]+rib[ \t]+\S+)?[ \t]+(from|to)[ \t]+(any|ebgp|ibgp|group|AS|\{|\$|[0-9a-fA-F:.]+)`)
	setLine  = regexp.MustCompile(`(?m)^[ \t]*((prefix-set|as-set|origin-set)[ \t]+\S+|roa-set|aspa-set)[ \t]*\{`)
	asLine   = regexp.MustCompile(`(?m)^AS[ \t]+(\$|[0-9.]+)`)
	peerLine = regexp.MustCompile(`(?m)^[ \t]*remote-as[ \t]+(\$|[0-9.]+)`)
	hostLine = regexp.MustCompile(`(?m)^[ \t]*(neighbor[ \t]+(\$|[0-9a-fA-F])[^\n]*\{|group[ \t]+\S[^\n]*\{|vpn[ \t]+"[^\n]*\{)`)
)

// Recognise reports whether the text looks like a bgpd.conf.
func Recognise(_ string, data []byte) bool {
	switch {
	case ruleLine.Match(data), setLine.Match(data):
		return true
	case asLine.Match(data):
		return true
	}
	return peerLine.Match(data) && hostLine.Match(data)
}

// anyOf is the default route of a family.
func anyOf(f device.Family) netip.Prefix {
	switch f {
	case device.IPv4:
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	case device.IPv6:
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.Prefix{}
}
