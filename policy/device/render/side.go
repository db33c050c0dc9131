package render

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Side is what one router has to know.
type Side struct {
	Title    string // of the comment at the top
	ASN      uint32 // the router's
	Sessions []Session
	// The marker is one of the two.
	Standard policy.Community
	Large    policy.LargeCommunity
	// Reflector says that the router reflects routes and has us for a client.
	Reflector bool
	Prefixes  []netip.Prefix // what we may announce, with everything inside it
}

// Session is one BGP session of the router with us.
type Session struct {
	Speaker  netip.Addr // our address
	Local    netip.Addr // the router's
	ASN      uint32     // ours
	Families []addressing.Family
	Multihop int // hops, 0: directly connected
	HoldTime time.Duration
	MD5      bool // a key is needed; it is never written
	Passive  bool // we wait for the router
}

// Longest prefixes that are taken: what networks accept from one another.
const (
	longest4 = 24
	longest6 = 48
)

// staleTime is how long the router keeps our routes when we are gone: GR ends
// after 12 bits of seconds (RFC 4724), LLGR goes on (RFC 9494).
const staleTime = 24 * time.Hour

// check refuses what would render into something wider than meant.
func (s *Side) check() error {
	switch {
	case s.ASN == 0:
		return errors.New("the router's AS number is missing")
	case len(s.Sessions) == 0:
		return errors.New("no session")
	case (s.Standard == 0) == (s.Large == policy.LargeCommunity{}):
		return errors.New("one marker community is needed")
	}
	for _, one := range s.Sessions {
		if !one.Speaker.IsValid() || one.ASN == 0 || len(one.Families) == 0 {
			return fmt.Errorf("session with %s: address, AS number and families are needed", one.Speaker)
		}
	}
	return nil
}

// of are the prefixes of a family: sorted, each once, none inside another.
func (s *Side) of(f addressing.Family) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range slices.SortedFunc(slices.Values(s.Prefixes), addressing.ComparePrefix) {
		if addressing.FamilyOf(p) != f || !p.IsValid() {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Bits() <= p.Bits() && out[n-1].Contains(p.Addr()) {
			continue
		}
		out = append(out, p)
	}
	return out
}

// families are those that any session carries and that have prefixes.
func (s *Side) families() []addressing.Family {
	var out []addressing.Family
	for _, f := range addressing.Families() {
		carried := slices.ContainsFunc(s.Sessions, func(one Session) bool { return slices.Contains(one.Families, f) })
		if carried && len(s.of(f)) > 0 {
			out = append(out, f)
		}
	}
	return out
}

// maxPrefix is where the router ends the session: twice what there is, and room
// for a new customer. A limit that is met costs every route.
func (s *Side) maxPrefix(f addressing.Family) int {
	n := 0
	for _, p := range s.Prefixes {
		if addressing.FamilyOf(p) == f {
			n++
		}
	}
	return max(200, 2*n)
}

// upto is the longest that is taken inside p.
func upto(p netip.Prefix) int {
	if p.Addr().Is4() {
		return max(longest4, p.Bits())
	}
	return max(longest6, p.Bits())
}

// marker is the marker as text, and whether it is a large community.
func (s *Side) marker() (text string, large bool) {
	if s.Standard != 0 {
		return s.Standard.String(), false
	}
	return s.Large.String(), true
}

func (s *Side) external(one Session) bool { return one.ASN != s.ASN }

// System writes the router's side in the language of a system: frr or junos.
func System(name string, s Side) (string, error) {
	switch name {
	case "frr":
		return FRR(s)
	case "junos":
		return Junos(s)
	}
	return "", fmt.Errorf("system %q: want frr or junos", name)
}
