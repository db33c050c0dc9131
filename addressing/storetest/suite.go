package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Epoch is when everything in the suite happens.
var Epoch = time.Date(2026, 2, 20, 17, 46, 0, 123456789, time.UTC)

// ID makes a readable id of the right form.
func ID(n int) string { return fmt.Sprintf("%032x", n) }

// Run checks that stores keep the contract of addressing.Store. open gives a
// new, empty store each time; the suite closes it.
func Run(t *testing.T, open func(*testing.T) addressing.Store) {
	tests := map[string]func(*testing.T, addressing.Store){
		"round trip":                 roundTrip,
		"missing objects":            missing,
		"compare and set":            compareAndSet,
		"unique":                     unique,
		"references":                 references,
		"failed update stores nil":   rollback,
		"panic stores nothing":       panicking,
		"neighbours keep theirs":     isolation,
		"scopes":                     scopes,
		"overlaps":                   overlaps,
		"reads are consistent":       consistent,
		"concurrent updates":         concurrent,
		"audit is append-only":       audit,
		"state":                      state,
		"what changed since":         since,
		"ended context":              ended,
		"closed":                     closed,
		"token use moves no version": touch,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			test(t, s)
		})
	}
}

func update(t *testing.T, s addressing.Store, fn func(addressing.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatalf("update: %v", err)
	}
}

func view(t *testing.T, s addressing.Store, fn func(addressing.ReadTx) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("view: %v", err)
	}
}

func wantCode(t *testing.T, err error, want addressing.Code) {
	t.Helper()
	if got := addressing.CodeOf(err); got != want {
		t.Errorf("code %q, want %q (error: %v)", got, want, err)
	}
}

// Account is a valid account.
func Account(n int) addressing.Account {
	return addressing.Account{ID: ID(n), Name: fmt.Sprintf("account %d", n), Kind: addressing.Customer, CreatedAt: Epoch, Version: 1}
}

// Service is a valid service.
func Service(n int) addressing.Service {
	return addressing.Service{ID: ID(n), Name: fmt.Sprintf("service %d", n), MinSites: 2, CreatedAt: Epoch, Version: 1}
}

// Prefix is a valid approved prefix.
func Prefix(n int, account, cidr string) addressing.Prefix {
	return addressing.Prefix{ID: ID(n), AccountID: account, CIDR: netip.MustParsePrefix(cidr), ASN: 64500, State: addressing.Approved,
		Control: addressing.ControlAPI, OnDemandEnabled: true, IRR: addressing.ValidationValid, RPKI: addressing.ValidationMissing,
		Ownership: addressing.ValidationPending, OwnershipToken: ID(n), CreatedAt: Epoch, ModifiedAt: Epoch.Add(time.Nanosecond), Version: 1}
}

// BGPPrefix is a valid route of a prefix.
func BGPPrefix(n int, prefix, cidr string) addressing.BGPPrefix {
	return addressing.BGPPrefix{ID: ID(n), PrefixID: prefix, CIDR: netip.MustParsePrefix(cidr), Resting: addressing.RestingAdvertised,
		Sites: addressing.AllSites(), CreatedAt: Epoch, ModifiedAt: Epoch, Version: 1}
}

// Binding is a valid binding.
func Binding(n int, prefix, cidr, service string) addressing.Binding {
	return addressing.Binding{ID: ID(n), PrefixID: prefix, CIDR: netip.MustParsePrefix(cidr), ServiceID: service, Active: true, CreatedAt: Epoch}
}

// Intent is a valid negative intent.
func Intent(n int, account, cidr string) addressing.NegativeIntent {
	return addressing.NegativeIntent{ID: ID(n), AccountID: account, CIDR: netip.MustParsePrefix(cidr), Kind: addressing.IntentBlock,
		Author: "operator/uid:0", Reason: "abuse", CreatedAt: Epoch}
}

// world is a little of everything: accounts 1 and 2, service 3, prefixes 10
// (account 1) and 20 (account 2) with a route and a binding each.
func world(tx addressing.Tx) error {
	return errors.Join(
		tx.SaveAccount(Account(1)), tx.SaveAccount(Account(2)), tx.SaveService(Service(3)),
		tx.SavePrefix(Prefix(10, ID(1), "11.0.0.0/22")), tx.SavePrefix(Prefix(20, ID(2), "2a00::/32")),
		tx.SaveBGPPrefix(BGPPrefix(11, ID(10), "11.0.0.0/22")), tx.SaveBGPPrefix(BGPPrefix(21, ID(20), "2a00::/32")),
		tx.InsertBinding(Binding(12, ID(10), "11.0.0.0/22", ID(3))), tx.InsertBinding(Binding(22, ID(20), "2a00::/32", ID(3))),
		tx.InsertIntent(Intent(13, ID(1), "11.0.0.0/22")), tx.InsertIntent(Intent(23, ID(2), "2a00::/32")),
	)
}

func roundTrip(t *testing.T, s addressing.Store) {
	text, later, loa := "ünïcode\tand tabs", Epoch.Add(time.Hour), ID(77)
	p := Prefix(10, ID(1), "11.0.0.0/22")
	p.Description, p.LOADocumentID, p.AcceptedRisks, p.DelegateLOACreation = &text, &loa, []string{"other", "unverified"}, true
	p.State, p.DeleteAfter, p.OnDemandLocked, p.Control = addressing.PendingDelete, &later, true, addressing.ControlBGP
	b := BGPPrefix(11, ID(10), "11.0.1.0/24")
	b.Prepend, b.Advertised, b.AdvertisedModifiedAt, b.AutoAdvertiseWithdraw, b.DownAt = 3, true, &later, true, &later
	b.Resting, b.Sites = addressing.RestingWithdrawn, addressing.Sites{Names: []string{"ams", "fra"}}
	k := addressing.TokenRecord{ID: ID(14), AccountID: ID(1), Name: "ci", Role: addressing.RoleAdmin, Hash: addressing.HashToken("x"), Suffix: "abcd",
		CIDRs: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}, CreatedAt: Epoch, ExpiresAt: &later, RevokedAt: &later,
		LastUsedAt: &later, Replaces: ID(9), CreatedBy: "operator/uid:0", Version: 1}
	global := addressing.TokenRecord{ID: ID(15), Role: addressing.RoleOperator, Hash: addressing.HashToken("y"), CreatedAt: Epoch, Version: 1}
	site := addressing.NegativeIntent{ID: ID(16), Site: "ams", Kind: addressing.IntentDrain, Author: "operator/uid:0", CreatedAt: Epoch, ExpiresAt: &later}
	drain := addressing.NegativeIntent{ID: ID(18), Neighbor: "r1", Kind: addressing.IntentDrain, Author: "operator/uid:0", CreatedAt: Epoch, DownAt: &later, Shutdown: true}
	g := addressing.Delegation{ID: ID(17), PrefixID: ID(10), CIDR: netip.MustParsePrefix("11.0.0.0/24"), DelegatedAccountID: ID(99), CreatedAt: Epoch, ModifiedAt: later, Version: 1}
	bind := Binding(12, ID(10), "11.0.0.0/22", ID(3))
	update(t, s, func(tx addressing.Tx) error {
		return errors.Join(tx.SaveAccount(Account(1)), tx.SaveService(Service(3)), tx.SavePrefix(p), tx.SaveBGPPrefix(b), tx.InsertBinding(bind),
			tx.SaveToken(k), tx.SaveToken(global), tx.InsertIntent(site), tx.InsertIntent(drain), tx.SaveDelegation(g))
	})
	view(t, s, func(tx addressing.ReadTx) error {
		return errors.Join(
			same(t, Account(1))(tx.Account(ID(1))), same(t, Service(3))(tx.Service(ID(3))), same(t, p)(tx.Prefix(ID(10))), same(t, b)(tx.BGPPrefix(ID(11))),
			same(t, bind)(tx.Binding(ID(12))), same(t, k)(tx.Token(ID(14))), same(t, k)(tx.TokenByHash(addressing.HashToken("x"))), same(t, global)(tx.Token(ID(15))),
			same(t, site)(tx.Intent(ID(16))), same(t, drain)(tx.Intent(ID(18))), same(t, g)(tx.Delegation(ID(17))),
			same(t, []addressing.Delegation{g})(tx.DelegationsOf(ID(10))), same(t, []addressing.Binding{bind})(tx.BindingsOf(ID(10))),
			same(t, []addressing.BGPPrefix{b})(tx.BGPPrefixesOf(ID(10))), same(t, []addressing.BGPPrefix{b})(tx.BGPPrefixesAt(b.CIDR)),
		)
	})
}

func same[T any](t *testing.T, want T) func(T, error) error {
	t.Helper()
	return func(got T, err error) error {
		t.Helper()
		if err != nil {
			return err
		}
		if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{}, addressing.Scope{})); d != "" {
			t.Errorf("read back (-want +got):\n%s", d)
		}
		return nil
	}
}

func missing(t *testing.T, s addressing.Store) {
	err := s.View(t.Context(), func(tx addressing.ReadTx) error {
		finders := map[string]func() error{
			"account":       func() error { _, err := tx.Account(ID(1)); return err },
			"service":       func() error { _, err := tx.Service(ID(1)); return err },
			"prefix":        func() error { _, err := tx.Prefix(ID(1)); return err },
			"BGP prefix":    func() error { _, err := tx.BGPPrefix(ID(1)); return err },
			"binding":       func() error { _, err := tx.Binding(ID(1)); return err },
			"intent":        func() error { _, err := tx.Intent(ID(1)); return err },
			"token":         func() error { _, err := tx.Token(ID(1)); return err },
			"token by hash": func() error { _, err := tx.TokenByHash(ID(1)); return err },
			"delegation":    func() error { _, err := tx.Delegation(ID(1)); return err },
			"change":        func() error { _, err := tx.AuditOf(ID(1)); return err },
		}
		for name, find := range finders {
			if got := addressing.CodeOf(find()); got != addressing.CodeNotFound {
				t.Errorf("%s: code %q, want not_found", name, got)
			}
		}
		head, err := tx.AuditHead()
		if err != nil || head.Seq != 0 {
			t.Errorf("audit head of an empty store: %d, %v", head.Seq, err)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, remove := range map[string]func(addressing.Tx) error{
		"prefix":     func(tx addressing.Tx) error { return tx.DeletePrefix(ID(1), 1) },
		"BGP prefix": func(tx addressing.Tx) error { return tx.DeleteBGPPrefix(ID(1), 1) },
		"binding":    func(tx addressing.Tx) error { return tx.DeleteBinding(ID(1)) },
		"intent":     func(tx addressing.Tx) error { return tx.DeleteIntent(ID(1)) },
		"delegation": func(tx addressing.Tx) error { return tx.DeleteDelegation(ID(1), 1) },
		"update": func(tx addressing.Tx) error {
			a := Account(1)
			a.Version = 2
			return tx.SaveAccount(a)
		},
	} {
		if got := addressing.CodeOf(s.Update(t.Context(), remove)); got != addressing.CodeNotFound {
			t.Errorf("delete %s: code %q, want not_found", name, got)
		}
	}
}

func compareAndSet(t *testing.T, s addressing.Store) {
	update(t, s, world)
	p, b := Prefix(10, ID(1), "11.0.0.0/22"), BGPPrefix(11, ID(10), "11.0.0.0/22")
	p.Version, b.Version = 2, 2
	update(t, s, func(tx addressing.Tx) error { return errors.Join(tx.SavePrefix(p), tx.SaveBGPPrefix(b)) })
	for name, stale := range map[string]func(addressing.Tx) error{
		"save prefix":       func(tx addressing.Tx) error { return tx.SavePrefix(p) },
		"save BGP prefix":   func(tx addressing.Tx) error { return tx.SaveBGPPrefix(b) },
		"delete prefix":     func(tx addressing.Tx) error { return tx.DeletePrefix(p.ID, 1) },
		"delete BGP prefix": func(tx addressing.Tx) error { return tx.DeleteBGPPrefix(b.ID, 1) },
		"skip a version": func(tx addressing.Tx) error {
			a := Account(1)
			a.Version = 3
			return tx.SaveAccount(a)
		},
	} {
		err := s.Update(t.Context(), stale)
		if got := addressing.CodeOf(err); got != addressing.CodePrecondition {
			t.Errorf("%s: code %q, want precondition (%v)", name, got, err)
		}
	}
}

func unique(t *testing.T, s addressing.Store) {
	update(t, s, world)
	for name, again := range map[string]func(addressing.Tx) error{
		"account id": func(tx addressing.Tx) error { a := Account(1); a.Name = "new"; return tx.SaveAccount(a) },
		"account name": func(tx addressing.Tx) error {
			a := Account(9)
			a.Name = Account(1).Name
			return tx.SaveAccount(a)
		},
		"service name": func(tx addressing.Tx) error {
			v := Service(9)
			v.Name = Service(3).Name
			return tx.SaveService(v)
		},
		"live CIDR":  func(tx addressing.Tx) error { return tx.SavePrefix(Prefix(99, ID(1), "11.0.0.0/22")) },
		"route":      func(tx addressing.Tx) error { return tx.SaveBGPPrefix(BGPPrefix(99, ID(10), "11.0.0.0/22")) },
		"bound CIDR": func(tx addressing.Tx) error { return tx.InsertBinding(Binding(99, ID(10), "11.0.0.0/22", ID(3))) },
	} {
		err := s.Update(t.Context(), again)
		if got := addressing.CodeOf(err); got != addressing.CodeConflict {
			t.Errorf("%s: code %q, want conflict (%v)", name, got, err)
		}
	}
	// A tombstone does not hold its CIDR.
	p := Prefix(10, ID(1), "11.0.0.0/22")
	p.State, p.Version = addressing.Tombstone, 2
	update(t, s, func(tx addressing.Tx) error {
		return errors.Join(tx.SavePrefix(p), tx.SavePrefix(Prefix(98, ID(1), "11.0.0.0/22")))
	})
}

func references(t *testing.T, s addressing.Store) {
	update(t, s, world)
	for name, dangling := range map[string]func(addressing.Tx) error{
		"prefix of nobody":        func(tx addressing.Tx) error { return tx.SavePrefix(Prefix(99, ID(98), "12.0.0.0/22")) },
		"route of nothing":        func(tx addressing.Tx) error { return tx.SaveBGPPrefix(BGPPrefix(99, ID(98), "12.0.0.0/22")) },
		"binding of nothing":      func(tx addressing.Tx) error { return tx.InsertBinding(Binding(99, ID(98), "12.0.0.0/22", ID(3))) },
		"binding to nothing":      func(tx addressing.Tx) error { return tx.InsertBinding(Binding(99, ID(10), "11.0.1.0/24", ID(98))) },
		"delete prefix with more": func(tx addressing.Tx) error { return tx.DeletePrefix(ID(10), 1) },
	} {
		err := s.Update(t.Context(), dangling)
		if got := addressing.CodeOf(err); got != addressing.CodeConflict {
			t.Errorf("%s: code %q, want conflict (%v)", name, got, err)
		}
	}
}

func rollback(t *testing.T, s addressing.Store) {
	before, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	boom := errors.New("refused at the end")
	err = s.Update(t.Context(), func(tx addressing.Tx) error { return errors.Join(world(tx), boom) })
	if !errors.Is(err, boom) {
		t.Errorf("update returned %v, want the error of its function", err)
	}
	unchanged(t, s, before)
	// An error about the data, swallowed by the function, must not keep half.
	err = s.Update(t.Context(), func(tx addressing.Tx) error {
		_ = tx.SaveAccount(Account(5))
		_ = tx.SaveAccount(Account(5))
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("update returned %v", err)
	}
	unchanged(t, s, before)
}

func unchanged(t *testing.T, s addressing.Store, want addressing.State) {
	t.Helper()
	got, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Prefix{})); d != "" {
		t.Errorf("state changed (-before +after):\n%s", d)
	}
}

func panicking(t *testing.T, s addressing.Store) {
	err := s.Update(t.Context(), func(tx addressing.Tx) error {
		_ = tx.SaveAccount(Account(1))
		panic("a bug")
	})
	wantCode(t, err, addressing.CodeInternal)
	update(t, s, func(tx addressing.Tx) error { return tx.SaveAccount(Account(1)) })
}

// isolation: of updates at the same time, the failing ones take nothing of
// the others with them, however the store batches them.
func isolation(t *testing.T, s addressing.Store) {
	var wg sync.WaitGroup
	boom := errors.New("no")
	const n = 200
	for i := range n {
		wg.Go(func() {
			err := s.Update(context.Background(), func(tx addressing.Tx) error {
				if err := tx.SaveAccount(Account(1000 + i)); err != nil {
					return err
				}
				if i%3 == 0 {
					return boom
				}
				return nil
			})
			if (i%3 == 0) != errors.Is(err, boom) {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	st, err := s.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := n - (n+2)/3; len(st.Accounts) != want {
		t.Errorf("%d accounts, want %d", len(st.Accounts), want)
	}
}

func scopes(t *testing.T, s addressing.Store) {
	update(t, s, world)
	k := addressing.TokenRecord{ID: ID(15), Role: addressing.RoleOperator, Hash: addressing.HashToken("y"), CreatedAt: Epoch, Version: 1}
	update(t, s, func(tx addressing.Tx) error { return tx.SaveToken(k) })
	for _, c := range []struct {
		scope addressing.Scope
		want  int // of each kind but tokens
		token int
	}{{addressing.Scope{}, 0, 0}, {addressing.OneAccount(""), 0, 0}, {addressing.OneAccount(ID(1)), 1, 0}, {addressing.OneAccount(ID(9)), 0, 0}, {addressing.EveryAccount(), 2, 1}} {
		view(t, s, func(tx addressing.ReadTx) error {
			a, e1 := tx.Accounts(c.scope)
			p, e2 := tx.Prefixes(c.scope)
			g, e3 := tx.BGPPrefixes(c.scope)
			b, e4 := tx.Bindings(c.scope)
			n, e5 := tx.Intents(c.scope)
			k, e6 := tx.Tokens(c.scope)
			got := [6]int{len(a), len(p), len(g), len(b), len(n), len(k)}
			if want := [6]int{c.want, c.want, c.want, c.want, c.want, c.token}; got != want {
				t.Errorf("scope %s: %v objects, want %v", c.scope, got, want)
			}
			for _, x := range p {
				if !c.scope.Includes(x.AccountID) {
					t.Errorf("scope %s shows a prefix of %s", c.scope, x.AccountID)
				}
			}
			return errors.Join(e1, e2, e3, e4, e5, e6)
		})
	}
}

func overlaps(t *testing.T, s addressing.Store) {
	all := []string{"11.0.0.0/8", "11.0.0.0/22", "11.0.0.0/24", "11.0.1.0/24", "11.0.3.0/24", "11.0.4.0/24", "10.255.255.0/24", "12.0.0.0/8",
		"2a00::/19", "2a00::/32", "2a00:0:1::/48", "2a00:1::/32", "::/19"}
	update(t, s, func(tx addressing.Tx) error {
		if err := tx.SaveAccount(Account(1)); err != nil {
			return err
		}
		for i, c := range all {
			if err := errors.Join(tx.SavePrefix(Prefix(100+i, ID(1), c)), tx.InsertIntent(Intent(200+i, ID(1), c))); err != nil {
				return err
			}
		}
		return nil
	})
	for _, ask := range append(all, "11.0.2.0/23", "11.0.0.0/16", "13.0.0.0/8", "2a00::/48", "2b00::/32", "0.0.0.0/0", "::/0") {
		p := netip.MustParsePrefix(ask)
		want := map[string]bool{}
		for _, c := range all {
			if netip.MustParsePrefix(c).Overlaps(p) {
				want[c] = true
			}
		}
		view(t, s, func(tx addressing.ReadTx) error {
			prefixes, err := tx.Overlapping(p)
			if err != nil {
				return err
			}
			intents, err := tx.IntentsOver(p)
			got, down := map[string]bool{}, map[string]bool{}
			for _, x := range prefixes {
				got[x.CIDR.String()] = true
			}
			for _, x := range intents {
				down[x.CIDR.String()] = true
			}
			if !cmp.Equal(want, got) || len(prefixes) != len(want) {
				t.Errorf("overlapping %s: %v, want %v", ask, got, want)
			}
			if !cmp.Equal(want, down) || len(intents) != len(want) {
				t.Errorf("intents over %s: %v, want %v", ask, down, want)
			}
			return err
		})
	}
}

// consistent: a read sees one moment, whatever is written meanwhile.
func consistent(t *testing.T, s addressing.Store) {
	view(t, s, func(tx addressing.ReadTx) error {
		before, err := tx.Accounts(addressing.EveryAccount())
		if err != nil {
			return err
		}
		update(t, s, world)
		after, err := tx.Accounts(addressing.EveryAccount())
		if len(before) != 0 || len(after) != 0 {
			t.Errorf("a read saw %d accounts, then %d", len(before), len(after))
		}
		return err
	})
}

// concurrent: every update is seen by the next, none is lost.
func concurrent(t *testing.T, s addressing.Store) {
	update(t, s, func(tx addressing.Tx) error { return tx.SaveAccount(Account(1)) })
	var wg sync.WaitGroup
	const writers, each = 20, 10
	for range writers {
		wg.Go(func() {
			for range each {
				err := s.Update(context.Background(), func(tx addressing.Tx) error {
					a, err := tx.Account(ID(1))
					if err != nil {
						return err
					}
					a.Version++
					return tx.SaveAccount(a)
				})
				if err != nil {
					t.Errorf("update: %v", err)
				}
			}
		})
	}
	wg.Wait()
	view(t, s, func(tx addressing.ReadTx) error {
		a, err := tx.Account(ID(1))
		if a.Version != 1+writers*each {
			t.Errorf("version %d, want %d", a.Version, 1+writers*each)
		}
		return err
	})
}

func audit(t *testing.T, s addressing.Store) {
	var prev addressing.AuditRecord
	for i := range 5 {
		r := addressing.AuditRecord{ChangeID: fmt.Sprint("change-", i), At: Epoch.Add(time.Duration(i)), Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"},
			AccountID: ID(i % 2), Reason: "why <not> \u2028 é", Verb: "prefix.create", Objects: []string{ID(i)}, Before: []byte(`{"bindings":[{"prefix_id":"` + ID(i%2) + `"}]}`), After: []byte(`{"b":1,"a":[1e2]}`)}
		r, err := r.Seal(prev)
		if err != nil {
			t.Fatal(err)
		}
		update(t, s, func(tx addressing.Tx) error { return tx.AppendAudit(r) })
		prev = r
	}
	view(t, s, func(tx addressing.ReadTx) error {
		all, err := tx.Audit(addressing.EveryAccount(), 0, 100)
		if err != nil {
			return err
		}
		var before addressing.AuditRecord
		for _, r := range all {
			if err := r.Follows(before); err != nil {
				t.Error(err)
			}
			before = r
		}
		page, e1 := tx.Audit(addressing.EveryAccount(), 2, 2)
		mine, e2 := tx.Audit(addressing.OneAccount(ID(1)), 0, 100)
		none, e3 := tx.Audit(addressing.Scope{}, 0, 100)
		found, e4 := tx.AuditOf("change-3")
		head, e5 := tx.AuditHead()
		for after, want := range map[time.Duration]int64{-1: 0, 0: 0, 1: 1, 4: 4, time.Hour: 5} {
			if got, err := tx.AuditBefore(Epoch.Add(after)); got != want || err != nil {
				t.Errorf("records before epoch + %d: up to %d, %v; want %d", after, got, err, want)
			}
		}
		if len(all) != 5 || len(page) != 2 || page[0].Seq != 3 || len(mine) != 2 || len(none) != 0 || found.Seq != 4 || head.Seq != 5 || head.Hash != prev.Hash {
			t.Errorf("audit: all %d, page %d, mine %d, none %d, found %d, head %d", len(all), len(page), len(mine), len(none), found.Seq, head.Seq)
		}
		for _, c := range []struct {
			scope  addressing.Scope
			object string
			want   []int64
		}{
			{addressing.EveryAccount(), ID(0), []int64{1, 3, 5}}, // itself, and what belongs to it
			{addressing.EveryAccount(), ID(3), []int64{4}},
			{addressing.OneAccount(ID(1)), ID(1), []int64{2, 4}},
			{addressing.OneAccount(ID(1)), ID(0), nil},
			{addressing.Scope{}, ID(0), nil},
			{addressing.EveryAccount(), "", nil},
		} {
			on, err := tx.AuditOn(c.scope, c.object)
			var seqs []int64
			for _, r := range on {
				seqs = append(seqs, r.Seq)
			}
			if err != nil || !slices.Equal(seqs, c.want) {
				t.Errorf("audit on %q in %s: %v, %v; want %v", c.object, c.scope, seqs, err, c.want)
			}
		}
		return errors.Join(e1, e2, e3, e4, e5)
	})
	again := prev
	again.ChangeID = "other"
	wantCode(t, s.Update(t.Context(), func(tx addressing.Tx) error { return tx.AppendAudit(again) }), addressing.CodeConflict)
}

func state(t *testing.T, s addressing.Store) {
	update(t, s, world)
	dead := Prefix(30, ID(1), "13.0.0.0/24")
	dead.State = addressing.Tombstone
	update(t, s, func(tx addressing.Tx) error {
		return errors.Join(tx.SavePrefix(dead), tx.SaveBGPPrefix(BGPPrefix(31, ID(30), "13.0.0.0/24")))
	})
	want := addressing.State{
		Accounts: []addressing.Account{Account(1), Account(2)}, Services: []addressing.Service{Service(3)},
		Prefixes:    []addressing.Prefix{Prefix(10, ID(1), "11.0.0.0/22"), Prefix(20, ID(2), "2a00::/32")},
		BGPPrefixes: []addressing.BGPPrefix{BGPPrefix(11, ID(10), "11.0.0.0/22"), BGPPrefix(21, ID(20), "2a00::/32")},
		Bindings:    []addressing.Binding{Binding(12, ID(10), "11.0.0.0/22", ID(3)), Binding(22, ID(20), "2a00::/32", ID(3))},
		Negative:    []addressing.NegativeIntent{Intent(13, ID(1), "11.0.0.0/22"), Intent(23, ID(2), "2a00::/32")},
	}
	unchanged(t, s, want)
}

func ended(t *testing.T, s addressing.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantCode(t, s.Update(ctx, world), addressing.CodeUnavailable)
	st, err := s.State(t.Context())
	if err != nil || len(st.Accounts) != 0 {
		t.Errorf("an update whose context had ended stored %d accounts (%v)", len(st.Accounts), err)
	}
}

func closed(t *testing.T, s addressing.Store) {
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	wantCode(t, s.Update(t.Context(), world), addressing.CodeUnavailable)
	_, err := s.State(t.Context())
	wantCode(t, err, addressing.CodeUnavailable)
}

func touch(t *testing.T, s addressing.Store) {
	k := addressing.TokenRecord{ID: ID(15), Role: addressing.RoleOperator, Hash: addressing.HashToken("y"), CreatedAt: Epoch, Version: 1}
	update(t, s, func(tx addressing.Tx) error { return tx.SaveToken(k) })
	for _, at := range []time.Time{Epoch.Add(time.Hour), Epoch} { // an older use does not hide a newer one
		update(t, s, func(tx addressing.Tx) error { return tx.TouchToken(ID(15), at) })
	}
	later := Epoch.Add(time.Hour)
	k.LastUsedAt = &later
	view(t, s, func(tx addressing.ReadTx) error { return same(t, k)(tx.Token(ID(15))) })
}
