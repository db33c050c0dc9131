package policy

import (
	"fmt"
	"strconv"
	"strings"
)

// Community is a standard community (RFC 1997) in host order: ASN<<16 | value.
type Community uint32

// Well-known communities that can take reachability away (RFC 1997, RFC 7999)
// or announce a drain (RFC 8326).
const (
	GracefulShutdown Community = 0xFFFF0000
	Blackhole        Community = 0xFFFF029A
	NoExport         Community = 0xFFFFFF01
	NoAdvertise      Community = 0xFFFFFF02
)

// ParseCommunity reads "ASN:value".
func ParseCommunity(s string) (Community, error) {
	high, low, found := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	if !found || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("community %q: want ASN:value, both 0 to 65535", s)
	}
	return Community(h<<16 | l), nil
}

// String writes "ASN:value".
func (c Community) String() string { return fmt.Sprintf("%d:%d", uint32(c)>>16, uint32(c)&0xffff) }

// MarshalText writes "ASN:value".
func (c Community) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads "ASN:value".
func (c *Community) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCommunity(string(b))
	return err
}

// LargeCommunity is a large community (RFC 8092).
type LargeCommunity struct {
	Global, Local1, Local2 uint32
}

// ParseLargeCommunity reads "ASN:value:value".
func ParseLargeCommunity(s string) (LargeCommunity, error) {
	parts := strings.Split(s, ":")
	var n [3]uint32
	for i := range n {
		if len(parts) != 3 {
			return LargeCommunity{}, fmt.Errorf("large community %q: want ASN:value:value", s)
		}
		v, err := strconv.ParseUint(parts[i], 10, 32)
		if err != nil {
			return LargeCommunity{}, fmt.Errorf("large community %q: field %d is not a 32-bit number", s, i+1)
		}
		n[i] = uint32(v)
	}
	return LargeCommunity{n[0], n[1], n[2]}, nil
}

// String writes "ASN:value:value".
func (c LargeCommunity) String() string {
	return fmt.Sprintf("%d:%d:%d", c.Global, c.Local1, c.Local2)
}

// MarshalText writes "ASN:value:value".
func (c LargeCommunity) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads "ASN:value:value".
func (c *LargeCommunity) UnmarshalText(b []byte) (err error) {
	*c, err = ParseLargeCommunity(string(b))
	return err
}
