package addressing_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

var (
	goodPrefixes = []string{"8.0.0.0/8", "11.0.0.0/22", "11.0.0.0/24", "0.0.0.0/8", "2a00::/19", "2a00::/32", "2a00:0:1::/48"}
	badPrefixes  = map[string]string{
		"":                     "not in CIDR",
		"11.0.0.0":             "not in CIDR",
		"11.0.0.0/":            "not in CIDR",
		"11.0.0.0/024":         "not in CIDR",
		"11.0.0.0/+8":          "not in CIDR",
		"011.0.0.0/24":         "not in CIDR",
		" 11.0.0.0/24":         "not in CIDR",
		"11.0.0.0/24 ":         "not in CIDR",
		"11.0.0.0/24/24":       "not in CIDR",
		"11.0.0.0/33":          "not in CIDR",
		"fe80::%eth0/32":       "not in CIDR",
		"11.0.0.1/24":          "did you mean 11.0.0.0/24",
		"2a00::1/32":           "did you mean 2a00::/32",
		"::ffff:11.0.0.0/120":  "IPv4-mapped",
		"0.0.0.0/0":            "outside /8 to /24",
		"8.0.0.0/7":            "outside /8 to /24",
		"11.0.0.0/25":          "outside /8 to /24",
		"::/0":                 "outside /19 to /48",
		"2a00::/18":            "outside /19 to /48",
		"2a00::/49":            "outside /19 to /48",
		"2a00:0:0:0:0:0:0:0/1": "host bits",
	}
)

func TestParsePrefix(t *testing.T) {
	for _, s := range goodPrefixes {
		if p, err := addressing.ParsePrefix(s); err != nil || p.String() != s {
			t.Errorf("%s: %s, %v", s, p, err)
		}
	}
	for s, why := range badPrefixes {
		if p, err := addressing.ParsePrefix(s); err == nil || !strings.Contains(err.Error(), why) || p.IsValid() {
			t.Errorf("%q: %s, %v; want an error that says %q", s, p, err, why)
		}
	}
}

// FuzzParsePrefix: what is taken is written the same way again, has no host
// bits and a size that can be held, and belongs to one family.
func FuzzParsePrefix(f *testing.F) {
	for _, s := range goodPrefixes {
		f.Add(s)
	}
	for s := range badPrefixes {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := addressing.ParsePrefix(s)
		if err != nil {
			if p.IsValid() {
				t.Errorf("%q: refused, but %s came back", s, p)
			}
			return
		}
		again, err := addressing.ParsePrefix(p.String())
		if err != nil || again != p || p != p.Masked() || addressing.CheckPrefix(p) != nil || addressing.FamilyOf(p) == 0 {
			t.Errorf("%q: %s, again %s, %v", s, p, again, err)
		}
		_ = addressing.CheckGlobal(p) // must not panic
	})
}

func TestCheckGlobal(t *testing.T) {
	for _, s := range []string{"1.1.1.0/24", "8.8.8.0/24", "11.0.0.0/8", "100.63.0.0/16", "100.128.0.0/16", "172.15.0.0/16", "172.32.0.0/16", "192.0.1.0/24",
		"198.20.0.0/16", "223.255.255.0/24", "2001:200::/32", "2001:4860::/32", "2606:4700::/32", "2a00::/19", "3ffe::/32"} {
		if err := addressing.CheckGlobal(pfx(s)); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []string{"0.0.0.0/8", "10.0.0.0/8", "10.255.255.0/24", "100.64.0.0/10", "100.127.255.0/24", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"172.31.255.0/24", "192.0.0.0/24", "192.0.2.0/24", "192.0.0.0/16", "192.88.99.0/24", "192.168.7.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/8", "239.1.1.0/24", "240.0.0.0/8", "255.255.255.0/24", "::/19", "64:ff9b::/48", "100::/48", "2001::/32", "2001:db8::/32", "2001:db8:7::/48",
		"2002::/19", "3fff::/20", "4000::/19", "5f00::/32", "fc00::/19", "fd12:3456::/32", "fe80::/32", "ff00::/19"} {
		if err := addressing.CheckGlobal(pfx(s)); err == nil {
			t.Errorf("%s passed", s)
		}
	}
}

func TestComparePrefix(t *testing.T) {
	want := []string{"11.0.0.0/8", "11.0.0.0/22", "11.0.1.0/24", "12.0.0.0/8", "::/19", "2a00::/32"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int { return addressing.ComparePrefix(pfx(a), pfx(b)) })
	if !slices.Equal(got, want) {
		t.Errorf("sorted %v", got)
	}
}
