package snapshots_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// A rollback of everything brings back every route that was there, unless a
// negative intent of now keeps it down, takes nothing away, and does nothing
// when there is nothing to do. One of a single account leaves the parts of all
// others as they are.
func TestComposeProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		then, now := mustBuild(t, drawState(t)), mustBuild(t, drawState(t))
		all := snapshots.Back{Scope: snapshots.Scope{All: true}}
		c, err := snapshots.Compose(now, then, all)
		if err != nil {
			t.Fatal(err)
		}
		got := routeSet(c.Snapshot)
		for i := range then.Accounts {
			p, _ := c.Snapshot.Account(then.Accounts[i].Account)
			down := snapshots.DownBy(p.Negative)
			for _, r := range then.Accounts[i].Routes {
				if slices.Contains(c.Skipped, r.CIDR) {
					continue // another account has it by now
				}
				if blocked := len(down.Over(r.CIDR)) > 0; got[r.CIDR] == blocked {
					t.Fatalf("%s: on the wire %v, blocked %v", r.CIDR, got[r.CIDR], blocked)
				}
			}
		}
		for cidr := range routeSet(now) {
			if !got[cidr] {
				t.Fatalf("%s was advertised and a rollback without Withdraw took it away", cidr)
			}
		}
		same, err := snapshots.Compose(now, now, all)
		if err != nil || same.Snapshot.ID() != now.ID() {
			t.Fatalf("back to now is %s, want %s, %v", same.Snapshot.ID(), now.ID(), err)
		}
		account := rapid.SampledFrom(then.AccountIDs()).Draw(t, "account")
		one, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{Accounts: []string{account}}})
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range now.AccountIDs() {
			if id != account && one.Snapshot.PartSum(id) != now.PartSum(id) {
				t.Fatalf("account %s changed with %s", id, account)
			}
		}
	})
}

// With Withdraw, everything of then and nothing else is advertised.
func TestComposeWithdraw(t *testing.T) {
	st := synthetic.State(3, 30)
	then := build(t, st)
	st.Accounts = append(st.Accounts, addressing.Account{ID: synthetic.AccountID(9)})
	synthetic.Add(&st, 100, synthetic.AccountID(9))
	synthetic.Add(&st, 101, synthetic.AccountID(0))
	st.BGPPrefixes[4].Advertised = false
	now := build(t, st)
	c, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{All: true}, Withdraw: true})
	if err != nil || !slices.Equal(cidrs(c.Snapshot), cidrs(then)) || len(c.Newer) != 0 {
		t.Errorf("%d routes, newer %v, %v", c.Snapshot.RouteCount(), c.Newer, err)
	}
	c, err = snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{All: true}})
	if err != nil || c.Snapshot.RouteCount() != 32 || len(c.Newer) != 1 {
		t.Errorf("%d routes, newer %v, %v", c.Snapshot.RouteCount(), c.Newer, err)
	}
}

// What Keep names stays all the same, alone among its siblings, and so does
// what belongs to an account that then did not know.
func TestComposeKeep(t *testing.T) {
	st := synthetic.State(3, 30)
	then := build(t, st)
	st.Accounts = append(st.Accounts, addressing.Account{ID: synthetic.AccountID(9)})
	for i, account := range []string{synthetic.AccountID(9), synthetic.AccountID(9), synthetic.AccountID(0), synthetic.AccountID(0)} {
		synthetic.Add(&st, 100+i, account)
	}
	now := build(t, st)
	c, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{All: true}, Withdraw: true, Keep: func(p netip.Prefix) bool {
		return p == synthetic.CIDR(100) || p == synthetic.CIDR(102)
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := routeSet(then)
	want[synthetic.CIDR(100)], want[synthetic.CIDR(102)] = true, true
	if got := routeSet(c.Snapshot); !maps.Equal(got, want) || len(c.Newer) != 2 {
		t.Errorf("%d routes, want %d; newer %v", len(got), len(want), c.Newer)
	}
}

func TestComposeOnePrefix(t *testing.T) {
	st := synthetic.State(2, 20)
	then := build(t, st)
	for i := range 6 {
		st.BGPPrefixes[i].Advertised = false
	}
	st.Bindings = st.Bindings[3:]
	st.BGPPrefixes[7].Prepend = 2
	now := build(t, st)
	for _, i := range []int{0, 5, 7} {
		c, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{Prefixes: []netip.Prefix{synthetic.CIDR(i)}}})
		if err != nil {
			t.Fatal(err)
		}
		want := routeSet(now)
		want[synthetic.CIDR(i)] = true
		if got := routeSet(c.Snapshot); len(got) != len(want) || !got[synthetic.CIDR(i)] {
			t.Errorf("prefix %d: %d routes, want %d", i, len(got), len(want))
		}
		p, _ := c.Snapshot.Account(st.Prefixes[7].AccountID)
		for _, r := range p.Routes {
			if wantPad := map[bool]int{true: 0, false: 2}[i == 7]; r.CIDR == synthetic.CIDR(7) && r.Prepend != wantPad {
				t.Errorf("rolling back prefix %d left prefix 7 with prepend %d", i, r.Prepend)
			}
		}
	}
}

// A prefix that somebody else holds by now is not taken from them.
func TestComposeSkipsWhatMoved(t *testing.T) {
	st := synthetic.State(2, 10)
	then := build(t, st)
	for i := range st.Prefixes {
		if i == 0 {
			st.Prefixes[i].ID, st.Prefixes[i].AccountID = "moved", synthetic.AccountID(1)
			st.BGPPrefixes[i].PrefixID, st.Bindings[i].PrefixID = "moved", "moved"
		}
	}
	now := build(t, st)
	c, err := snapshots.Compose(now, then, snapshots.Back{Scope: snapshots.Scope{Accounts: []string{synthetic.AccountID(0)}}})
	if err != nil || len(c.Skipped) != 1 || c.Skipped[0] != synthetic.CIDR(0) || c.Snapshot.ID() != now.ID() {
		t.Errorf("skipped %v, %v", c.Skipped, err)
	}
}

func TestComposeBringsServicesAlong(t *testing.T) {
	st := synthetic.State(1, 2)
	then := build(t, st)
	st.Services, st.Bindings = st.Services[:1], st.Bindings[:1]
	c, err := snapshots.Compose(build(t, st), then, snapshots.Back{Scope: snapshots.Scope{All: true}})
	if err != nil || c.Snapshot.RouteCount() != 2 || len(c.Snapshot.Network.Services) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
}

// A snapshot turned back into desired state builds the same snapshot.
func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		st := drawState(t)
		if rapid.Bool().Draw(t, "site down") {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "site", Site: snapshots.DefaultSite, Kind: addressing.IntentDrain, Author: "a", CreatedAt: synthetic.At})
		}
		s := mustBuild(t, st)
		if again := mustBuild(t, s.Whole()); again.ID() != s.ID() {
			t.Fatalf("rebuilt desired state makes %s, want %s", again.ID(), s.ID())
		}
		if n := len(s.State().Prefixes); n != 0 {
			t.Fatalf("the state of no account has %d prefixes", n)
		}
	})
}

func TestHoldBack(t *testing.T) {
	st := synthetic.State(3, 30)
	active := build(t, st)
	st.BGPPrefixes[0].Advertised = false
	st.BGPPrefixes[1].Advertised = false
	synthetic.Add(&st, 100, synthetic.AccountID(0))
	held := synthetic.CIDR(0)
	s, err := snapshots.HoldBack(active, build(t, st), func(_ string, p netip.Prefix) bool { return p == held })
	if err != nil {
		t.Fatal(err)
	}
	got := routeSet(s)
	if !got[held] || got[synthetic.CIDR(1)] || !got[synthetic.CIDR(100)] || len(got) != 30 {
		t.Errorf("held %v, withdrawn %v, added %v, %d routes", got[held], !got[synthetic.CIDR(1)], got[synthetic.CIDR(100)], len(got))
	}
	// Even an account that is gone altogether is held.
	s, err = snapshots.HoldBack(active, build(t, addressing.State{Services: st.Services}), func(_ string, p netip.Prefix) bool { return p == held })
	if err != nil || len(routeSet(s)) != 1 {
		t.Errorf("%v, %v", routeSet(s), err)
	}
}

func routeSet(s *snapshots.Snapshot) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for i := range s.Accounts {
		for _, r := range s.Accounts[i].Routes {
			out[r.CIDR] = true
		}
	}
	return out
}

func mustBuild(t *rapid.T, st addressing.State) *snapshots.Snapshot {
	t.Helper()
	s, err := snapshots.Build(st, synthetic.Network(2), synthetic.Environment, synthetic.At)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
