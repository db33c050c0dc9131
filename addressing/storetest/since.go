package storetest

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Follower keeps a copy of desired state by Since alone.
type Follower struct {
	State addressing.State
	at    addressing.Revision
}

// Follow reads what has changed, and checks that the copy is what State says.
func (f *Follower) Follow(t *testing.T, s addressing.Store, also ...string) addressing.Delta {
	t.Helper()
	d, err := s.Since(t.Context(), f.at, also)
	if err != nil {
		t.Fatal(err)
	}
	if f.at = d.Revision; d.Whole {
		f.State = d.State
	} else {
		f.merge(d)
	}
	want, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(want, f.State, cmpopts.EquateComparable(netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was followed is not the state (-state +followed):\n%s", diff)
	}
	return d
}

func (f *Follower) merge(d addressing.Delta) {
	changed := func(account string) bool { return account == "" || slices.Contains(d.Accounts, account) }
	gone := map[string]bool{} // prefixes
	for _, p := range f.State.Prefixes {
		gone[p.ID] = changed(p.AccountID)
	}
	was, is := f.State, d.State
	f.State = addressing.State{
		Version: is.Version, Services: is.Services,
		Accounts: join(was.Accounts, is.Accounts, func(a addressing.Account) bool { return changed(a.ID) },
			func(a, b addressing.Account) int { return cmp.Compare(a.ID, b.ID) }),
		Prefixes: join(was.Prefixes, is.Prefixes, func(p addressing.Prefix) bool { return changed(p.AccountID) },
			func(a, b addressing.Prefix) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) }),
		BGPPrefixes: join(was.BGPPrefixes, is.BGPPrefixes, func(b addressing.BGPPrefix) bool { return gone[b.PrefixID] },
			func(a, b addressing.BGPPrefix) int {
				return cmp.Or(cmp.Compare(a.PrefixID, b.PrefixID), addressing.ComparePrefix(a.CIDR, b.CIDR))
			}),
		Bindings: join(was.Bindings, is.Bindings, func(b addressing.Binding) bool { return gone[b.PrefixID] },
			func(a, b addressing.Binding) int {
				return cmp.Or(cmp.Compare(a.PrefixID, b.PrefixID), addressing.ComparePrefix(a.CIDR, b.CIDR))
			}),
		Negative: join(was.Negative, is.Negative, func(n addressing.NegativeIntent) bool { return changed(n.AccountID) },
			func(a, b addressing.NegativeIntent) int { return cmp.Compare(a.ID, b.ID) }),
	}
}

func join[T any](was, is []T, gone func(T) bool, order func(a, b T) int) []T {
	out := append(slices.DeleteFunc(slices.Clone(was), gone), is...)
	slices.SortFunc(out, order)
	return out
}

// since: who follows what has changed has what State says, after every kind of
// write, and reads no more than the accounts that changed.
func since(t *testing.T, s addressing.Store) {
	var f Follower
	if d := f.Follow(t, s); !d.Whole {
		t.Error("the first read is not whole")
	}
	update(t, s, world)
	f.Follow(t, s)
	if d := f.Follow(t, s); d.Whole || len(d.Accounts) > 0 || len(d.State.Prefixes) > 0 || len(d.State.Services) != 1 {
		t.Errorf("nothing has changed, yet: %+v", d)
	}
	if d := f.Follow(t, s, ID(2)); d.Whole || !slices.Equal(d.Accounts, []string{ID(2)}) || len(d.State.Prefixes) != 1 {
		t.Errorf("account 2 was asked for: %+v", d)
	}
	version := int64(1)
	saved := func(p addressing.Prefix, change func(*addressing.Prefix)) func(addressing.Tx) error {
		version++
		p.Version = version
		change(&p)
		return func(tx addressing.Tx) error { return tx.SavePrefix(p) }
	}
	route := BGPPrefix(11, ID(10), "11.0.0.0/22")
	route.Advertised, route.Version = true, 2
	drain := addressing.NegativeIntent{ID: ID(40), Site: "ams", Kind: addressing.IntentDrain, Author: "a", CreatedAt: Epoch}
	renamed := Account(1)
	renamed.Name, renamed.Version = "another", 2
	for _, step := range []struct {
		name     string
		write    func(addressing.Tx) error
		accounts []string
	}{
		{"a prefix", saved(Prefix(10, ID(1), "11.0.0.0/22"), func(p *addressing.Prefix) { p.ASN++ }), []string{ID(1)}},
		{"a route", func(tx addressing.Tx) error { return tx.SaveBGPPrefix(route) }, []string{ID(1)}},
		{"a new binding", func(tx addressing.Tx) error { return tx.InsertBinding(Binding(14, ID(20), "2a00::/48", ID(3))) }, []string{ID(2)}},
		{"a binding less", func(tx addressing.Tx) error { return tx.DeleteBinding(ID(14)) }, []string{ID(2)}},
		{"a negative intent less", func(tx addressing.Tx) error { return tx.DeleteIntent(ID(13)) }, []string{ID(1)}},
		{"a drain", func(tx addressing.Tx) error { return tx.InsertIntent(drain) }, nil},
		{"a drain less", func(tx addressing.Tx) error { return tx.DeleteIntent(ID(40)) }, nil},
		{"an account's name", func(tx addressing.Tx) error { return tx.SaveAccount(renamed) }, []string{ID(1)}},
		{"a new account", func(tx addressing.Tx) error { return tx.SaveAccount(Account(5)) }, []string{ID(5)}},
		{"a service", func(tx addressing.Tx) error { return tx.SaveService(Service(6)) }, nil},
		{"both accounts", func(tx addressing.Tx) error {
			return errors.Join(tx.InsertIntent(Intent(31, ID(1), "11.0.0.0/24")), tx.InsertIntent(Intent(32, ID(2), "2a00::/48")))
		}, []string{ID(1), ID(2)}},
		{"a tombstone", saved(Prefix(10, ID(1), "11.0.0.0/22"), func(p *addressing.Prefix) { p.State = addressing.Tombstone }), []string{ID(1)}},
		{"a prefix less", func(tx addressing.Tx) error {
			return errors.Join(tx.DeleteBinding(ID(22)), tx.DeleteBGPPrefix(ID(21), 1), tx.DeletePrefix(ID(20), 1))
		}, []string{ID(2)}},
	} {
		update(t, s, step.write)
		if d := f.Follow(t, s); d.Whole || !slices.Equal(d.Accounts, step.accounts) {
			t.Errorf("%s: whole %v, accounts %v; want %v", step.name, d.Whole, d.Accounts, step.accounts)
		}
	}
	boom := errors.New("refused")
	if err := s.Update(t.Context(), func(tx addressing.Tx) error { return errors.Join(tx.SaveAccount(Account(7)), boom) }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if d := f.Follow(t, s); len(d.Accounts) > 0 {
		t.Errorf("what was not stored changed %v", d.Accounts)
	}
}
