package rpki

import (
	"fmt"
	"net/netip"
)

// MaxVRPs bounds a set. The Internet has some 700,000 (2025).
const MaxVRPs = 5_000_000

// VRP is a validated ROA payload (RFC 6811 section 2): the ASN may originate
// the prefix down to the maximum length. AS 0 forbids (RFC 6483 section 4).
type VRP struct {
	Prefix netip.Prefix
	MaxLen uint8
	ASN    uint32
}

// Check refuses a VRP that no cache would give.
func (v VRP) Check() error {
	switch {
	case !v.Prefix.IsValid() || v.Prefix.Addr().Is4In6():
		return fmt.Errorf("prefix: missing or no IPv4 or IPv6 prefix")
	case v.Prefix != v.Prefix.Masked():
		return fmt.Errorf("prefix: %s has host bits", v.Prefix)
	case int(v.MaxLen) < v.Prefix.Bits() || int(v.MaxLen) > v.Prefix.Addr().BitLen():
		return fmt.Errorf("maxLength: %d does not fit %s", v.MaxLen, v.Prefix)
	}
	return nil
}
