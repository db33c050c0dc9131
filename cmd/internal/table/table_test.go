package table

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gaissmai/bart"
)

func load(t *testing.T) []Row {
	t.Helper()
	rows, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestLoadCounts(t *testing.T) {
	var customers, ipv6, ipv6Customers int
	sizes := map[string]int{}
	for _, r := range load(t) {
		sizes[r.Account]++
		if r.Prefix.Addr().Is6() {
			ipv6++
		}
		if r.Kind == KindCustomer {
			customers++
			if r.Prefix.Addr().Is6() {
				ipv6Customers++
			}
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"customers' prefixes", customers, CustomerPrefixes},
		{"accounts", len(sizes), CustomerAccounts + 1},
		{"first-party prefixes", sizes[FirstParty], Prefixes - CustomerPrefixes},
		{"IPv6 prefixes", ipv6, 975},
		{"customers' IPv6 prefixes", ipv6Customers, 645},
		{"prefixes of the largest customer", sizes["customer-001"], 656},
		{"prefixes of the smallest customer", sizes["customer-400"], 1},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func TestLoadRowsAreValid(t *testing.T) {
	seen := new(bart.Lite)
	asn := map[string]uint32{}
	for _, r := range load(t) {
		if !eligible(r.Prefix) {
			t.Errorf("%s: not a size or a range that may be advertised", r.Prefix)
		}
		if seen.OverlapsPrefix(r.Prefix) {
			t.Errorf("%s overlaps another prefix", r.Prefix)
		}
		seen.Insert(r.Prefix)
		if (r.Kind == KindFirstParty) != (r.Account == FirstParty) {
			t.Errorf("%s: account %s is of kind %s", r.Prefix, r.Account, r.Kind)
		}
		if r.Origin != OurASN && r.Origin <= firstPrivateASN {
			t.Errorf("%s: origin %d may be somebody's", r.Prefix, r.Origin)
		}
		if known, ok := asn[r.Account]; ok && known != r.Origin {
			t.Errorf("account %s has origins %d and %d", r.Account, known, r.Origin)
		}
		asn[r.Account] = r.Origin
	}
}

func TestWriteGivesTheCommittedBytes(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, load(t)); err != nil {
		t.Fatal(err)
	}
	if out.String() != embedded {
		t.Error("reading and writing the table changes it")
	}
}

func TestReadRefuses(t *testing.T) {
	const head = "account,kind,prefix,origin-asn\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "header"},
		{"other header", "account,kind,prefix,asn\n", "header is"},
		{"too few fields", head + "a,customer,1.0.0.0/24\n", "number of fields"},
		{"other kind", head + "a,partner,1.0.0.0/24,64500\n", `line 2: kind "partner"`},
		{"no kind", head + "a,,1.0.0.0/24,64500\n", `line 2: kind ""`},
		{"host bits", head + "a,customer,1.0.0.1/24,64500\n", "line 2: prefix 1.0.0.1/24: host bits"},
		{"no prefix", head + "a,customer,,64500\n", "line 2: "},
		{"no origin", head + "a,customer,1.0.0.0/24,\n", "line 2: origin-asn"},
		{"origin too large", head + "a,customer,1.0.0.0/24,4294967296\n", "line 2: origin-asn"},
	} {
		rows, err := Read(strings.NewReader(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %d rows, error %v, want an error with %q", c.name, len(rows), err, c.want)
		}
	}
}

// syntheticTable is large enough to pick a table from, with overlaps, repeats
// and ranges that must stay out.
func syntheticTable() []netip.Prefix {
	var full []netip.Prefix
	for a := range 40 {
		for b := range 256 {
			v4 := netip.AddrFrom4([4]byte{byte(a), byte(b), 0, 0})
			v6 := netip.AddrFrom16([16]byte{0x24, byte(a), byte(b)})
			full = append(full, netip.PrefixFrom(v4, 24), netip.PrefixFrom(v4, 25), netip.PrefixFrom(v6, 32))
		}
	}
	return append(full, full[:100]...)
}

func TestBuildDependsOnInputAndSeedAlone(t *testing.T) {
	full := syntheticTable()
	want, err := Build(full, 1)
	if err != nil {
		t.Fatal(err)
	}
	shuffled := slices.Clone(full)
	rand.New(rand.NewPCG(7, 7)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	again, err := Build(shuffled, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again, want) {
		t.Error("another order of the input gives another table")
	}
	other, err := Build(full, 2)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(other, want) {
		t.Error("another seed gives the same table")
	}
	for _, r := range want {
		if !eligible(r.Prefix) {
			t.Fatalf("%s was picked", r.Prefix)
		}
	}
}

func TestBuildNeedsEnough(t *testing.T) {
	if rows, err := Build(syntheticTable()[:3000], 1); err == nil {
		t.Errorf("%d rows from too small a table, want an error", len(rows))
	}
}

func TestEligible(t *testing.T) {
	for prefix, want := range map[string]bool{
		"8.0.0.0/8": true, "8.0.0.0/7": false, "1.1.1.0/24": true, "1.1.1.0/25": false, "1.1.1.1/24": false,
		"10.1.0.0/16": false, "100.64.0.0/11": false, "192.0.0.0/8": false, "192.175.48.0/24": false, "224.0.0.0/8": false,
		"2400::/19": true, "2400::/18": false, "2400:1::/48": true, "2400:1::/49": false,
		"2001:db8::/32": false, "2001:4:112::/48": false, "2002::/24": false, "fc00::/20": false, "fe80::/32": false,
	} {
		if got := eligible(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%s eligible: %t, want %t", prefix, got, want)
		}
	}
}

func TestSizesAddUp(t *testing.T) {
	list := sizes(CustomerPrefixes, CustomerAccounts)
	total := 0
	for i, n := range list {
		total += n
		if n < 1 || i > 0 && n > list[i-1] {
			t.Errorf("rank %d has %d, after %d", i+1, n, list[max(0, i-1)])
		}
	}
	if total != CustomerPrefixes || len(list) != CustomerAccounts {
		t.Errorf("%d accounts share %d, want %d and %d", len(list), total, CustomerAccounts, CustomerPrefixes)
	}
}
