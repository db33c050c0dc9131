package lab

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Route is one path to a prefix as a daemon holds it, read from its own
// output. Only what a neighbor sent is listed, not what it originates itself.
type Route struct {
	Prefix    netip.Prefix
	Neighbor  netip.Addr // whom it was learned from
	NextHop   netip.Addr // the global one
	Path      []uint32   // AS_PATH, nearest first; a path with sets is an error
	Origin    string     // igp, egp or incomplete
	MED       *uint32    // nil if absent
	LocalPref *uint32    // nil if absent or not shown

	Communities      []string // "64500:1"
	LargeCommunities []string // "64500:1:2"
	OTC              uint32   // Only to Customer (RFC 9234), 0 if absent

	Best  bool // selected
	Stale bool // kept by graceful restart after its session went down
}

// Routes are the paths to each prefix.
type Routes map[netip.Prefix][]Route

// From keeps what one neighbor sent.
func (r Routes) From(neighbor netip.Addr) map[netip.Prefix]Route {
	kept := map[netip.Prefix]Route{}
	for prefix, paths := range r {
		for _, path := range paths {
			if path.Neighbor == neighbor {
				kept[prefix] = path
			}
		}
	}
	return kept
}

// parsePath reads an AS_PATH as FRR, BIRD and OpenBGPD all print it.
func parsePath(text string) ([]uint32, error) {
	var path []uint32
	for word := range strings.FieldsSeq(text) {
		asn, err := strconv.ParseUint(word, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("AS path %q: %w", text, err)
		}
		path = append(path, uint32(asn))
	}
	return path, nil
}

// origin turns the daemons' spellings of ORIGIN into one.
func origin(text string) (string, error) {
	switch strings.ToLower(text) {
	case "igp", "egp", "incomplete":
		return strings.ToLower(text), nil
	}
	return "", fmt.Errorf("origin %q is none", text)
}
