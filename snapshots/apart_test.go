package snapshots_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// One account's fault holds that account's part and nobody else's: an account
// that asks for something at the same time gets it.
func TestBuildApart(t *testing.T) {
	const accounts, routes = 10, 100
	before := synthetic.State(accounts, routes)
	active := build(t, before)
	// Of account n, by its number in the synthetic state.
	prefixOf := func(st *addressing.State, n int) *addressing.Prefix {
		i := slices.IndexFunc(st.Prefixes, func(p addressing.Prefix) bool { return p.AccountID == synthetic.AccountID(n) })
		return &st.Prefixes[i]
	}
	overlap := func(st *addressing.State, n int, cidr netip.Prefix, at time.Time) {
		p := *prefixOf(st, n)
		p.ID, p.CIDR, p.CreatedAt = fmt.Sprintf("overlap-%d", n), cidr, at
		st.Prefixes = append(st.Prefixes, p)
	}
	fresh := netip.MustParsePrefix("203.0.112.0/22")
	for _, c := range []struct {
		name  string
		spoil func(st *addressing.State)
		apart []string
	}{
		{"an origin of 0", func(st *addressing.State) { prefixOf(st, 3).ASN = 0 }, []string{synthetic.AccountID(3)}},
		{"the account's row gone", func(st *addressing.State) {
			st.Accounts = slices.DeleteFunc(st.Accounts, func(a addressing.Account) bool { return a.ID == synthetic.AccountID(3) })
		}, []string{synthetic.AccountID(3)}},
		{"a prefix gone from under its routes", func(st *addressing.State) {
			i := slices.IndexFunc(st.Prefixes, func(p addressing.Prefix) bool { return p.AccountID == synthetic.AccountID(3) })
			st.Prefixes = slices.Delete(st.Prefixes, i, i+1)
		}, []string{synthetic.AccountID(3)}},
		{"rows of nobody", func(st *addressing.State) {
			st.Bindings = append(st.Bindings, addressing.Binding{ID: "stray", PrefixID: "nowhere", CIDR: fresh})
		}, []string{""}},
		{"a prefix twice", func(st *addressing.State) { st.Prefixes = append(st.Prefixes, *prefixOf(st, 3)) }, []string{synthetic.AccountID(3)}},
		{"another's prefix claimed", func(st *addressing.State) { overlap(st, 3, prefixOf(st, 4).CIDR, time.Time{}) }, []string{synthetic.AccountID(3)}},
		{"another's claimed by its cover", func(st *addressing.State) {
			cidr := prefixOf(st, 4).CIDR
			overlap(st, 3, netip.PrefixFrom(cidr.Addr(), cidr.Bits()-1).Masked(), time.Time{})
		}, []string{synthetic.AccountID(3)}},
		{"the same new one claimed by two", func(st *addressing.State) {
			overlap(st, 4, fresh, synthetic.At)
			overlap(st, 3, fresh, synthetic.At.Add(time.Second))
		}, []string{synthetic.AccountID(3)}},
		{"by two at once", func(st *addressing.State) {
			overlap(st, 4, fresh, synthetic.At)
			overlap(st, 3, fresh, synthetic.At)
		}, []string{synthetic.AccountID(3), synthetic.AccountID(4)}},
		{"a new one in what an invalid account gave up", func(st *addressing.State) {
			cidr := prefixOf(st, 3).CIDR
			prefixOf(st, 3).ASN, prefixOf(st, 3).CIDR = 0, fresh
			for i := range st.BGPPrefixes {
				if st.BGPPrefixes[i].PrefixID == prefixOf(st, 3).ID {
					st.BGPPrefixes[i].CIDR = fresh
				}
			}
			overlap(st, 4, cidr, synthetic.At)
		}, []string{synthetic.AccountID(3), synthetic.AccountID(4)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := synthetic.State(accounts, routes)
			synthetic.Add(&st, 5000, synthetic.AccountID(7))
			c.spoil(&st)
			if _, err := snapshots.BuildOver(active, st, active.Network, synthetic.Environment, synthetic.At, snapshots.Limits{}); err == nil {
				t.Fatal("the state is valid")
			}
			next, found, err := snapshots.BuildApart(active, st, active.Network, synthetic.Environment, synthetic.At, snapshots.Limits{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, f := range found {
				names = append(names, f.Account)
				if len(f.Problems) == 0 {
					t.Errorf("account %q for no reason", f.Account)
				}
			}
			if !slices.Equal(names, c.apart) {
				t.Errorf("set apart %q, want %q: %+v", names, c.apart, found)
			}
			if got := next.RouteCount(); got != routes+1 {
				t.Errorf("%d routes, want %d and the new one", got, routes)
			}
			for n := range accounts {
				if id := synthetic.AccountID(n); n != 7 && (n != 4 || c.name != "the same new one claimed by two") && next.PartSum(id) != active.PartSum(id) {
					t.Errorf("the part of account %s changed", id)
				}
			}
			if err := snapshots.Validate(next, snapshots.Expect{Environment: synthetic.Environment}); err != nil {
				t.Errorf("what was built is not valid: %v", err)
			}
		})
	}
}

// What is nobody's fault, or too many's, is refused whole.
func TestBuildApartRefuses(t *testing.T) {
	active := build(t, synthetic.State(10, 100))
	for name, spoil := range map[string]func(*addressing.State, *snapshots.NetworkPart){
		"every account gone": func(st *addressing.State, _ *snapshots.NetworkPart) { st.Accounts = nil },
		"every prefix gone":  func(st *addressing.State, _ *snapshots.NetworkPart) { st.Prefixes = nil },
		"half of them bad": func(st *addressing.State, _ *snapshots.NetworkPart) {
			for i := range st.Prefixes {
				if st.Prefixes[i].AccountID < synthetic.AccountID(5) {
					st.Prefixes[i].ASN = 0
				}
			}
		},
		"our own number": func(_ *addressing.State, n *snapshots.NetworkPart) { n.ASN = 0 },
	} {
		st, network := synthetic.State(10, 100), active.Network
		spoil(&st, &network)
		if s, found, err := snapshots.BuildApart(active, st, network, synthetic.Environment, synthetic.At, snapshots.Limits{}, nil); err == nil {
			t.Errorf("%s: %d routes, %d set apart", name, s.RouteCount(), len(found))
		}
	}
}
