package bgp

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Reasons a Speaker refuses a Target. Errors of Check and of every Speaker's
// Apply wrap exactly one of them; nothing was changed when one is returned.
var (
	ErrOlder           = errors.New("older than what this speaker has seen")
	ErrEmpty           = errors.New("no route and no reason for that")
	ErrUnknownNeighbor = errors.New("unknown neighbor")
	ErrRoute           = errors.New("route cannot be advertised")
	ErrClosed          = errors.New("speaker is closed")
)

// maxASPath bounds the AS_PATH to one segment (RFC 4271 section 4.3).
const maxASPath = 255

// Order is the place of a Target in time. Waves of one generation are not
// ordered: a wave that is taken back keeps its generation.
type Order struct {
	Epoch      uint64 `json:"epoch"`
	Generation uint64 `json:"generation"`
}

// OrderOf returns the order of t.
func OrderOf(t snapshots.Target) Order { return Order{Epoch: t.Epoch, Generation: t.Generation} }

// Before reports whether o is older than p.
func (o Order) Before(p Order) bool {
	if o.Epoch != p.Epoch {
		return o.Epoch < p.Epoch
	}
	return o.Generation < p.Generation
}

// Check decides whether a Speaker with these neighbors, which has seen last,
// may apply t. It is the same for every Speaker and treats t as hostile input.
func Check(t snapshots.Target, neighbors map[string]policy.Neighbor, last Order) error {
	if now := OrderOf(t); now.Before(last) {
		return fmt.Errorf("check target: epoch %d generation %d after epoch %d generation %d: %w; build a new generation",
			now.Epoch, now.Generation, last.Epoch, last.Generation, ErrOlder)
	}
	routes := 0
	for name, nt := range t.Neighbors {
		n, known := neighbors[name]
		if !known {
			return fmt.Errorf("check target: neighbor %q: %w; add it to the configuration first", name, ErrUnknownNeighbor)
		}
		if err := CheckRoutes(n, nt.Routes); err != nil {
			return fmt.Errorf("check target: neighbor %q: %w", name, err)
		}
		routes += len(nt.Routes)
	}
	if routes == 0 && t.Empty == "" {
		return fmt.Errorf("check target: generation %d: %w; use an empty target with a reason", t.Generation, ErrEmpty)
	}
	return nil
}

// CheckRoutes wants routes sorted, without duplicates and fit for n.
// Attributes are shared by many routes and are looked at once per run.
func CheckRoutes(n policy.Neighbor, routes []snapshots.TargetRoute) error {
	var before netip.Prefix
	var seen *snapshots.Attributes
	var seenFamily addressing.Family
	for i, r := range routes {
		if err := checkPrefix(n, r.Prefix); err != nil {
			return err
		}
		if i > 0 && before.Compare(r.Prefix) >= 0 {
			return fmt.Errorf("prefix %s after %s: not sorted or repeated: %w", r.Prefix, before, ErrRoute)
		}
		before = r.Prefix
		family := addressing.FamilyOf(r.Prefix)
		if r.Attrs == seen && family == seenFamily && seen != nil {
			continue
		}
		if err := checkAttributes(n, r.Attrs, family); err != nil {
			return fmt.Errorf("prefix %s: %w", r.Prefix, err)
		}
		seen, seenFamily = r.Attrs, family
	}
	return nil
}

func checkPrefix(n policy.Neighbor, p netip.Prefix) error {
	switch {
	case !p.IsValid(), p != p.Masked(), p.Addr().Is4In6(), p.Addr().Zone() != "":
		return fmt.Errorf("prefix %s: not a canonical prefix: %w", p, ErrRoute)
	case !n.Carries(addressing.FamilyOf(p)):
		return fmt.Errorf("prefix %s: the session does not carry %s: %w", p, addressing.FamilyOf(p), ErrRoute)
	}
	return nil
}

func checkAttributes(n policy.Neighbor, a *snapshots.Attributes, family addressing.Family) error {
	if a == nil {
		return fmt.Errorf("no attributes: %w", ErrRoute)
	}
	nh := a.NextHop
	// RFC 8950 (IPv4 over an IPv6 next hop) is not spoken: families must agree.
	if !nh.IsValid() || nh.IsUnspecified() || nh.IsMulticast() || nh.Is4In6() || nh.Is4() != (family == addressing.IPv4) {
		return fmt.Errorf("next hop %s is no next hop for %s: %w", nh, family, ErrRoute)
	}
	// RFC 4271 section 5.1.2 (b): an eBGP speaker puts its own AS in front.
	if n.ASN != n.LocalASN && (len(a.ASPath) == 0 || a.ASPath[0] != n.LocalASN) {
		return fmt.Errorf("AS path %v does not start with our AS %d: %w", a.ASPath, n.LocalASN, ErrRoute)
	}
	if len(a.ASPath) > maxASPath {
		return fmt.Errorf("AS path of %d is longer than %d: %w", len(a.ASPath), maxASPath, ErrRoute)
	}
	for _, asn := range a.ASPath {
		if asn == 0 { // RFC 7607
			return fmt.Errorf("AS path %v holds AS 0: %w", a.ASPath, ErrRoute)
		}
	}
	return nil
}
