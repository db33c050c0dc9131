package addressing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
)

var epoch = time.Date(2026, 2, 20, 17, 46, 0, 0, time.UTC)

// counter is entropy that never repeats and is the same in every run.
type counter struct {
	n   uint64
	buf bytes.Buffer
}

func (c *counter) Read(p []byte) (int, error) {
	for c.buf.Len() < len(p) {
		c.n++
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, c.n))
		c.buf.Write(sum[:])
	}
	return c.buf.Read(p)
}

// gate admits everything until it is told otherwise.
type gate struct {
	mu       sync.Mutex
	err      error
	admitted []addressing.ChangeSet
	released int
}

func (g *gate) Admit(_ context.Context, c addressing.ChangeSet) (func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, g.err
	}
	g.admitted = append(g.admitted, c)
	return func() { g.mu.Lock(); g.released++; g.mu.Unlock() }, nil
}

func (g *gate) last() addressing.ChangeSet { return g.admitted[len(g.admitted)-1] }

// rig is a registry over a real store with two accounts and a service.
type rig struct {
	t        testing.TB
	r        *addressing.Registry
	store    *sqlite.Store
	path     string
	gate     *gate
	notified []addressing.ChangeSet
	mirrored []addressing.TokenRecord
	now      time.Time

	a, b    addressing.Account
	service addressing.Service
}

func emptyRig(t testing.TB) *rig {
	t.Helper()
	x := &rig{t: t, gate: &gate{}, now: epoch, path: filepath.Join(t.TempDir(), "intent.db")}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: x.path, Environment: "test", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	x.store = store
	var mu sync.Mutex
	x.r = addressing.NewRegistry(store, x.gate, addressing.Options{
		Entropy: &counter{},
		Notify: func(c addressing.ChangeSet) {
			mu.Lock()
			defer mu.Unlock()
			x.notified = append(x.notified, c)
		},
		OnTokens: func(all []addressing.TokenRecord) error { x.mirrored = all; return nil },
	})
	return x
}

func newRig(t testing.TB) *rig {
	t.Helper()
	x := emptyRig(t)
	x.a = must(x.r.CreateAccount(t.Context(), x.operator(), addressing.NewAccount{Name: "a"}))(t)
	x.b = must(x.r.CreateAccount(t.Context(), x.operator(), addressing.NewAccount{Name: "b"}))(t)
	x.service = must(x.r.CreateService(t.Context(), x.operator(), addressing.NewService{Name: "CDN"}))(t)
	return x
}

// must takes what a mutation returns and insists on success.
func must[T any](v T, _ addressing.ChangeSet, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func done(c addressing.ChangeSet, err error) func(testing.TB) addressing.ChangeSet {
	return func(t testing.TB) addressing.ChangeSet {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func (x *rig) request(a addressing.Actor, s addressing.Scope) addressing.Request {
	x.now = x.now.Add(time.Second)
	return addressing.Request{Actor: a, Scope: s, At: x.now, RequestID: "req"}
}

func (x *rig) operator() addressing.Request {
	return x.request(addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, addressing.EveryAccount())
}

func (x *rig) owner(account string) addressing.Request {
	return x.request(addressing.Actor{Kind: addressing.Owner, ID: "token-" + account[:4], AccountID: account}, addressing.OneAccount(account))
}

func (x *rig) system() addressing.Request {
	return x.request(addressing.Actor{Kind: addressing.System, ID: "task/cleanup"}, addressing.EveryAccount())
}

func (x *rig) pending(account, cidr string) addressing.PrefixDetail {
	x.t.Helper()
	return must(x.r.CreatePrefix(x.t.Context(), x.owner(account), addressing.NewPrefix{AccountID: account, CIDR: netip.MustParsePrefix(cidr), ASN: 64500}))(x.t)
}

func (x *rig) approved(account, cidr string) addressing.PrefixDetail {
	x.t.Helper()
	p := x.pending(account, cidr)
	return must(x.r.ApprovePrefix(x.t.Context(), x.operator(), p.ID, []string{addressing.RiskUnverified}))(x.t)
}

func (x *rig) bound(account, cidr string) addressing.PrefixDetail {
	x.t.Helper()
	p := x.approved(account, cidr)
	must(x.r.CreateBinding(x.t.Context(), x.owner(account), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: x.service.ID}))(x.t)
	return x.get(p.ID)
}

func (x *rig) advertised(account, cidr string) addressing.PrefixDetail {
	x.t.Helper()
	p := x.bound(account, cidr)
	return must(x.r.AdvertisePrefix(x.t.Context(), x.owner(account), p.ID))(x.t)
}

func (x *rig) get(id string) addressing.PrefixDetail {
	x.t.Helper()
	p, err := x.r.Prefix(x.t.Context(), addressing.EveryAccount(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	return p
}

func (x *rig) state() addressing.State {
	x.t.Helper()
	st, err := x.r.State(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return st
}

var equate = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}, addressing.Scope{}), cmpopts.EquateEmpty()}

func diffStates(a, b addressing.State) string { return cmp.Diff(a, b, equate) }

func (x *rig) sameState(want addressing.State) {
	x.t.Helper()
	if d := diffStates(want, x.state()); d != "" {
		x.t.Errorf("state changed (-want +got):\n%s", d)
	}
}

func wantCode(t testing.TB, err error, want addressing.Code) {
	t.Helper()
	if got := addressing.CodeOf(err); got != want {
		t.Errorf("code %q, want %q (error: %v)", got, want, err)
	}
}

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func toggle(v bool) addressing.BGPPrefixPatch { return addressing.BGPPrefixPatch{Advertised: &v} }

func effects(c addressing.ChangeSet) string {
	out := []string{}
	for _, e := range c.Effects {
		out = append(out, fmt.Sprintf("%s %s", e.Kind, e.CIDR))
	}
	return fmt.Sprint(out)
}

// TestLife walks a prefix through its whole life.
func TestLife(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	owner := x.a.ID

	p := x.pending(owner, "11.0.0.0/22")
	if p.State != addressing.Pending || p.OnDemandEnabled || !p.OnDemandLocked || p.Description != nil || p.LOADocumentID != nil || p.OwnershipToken == "" {
		t.Errorf("new prefix: %+v", p.Prefix)
	}
	_, _, err := x.r.CreateBinding(ctx, x.owner(owner), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: x.service.ID})
	wantCode(t, err, addressing.CodeConflict) // not approved
	_, _, err = x.r.ApprovePrefix(ctx, x.owner(owner), p.ID, []string{addressing.RiskUnverified})
	wantCode(t, err, addressing.CodeForbidden)
	_, _, err = x.r.ApprovePrefix(ctx, x.operator(), p.ID, nil)
	wantCode(t, err, addressing.CodeRefused)
	_, _, err = x.r.ApprovePrefix(ctx, x.operator(), p.ID, []string{"whatever"})
	wantCode(t, err, addressing.CodeInvalid)
	p = must(x.r.ApprovePrefix(ctx, x.operator(), p.ID, []string{addressing.RiskUnverified}))(t)
	if p.State != addressing.Approved || !p.OnDemandEnabled || p.OnDemandLocked || !slices.Equal(p.AcceptedRisks, []string{"unverified"}) {
		t.Errorf("approved prefix: %+v", p.Prefix)
	}

	_, _, err = x.r.AdvertisePrefix(ctx, x.owner(owner), p.ID)
	wantCode(t, err, addressing.CodeConflict) // no route yet
	bind := must(x.r.CreateBinding(ctx, x.owner(owner), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: x.service.ID}))(t)
	p = x.get(p.ID)
	if !bind.Active || len(p.BGP) != 1 || p.BGP[0].CIDR != p.CIDR || p.BGP[0].Advertised || p.BGP[0].Resting != addressing.RestingAdvertised || !p.BGP[0].Sites.All {
		t.Errorf("after the first binding: %+v, %+v", bind, p.BGP)
	}
	if got := effects(x.gate.last()); got != "[]" {
		t.Errorf("binding a withdrawn prefix has effects %s", got)
	}

	g := must(x.r.EditBGPPrefix(ctx, x.owner(owner), p.ID, p.BGP[0].ID, toggle(true)))(t)
	if !g.Advertised || g.AdvertisedModifiedAt == nil || g.Version != 2 {
		t.Errorf("advertised: %+v", g)
	}
	if got := effects(x.gate.last()); got != "[gained 11.0.0.0/22]" {
		t.Errorf("advertising has effects %s", got)
	}
	_, err = x.r.DeletePrefix(ctx, x.owner(owner), p.ID)
	wantCode(t, err, addressing.CodeConflict)
	_, err = x.r.DeleteBinding(ctx, x.owner(owner), p.ID, bind.ID)
	wantCode(t, err, addressing.CodeConflict) // invariant 1
	_, err = x.r.DeleteBGPPrefix(ctx, x.owner(owner), p.ID, g.ID)
	wantCode(t, err, addressing.CodeConflict)

	must(x.r.EditBGPPrefix(ctx, x.owner(owner), p.ID, g.ID, toggle(false)))(t)
	if got := effects(x.gate.last()); got != "[lost 11.0.0.0/22]" {
		t.Errorf("withdrawing has effects %s", got)
	}
	_, err = x.r.DeletePrefix(ctx, x.owner(owner), p.ID)
	wantCode(t, err, addressing.CodeConflict) // bound
	done(x.r.DeleteBinding(ctx, x.owner(owner), p.ID, bind.ID))(t)
	if got := effects(x.gate.last()); got != "[unbound 11.0.0.0/22]" {
		t.Errorf("unbinding has effects %s", got)
	}
	before := x.get(p.ID)
	done(x.r.DeletePrefix(ctx, x.owner(owner), p.ID))(t)
	_, err = x.r.Prefix(ctx, addressing.OneAccount(owner), p.ID)
	wantCode(t, err, addressing.CodeNotFound)
	list, err := x.r.PendingDeletions(ctx, addressing.OneAccount(owner))
	if err != nil || len(list) != 1 || list[0].DeleteAfter == nil || !list[0].DeleteAfter.Equal(x.now.Add(24*time.Hour)) {
		t.Errorf("pending deletions: %+v, %v", list, err)
	}
	_, _, err = x.r.Undelete(ctx, x.owner(x.b.ID), p.ID)
	wantCode(t, err, addressing.CodeNotFound)
	back := must(x.r.Undelete(ctx, x.owner(owner), p.ID))(t)
	if d := cmp.Diff(before, back, equate, cmpopts.IgnoreFields(addressing.Prefix{}, "Version", "ModifiedAt")); d != "" {
		t.Errorf("undeleted (-before +after):\n%s", d)
	}
	done(x.r.DeletePrefix(ctx, x.owner(owner), p.ID))(t)

	// The same account may create it again, another may not.
	_, _, err = x.r.CreatePrefix(ctx, x.owner(x.b.ID), addressing.NewPrefix{AccountID: x.b.ID, CIDR: p.CIDR, ASN: 64500})
	wantCode(t, err, addressing.CodeConflict)
	again := x.pending(owner, "11.0.0.0/22")
	if again.ID == p.ID || again.State != addressing.Pending {
		t.Errorf("created again: %+v", again.Prefix)
	}
	_, _, err = x.r.Undelete(ctx, x.owner(owner), p.ID)
	wantCode(t, err, addressing.CodeConflict) // a tombstone now
	done(x.r.DeletePrefix(ctx, x.owner(owner), again.ID))(t)
	if st := x.state(); len(st.Prefixes) != 0 || len(st.BGPPrefixes) != 0 {
		t.Errorf("left over: %+v", st)
	}
}

func TestCreatePrefixRefusals(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	x.pending(x.a.ID, "11.0.0.0/22")
	x.pending(x.a.ID, "2a00::/32")
	long := string(bytes.Repeat([]byte("x"), 1001))
	for name, c := range map[string]struct {
		account, cidr string
		asn           uint32
		description   *string
		code          addressing.Code
	}{
		"host bits":               {x.a.ID, "12.0.0.1/24", 64500, nil, addressing.CodeInvalid},
		"too small":               {x.a.ID, "12.0.0.0/25", 64500, nil, addressing.CodeInvalid},
		"too large":               {x.a.ID, "8.0.0.0/7", 64500, nil, addressing.CodeInvalid},
		"ipv6 too small":          {x.a.ID, "2a01::/49", 64500, nil, addressing.CodeInvalid},
		"ipv6 too large":          {x.a.ID, "2a00::/18", 64500, nil, addressing.CodeInvalid},
		"mapped":                  {x.a.ID, "::ffff:12.0.0.0/120", 64500, nil, addressing.CodeInvalid},
		"private":                 {x.a.ID, "10.1.0.0/16", 64500, nil, addressing.CodeInvalid},
		"documentation":           {x.a.ID, "203.0.113.0/24", 64500, nil, addressing.CodeInvalid},
		"covers documentation":    {x.a.ID, "203.0.112.0/22", 64500, nil, addressing.CodeInvalid},
		"ipv6 documentation":      {x.a.ID, "2001:db8:1::/48", 64500, nil, addressing.CodeInvalid},
		"unique local":            {x.a.ID, "fd00::/32", 64500, nil, addressing.CodeInvalid},
		"no asn":                  {x.a.ID, "12.0.0.0/24", 0, nil, addressing.CodeInvalid},
		"as trans":                {x.a.ID, "12.0.0.0/24", 23456, nil, addressing.CodeInvalid},
		"last asn":                {x.a.ID, "12.0.0.0/24", 4294967295, nil, addressing.CodeInvalid},
		"long description":        {x.a.ID, "12.0.0.0/24", 64500, &long, addressing.CodeInvalid},
		"again":                   {x.a.ID, "11.0.0.0/22", 64500, nil, addressing.CodeConflict},
		"same, other account":     {x.b.ID, "11.0.0.0/22", 64500, nil, addressing.CodeConflict},
		"inside, other account":   {x.b.ID, "11.0.1.0/24", 64500, nil, addressing.CodeConflict},
		"covering, other account": {x.b.ID, "11.0.0.0/8", 64500, nil, addressing.CodeConflict},
		"ipv6, other account":     {x.b.ID, "2a00:0:1::/48", 64500, nil, addressing.CodeConflict},
		"unknown account":         {"00000000000000000000000000000000", "12.0.0.0/24", 64500, nil, addressing.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			before := x.state()
			_, _, err := x.r.CreatePrefix(ctx, x.operator(), addressing.NewPrefix{AccountID: c.account, CIDR: pfx(c.cidr), ASN: c.asn, Description: c.description})
			wantCode(t, err, c.code)
			x.sameState(before)
			var e *addressing.Error
			if errors.As(err, &e) && (e.Op == "" || e.Detail == "") {
				t.Errorf("the error does not say what and why: %+v", e)
			}
		})
	}
	// Inside one account prefixes may overlap, as real tables do.
	x.pending(x.a.ID, "11.0.1.0/24")
	// A lab may hold special-purpose ranges.
	lab := addressing.NewRegistry(x.store, x.gate, addressing.Options{Entropy: &counter{n: 1 << 40}, AllowSpecial: true})
	must(lab.CreatePrefix(ctx, x.operator(), addressing.NewPrefix{AccountID: x.a.ID, CIDR: pfx("203.0.113.0/24"), ASN: 64500}))(t)
}

func TestNoCrossAccountVisibility(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	if _, _, _, err := x.r.CreateToken(ctx, x.operator(), addressing.NewToken{AccountID: x.a.ID, Role: addressing.RoleAdmin}); err != nil {
		t.Fatal(err)
	}
	before := x.state()
	g, b := p.BGP[0], p.Bindings[0]
	value := true
	foreign := func() addressing.Request { return x.owner(x.b.ID) }
	for name, try := range map[string]func() error{
		"prefix":       func() error { _, err := x.r.Prefix(ctx, addressing.OneAccount(x.b.ID), p.ID); return err },
		"prefix at":    func() error { _, err := x.r.PrefixAt(ctx, addressing.OneAccount(x.b.ID), p.CIDR); return err },
		"zero scope":   func() error { _, err := x.r.Prefix(ctx, addressing.Scope{}, p.ID); return err },
		"account":      func() error { _, err := x.r.Account(ctx, addressing.OneAccount(x.b.ID), x.a.ID); return err },
		"bindings":     func() error { _, err := x.r.Bindings(ctx, addressing.OneAccount(x.b.ID), p.ID); return err },
		"binding":      func() error { _, err := x.r.Binding(ctx, addressing.OneAccount(x.b.ID), "", b.ID); return err },
		"bgp prefixes": func() error { _, err := x.r.BGPPrefixes(ctx, addressing.OneAccount(x.b.ID), p.ID); return err },
		"bgp prefix":   func() error { _, err := x.r.BGPPrefix(ctx, addressing.OneAccount(x.b.ID), p.ID, g.ID); return err },
		"delegations":  func() error { _, err := x.r.Delegations(ctx, addressing.OneAccount(x.b.ID), p.ID); return err },
		"edit": func() error {
			_, _, err := x.r.EditPrefix(ctx, foreign(), p.ID, addressing.PrefixPatch{SetDescription: true})
			return err
		},
		"delete":            func() error { _, err := x.r.DeletePrefix(ctx, foreign(), p.ID); return err },
		"undelete":          func() error { _, _, err := x.r.Undelete(ctx, foreign(), p.ID); return err },
		"validate":          func() error { _, _, err := x.r.ValidatePrefix(ctx, foreign(), p.ID); return err },
		"withdraw":          func() error { _, _, err := x.r.WithdrawPrefix(ctx, foreign(), p.ID); return err },
		"advertise":         func() error { _, _, err := x.r.AdvertisePrefix(ctx, foreign(), p.ID); return err },
		"toggle":            func() error { _, _, err := x.r.EditBGPPrefix(ctx, foreign(), p.ID, g.ID, toggle(false)); return err },
		"delete bgp prefix": func() error { _, err := x.r.DeleteBGPPrefix(ctx, foreign(), p.ID, g.ID); return err },
		"create bgp prefix": func() error { _, _, err := x.r.CreateBGPPrefix(ctx, foreign(), p.ID, pfx("11.0.1.0/24")); return err },
		"bind": func() error {
			_, _, err := x.r.CreateBinding(ctx, foreign(), addressing.NewBinding{PrefixID: p.ID, CIDR: pfx("11.0.1.0/24"), ServiceID: x.service.ID})
			return err
		},
		"unbind":     func() error { _, err := x.r.DeleteBinding(ctx, foreign(), "", b.ID); return err },
		"delegate":   func() error { _, _, err := x.r.CreateDelegation(ctx, foreign(), p.ID, p.CIDR, x.b.ID); return err },
		"undelegate": func() error { _, err := x.r.DeleteDelegation(ctx, foreign(), p.ID, p.ID); return err },
		"create for another": func() error {
			_, _, err := x.r.CreatePrefix(ctx, foreign(), addressing.NewPrefix{AccountID: x.a.ID, CIDR: pfx("12.0.0.0/24"), ASN: 64500})
			return err
		},
	} {
		if got := addressing.CodeOf(try()); got != addressing.CodeNotFound {
			t.Errorf("%s: code %q, want not_found", name, got)
		}
	}
	// An actor bound to an account cannot widen its scope.
	for _, s := range []addressing.Scope{addressing.EveryAccount(), addressing.OneAccount(x.a.ID)} {
		req := foreign()
		req.Scope = s
		_, _, err := x.r.EditBGPPrefix(ctx, req, p.ID, g.ID, addressing.BGPPrefixPatch{Advertised: &value})
		wantCode(t, err, addressing.CodeForbidden)
	}
	for name, list := range map[string]func() (int, error){
		"prefixes": func() (int, error) { l, err := x.r.Prefixes(ctx, addressing.OneAccount(x.b.ID)); return len(l), err },
		"pending": func() (int, error) {
			l, err := x.r.PendingDeletions(ctx, addressing.OneAccount(x.b.ID))
			return len(l), err
		},
		"intents": func() (int, error) {
			l, err := x.r.NegativeIntents(ctx, addressing.OneAccount(x.b.ID))
			return len(l), err
		},
		"tokens": func() (int, error) { l, err := x.r.Tokens(ctx, addressing.OneAccount(x.b.ID)); return len(l), err },
		"nobody": func() (int, error) { l, err := x.r.Prefixes(ctx, addressing.Scope{}); return len(l), err },
		"audit": func() (int, error) {
			l, err := x.r.Audit(ctx, addressing.OneAccount(x.b.ID), 2, 100)
			return len(l), err
		},
		"no audit":  func() (int, error) { l, err := x.r.Audit(ctx, addressing.Scope{}, 0, 100); return len(l), err },
		"no tokens": func() (int, error) { l, err := x.r.Tokens(ctx, addressing.Scope{}); return len(l), err },
	} {
		if n, err := list(); n != 0 || err != nil {
			t.Errorf("%s: %d seen, %v", name, n, err)
		}
	}
	x.sameState(before)
}

func TestOperatorsOnly(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.pending(x.a.ID, "11.0.0.0/22")
	q := x.bound(x.a.ID, "12.0.0.0/22")
	for _, req := range []func() addressing.Request{func() addressing.Request { return x.owner(x.a.ID) }, x.system} {
		resting := addressing.RestingWithdrawn
		for name, try := range map[string]func() error{
			"account": func() error { _, _, err := x.r.CreateAccount(ctx, req(), addressing.NewAccount{Name: "n"}); return err },
			"service": func() error { _, _, err := x.r.CreateService(ctx, req(), addressing.NewService{Name: "n"}); return err },
			"token": func() error {
				_, _, _, err := x.r.CreateToken(ctx, req(), addressing.NewToken{Role: addressing.RoleOperator})
				return err
			},
			"approve": func() error { _, _, err := x.r.ApprovePrefix(ctx, req(), p.ID, []string{"unverified"}); return err },
			"block": func() error {
				q2 := req()
				q2.Reason = "abuse"
				_, _, err := x.r.BlockPrefix(ctx, q2, p.ID, nil)
				return err
			},
			"unblock": func() error { _, _, err := x.r.UnblockPrefix(ctx, req(), p.ID, p.ID); return err },
			"resting": func() error {
				_, _, err := x.r.EditBGPPrefix(ctx, req(), q.ID, q.BGP[0].ID, addressing.BGPPrefixPatch{Resting: &resting})
				return err
			},
		} {
			if got := addressing.CodeOf(try()); got != addressing.CodeForbidden {
				t.Errorf("%s as %s: code %q, want forbidden", name, req().Actor.Key(), got)
			}
		}
	}
	for name, broken := range map[string]addressing.Request{
		"no actor":         {At: epoch, Scope: addressing.EveryAccount()},
		"no time":          {Actor: addressing.Actor{Kind: addressing.Operator, ID: "x"}, Scope: addressing.EveryAccount()},
		"owner of nothing": {Actor: addressing.Actor{Kind: addressing.Owner, ID: "x"}, At: epoch, Scope: addressing.EveryAccount()},
		"no kind":          {Actor: addressing.Actor{ID: "x"}, At: epoch, Scope: addressing.EveryAccount()},
	} {
		if _, _, err := x.r.CreateAccount(ctx, broken, addressing.NewAccount{Name: "n"}); err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}

func TestEdits(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	g := p.BGP[0]

	before := x.state()
	for name, noop := range map[string]func() (addressing.ChangeSet, error){
		"empty prefix patch": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, addressing.PrefixPatch{})
			return c, err
		},
		"description as it is": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, addressing.PrefixPatch{SetDescription: true})
			return c, err
		},
		"empty route patch": func() (addressing.ChangeSet, error) {
			got, c, err := x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, g.ID, addressing.BGPPrefixPatch{})
			if !got.Advertised {
				t.Error("an empty patch shows a withdrawn route")
			}
			return c, err
		},
		"advertise again": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, g.ID, toggle(true))
			return c, err
		},
		"advertise all again": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID)
			return c, err
		},
		"approve again": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.ApprovePrefix(ctx, x.operator(), p.ID, nil)
			return c, err
		},
		"validate an approved one": func() (addressing.ChangeSet, error) {
			_, c, err := x.r.ValidatePrefix(ctx, x.owner(x.a.ID), p.ID)
			return c, err
		},
	} {
		if c, err := noop(); err != nil || c.ID != "" {
			t.Errorf("%s: change %q, error %v; want none of both", name, c.ID, err)
		}
	}
	x.sameState(before) // advertised_modified_at has not moved either

	text := "ours"
	if d := must(x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, addressing.PrefixPatch{SetDescription: true, Description: &text}))(t); *d.Description != text {
		t.Errorf("description %q", *d.Description)
	}
	if d := must(x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, addressing.PrefixPatch{SetDescription: true}))(t); d.Description != nil {
		t.Errorf("description %q, want null", *d.Description)
	}
	three, four, auto := 3, 4, true
	_, _, err := x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, g.ID, addressing.BGPPrefixPatch{Prepend: &four})
	wantCode(t, err, addressing.CodeInvalid)
	got := must(x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, g.ID, addressing.BGPPrefixPatch{Prepend: &three, AutoAdvertiseWithdraw: &auto}))(t)
	if got.Prepend != 3 || !got.AutoAdvertiseWithdraw || !got.Advertised {
		t.Errorf("edited: %+v", got)
	}
	if e := effects(x.gate.last()); e != "[modified 11.0.0.0/22]" {
		t.Errorf("prepending has effects %s", e)
	}

	// Making withdrawal the resting state would let the next withdrawal pass
	// as no loss: it is charged itself.
	rest := addressing.RestingWithdrawn
	must(x.r.EditBGPPrefix(ctx, x.operator(), p.ID, g.ID, addressing.BGPPrefixPatch{Resting: &rest}))(t)
	if c := x.gate.last(); effects(c) != "[weakened 11.0.0.0/22]" || c.Effects[0].Resting != addressing.RestingAdvertised {
		t.Errorf("changing the resting state has effects %+v", c.Effects)
	}
	none, some := addressing.Sites{}, addressing.Sites{Names: []string{"ams"}}
	_, _, err = x.r.EditBGPPrefix(ctx, x.operator(), p.ID, g.ID, addressing.BGPPrefixPatch{Sites: &none})
	wantCode(t, err, addressing.CodeInvalid)
	must(x.r.EditBGPPrefix(ctx, x.operator(), p.ID, g.ID, addressing.BGPPrefixPatch{Sites: &some}))(t)
	if e := effects(x.gate.last()); e != "[modified 11.0.0.0/22]" { // one site is enough for the service
		t.Errorf("fewer sites have effects %s", e)
	}
}

// TestLockAndControl: neither moves the wire; both stop toggles.
func TestLockAndControl(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	yes, no, bgp, api, odd := true, false, addressing.ControlBGP, addressing.ControlAPI, addressing.Control("both")
	for name, c := range map[string]struct{ on, off addressing.PrefixPatch }{
		"lock":    {addressing.PrefixPatch{Locked: &yes}, addressing.PrefixPatch{Locked: &no}},
		"control": {addressing.PrefixPatch{Control: &bgp}, addressing.PrefixPatch{Control: &api}},
	} {
		_, _, err := x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, c.on)
		wantCode(t, err, addressing.CodeForbidden)
		must(x.r.EditPrefix(ctx, x.operator(), p.ID, c.on))(t)
		if e := effects(x.gate.last()); e != "[]" || !x.get(p.ID).BGP[0].Advertised {
			t.Errorf("%s has effects %s", name, e)
		}
		_, _, err = x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID)
		wantCode(t, err, addressing.CodeConflict)
		must(x.r.EditPrefix(ctx, x.operator(), p.ID, c.off))(t)
	}
	_, _, err := x.r.EditPrefix(ctx, x.operator(), p.ID, addressing.PrefixPatch{Control: &odd})
	wantCode(t, err, addressing.CodeInvalid)
	must(x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID))(t)
}

func TestIfMatch(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	g := p.BGP[0]
	before := x.state()
	stale := func() addressing.Request {
		req := x.owner(x.a.ID)
		req.IfMatch = 99
		return req
	}
	text := "new"
	for name, try := range map[string]func() error{
		"edit": func() error {
			_, _, err := x.r.EditPrefix(ctx, stale(), p.ID, addressing.PrefixPatch{SetDescription: true, Description: &text})
			return err
		},
		"toggle":   func() error { _, _, err := x.r.EditBGPPrefix(ctx, stale(), p.ID, g.ID, toggle(false)); return err },
		"withdraw": func() error { _, _, err := x.r.WithdrawPrefix(ctx, stale(), p.ID); return err },
		"delete":   func() error { _, err := x.r.DeletePrefix(ctx, stale(), p.ID); return err },
		"unbind":   func() error { _, err := x.r.DeleteBinding(ctx, stale(), p.ID, p.Bindings[0].ID); return err },
	} {
		if got := addressing.CodeOf(try()); got != addressing.CodePrecondition {
			t.Errorf("%s: code %q, want precondition", name, got)
		}
	}
	x.sameState(before)
	req := x.owner(x.a.ID)
	req.IfMatch = g.Version
	must(x.r.EditBGPPrefix(ctx, req, p.ID, g.ID, toggle(false)))(t)
}

// TestOneWinnerPerVersion: 100 concurrent writers with If-Match.
func TestOneWinnerPerVersion(t *testing.T) {
	x := newRig(t)
	p := x.pending(x.a.ID, "11.0.0.0/22")
	base := x.owner(x.a.ID)
	for version := p.Version; version < p.Version+3; version++ {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i := range 100 {
			wg.Go(func() {
				req, text := base, fmt.Sprint("writer ", i, " of ", version)
				req.IfMatch = version
				_, _, err := x.r.EditPrefix(t.Context(), req, p.ID, addressing.PrefixPatch{SetDescription: true, Description: &text})
				mu.Lock()
				defer mu.Unlock()
				switch addressing.CodeOf(err) {
				case "":
					won++
				case addressing.CodePrecondition:
				default:
					t.Errorf("writer %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		if won != 1 {
			t.Errorf("version %d had %d winners", version, won)
		}
	}
	if got := x.get(p.ID).Version; got != p.Version+3 {
		t.Errorf("version %d, want %d", got, p.Version+3)
	}
}

// TestGateRefusal: nothing is stored, notified or audited, and what was charged
// is released.
func TestGateRefusal(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	before, notified := x.state(), len(x.notified)
	for name, c := range map[string]struct {
		err  error
		want addressing.Code
	}{
		"held":       {&addressing.Error{Code: addressing.CodeHeld, Detail: "global is open", TripID: "t1"}, addressing.CodeHeld},
		"confirm":    {&addressing.Error{Code: addressing.CodeConfirm, Confirm: "c0ffee"}, addressing.CodeConfirm},
		"frozen":     {fmt.Errorf("wrapped: %w", &addressing.Error{Code: addressing.CodeFrozen}), addressing.CodeFrozen},
		"breaks":     {errors.New("journal: disk full"), addressing.CodeHeld},
		"times out":  {context.DeadlineExceeded, addressing.CodeHeld},
		"no journal": {fmt.Errorf("read: %w", errors.ErrUnsupported), addressing.CodeHeld},
	} {
		t.Run(name, func(t *testing.T) {
			x.gate.err = c.err
			defer func() { x.gate.err = nil }()
			_, change, err := x.r.EditBGPPrefix(ctx, x.operator(), p.ID, p.BGP[0].ID, toggle(false))
			wantCode(t, err, c.want)
			if change.ID != "" || len(x.notified) != notified {
				t.Errorf("a refused change was made known: %+v", change)
			}
			x.sameState(before)
		})
	}
	var e *addressing.Error
	x.gate.err = &addressing.Error{Code: addressing.CodeConfirm, Confirm: "c0ffee"}
	if _, _, err := x.r.WithdrawPrefix(ctx, x.owner(x.a.ID), p.ID); !errors.As(err, &e) || e.Confirm != "c0ffee" || e.Op != "withdraw prefix" {
		t.Errorf("the error lost its token or its name: %+v", e)
	}
	x.gate.err = nil
	req := x.owner(x.a.ID)
	req.Confirm = "c0ffee"
	must(x.r.WithdrawPrefix(ctx, req, p.ID))(t)
	if got := x.gate.last(); got.Confirm != "c0ffee" {
		t.Errorf("the gate was not told the token: %+v", got)
	}
}

func TestChargeIsReleasedWhenCommitFails(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	failing := addressing.NewRegistry(x.store, x.gate, addressing.Options{Entropy: &counter{n: 1 << 41},
		OnTokens: func([]addressing.TokenRecord) error { return errors.New("read-only file system") }})
	before := x.state()
	_, _, _, err := failing.CreateToken(ctx, x.operator(), addressing.NewToken{Role: addressing.RoleOperator})
	wantCode(t, err, addressing.CodeUnavailable)
	if x.gate.released != 1 {
		t.Errorf("released %d times, want once", x.gate.released)
	}
	x.sameState(before)
	if all, err := x.r.Tokens(ctx, addressing.EveryAccount()); err != nil || len(all) != 0 {
		t.Errorf("%d tokens stored (%v)", len(all), err)
	}
}
