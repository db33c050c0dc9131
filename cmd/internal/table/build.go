package table

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// ipv6Share of the table is IPv6, close to the share that a full table has.
const ipv6Share = 0.15

// Sizes that the addressing API takes.
const (
	minBitsIPv4, maxBitsIPv4 = 8, 24
	minBitsIPv6, maxBitsIPv6 = 19, 48
)

// special holds what is not ordinary unicast address space: the IANA
// special-purpose registries (RFC 6890), multicast and the 6to4 and Teredo
// ranges. A prefix that overlaps any of it stays out, and so does IPv6 outside
// of 2000::/3.
var special = mustTable(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
	"192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24",
	"192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
	"224.0.0.0/3",
	"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
)

var globalUnicast6 = netip.MustParsePrefix("2000::/3")

func mustTable(prefixes ...string) *bart.Lite {
	t := new(bart.Lite)
	for _, p := range prefixes {
		t.Insert(netip.MustParsePrefix(p))
	}
	return t
}

// eligible reports whether a prefix may be in the table.
func eligible(p netip.Prefix) bool {
	low, high := minBitsIPv4, maxBitsIPv4
	if p.Addr().Is6() {
		low, high = minBitsIPv6, maxBitsIPv6
		if !globalUnicast6.Contains(p.Addr()) {
			return false
		}
	}
	return p == p.Masked() && p.Bits() >= low && p.Bits() <= high && !special.OverlapsPrefix(p)
}

// Build picks a table from a full one. The same input, in any order, and the
// same seed give the same table. No two prefixes of it overlap.
func Build(full []netip.Prefix, seed uint64) ([]Row, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	candidates := slices.Clone(full)
	slices.SortFunc(candidates, netip.Prefix.Compare)
	candidates = slices.Compact(candidates)
	random.Shuffle(len(candidates), func(i, j int) {
		candidates[i], candidates[j] = candidates[j], candidates[i]
	})
	picked, err := pick(candidates)
	if err != nil {
		return nil, err
	}
	rows := assign(picked)
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), a.Prefix.Compare(b.Prefix))
	})
	return rows, nil
}

// pick takes the first eligible candidates of each family that overlap none
// taken before, and mixes the families so that any run of them holds both.
func pick(candidates []netip.Prefix) ([]netip.Prefix, error) {
	want6 := int(math.Round(Prefixes * ipv6Share))
	want4 := Prefixes - want6
	var v4, v6 []netip.Prefix
	taken := new(bart.Lite)
	for _, p := range candidates {
		list, want := &v4, want4
		if p.Addr().Is6() {
			list, want = &v6, want6
		}
		if len(*list) == want || !eligible(p) || taken.OverlapsPrefix(p) {
			continue
		}
		taken.Insert(p)
		*list = append(*list, p)
	}
	if len(v4) < want4 || len(v6) < want6 {
		return nil, fmt.Errorf("table: only %d IPv4 and %d IPv6 prefixes fit, want %d and %d", len(v4), len(v6), want4, want6)
	}
	mixed := make([]netip.Prefix, 0, Prefixes)
	for i := range Prefixes {
		// IPv6 at each place where its share passes a whole number.
		if (i+1)*want6/Prefixes > i*want6/Prefixes {
			mixed, v6 = append(mixed, v6[0]), v6[1:]
		} else {
			mixed, v4 = append(mixed, v4[0]), v4[1:]
		}
	}
	return mixed, nil
}

// assign gives the first CustomerPrefixes to customers, the rest to us. Every
// other customer has an AS number of its own.
func assign(prefixes []netip.Prefix) []Row {
	rows := make([]Row, 0, len(prefixes))
	for i, size := range sizes(CustomerPrefixes, CustomerAccounts) {
		rank := i + 1
		origin := uint32(OurASN)
		if rank%2 == 0 {
			origin = firstPrivateASN + uint32(rank)
		}
		for range size {
			row := Row{Account: fmt.Sprintf("customer-%03d", rank), Kind: KindCustomer, Prefix: prefixes[len(rows)], Origin: origin}
			rows = append(rows, row)
		}
	}
	for _, p := range prefixes[len(rows):] {
		rows = append(rows, Row{Account: FirstParty, Kind: KindFirstParty, Prefix: p, Origin: OurASN})
	}
	return rows
}

// firstPrivateASN is the first private 4-octet AS number (RFC 6996).
const firstPrivateASN = 4200000000

// sizes shares total among n accounts by Zipf's law: the account of rank r has
// a part of 1/r, and at least one. What rounding leaves goes to the largest.
func sizes(total, n int) []int {
	var harmonic float64
	for r := 1; r <= n; r++ {
		harmonic += 1 / float64(r)
	}
	list := make([]int, n)
	left := total
	for i := range list {
		list[i] = max(1, int(float64(total)/harmonic/float64(i+1)))
		left -= list[i]
	}
	for i := 0; left > 0; i = (i + 1) % n {
		list[i]++
		left--
	}
	return list
}
