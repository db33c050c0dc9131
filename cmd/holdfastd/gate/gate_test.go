package gate

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

var noon = time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)

// fullTable is a snapshot with customers prefixes 10.x.y.0/24 of 40 accounts.
func fullTable(customers int) *snapshots.Snapshot {
	s := &snapshots.Snapshot{Environment: "test", Network: snapshots.NetworkPart{ASN: 64500, Sites: []string{"default"}, Neighbors: []policy.Neighbor{{
		Name: "transit-a", Site: "default", Families: []addressing.Family{addressing.IPv4, addressing.IPv6},
	}}}}
	for a := range 40 {
		part := snapshots.AccountPart{Account: fmt.Sprintf("account-%02d", a)}
		for i := a; i < customers; i += 40 {
			part.Routes = append(part.Routes, snapshots.Route{CIDR: nth(i), Sites: addressing.AllSites(), Services: []string{"cdn"}})
		}
		s.Accounts = append(s.Accounts, part)
	}
	return s
}

func nth(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
}

func newGate(t *testing.T, s *snapshots.Snapshot) *Gate {
	t.Helper()
	dir := t.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		t.Fatal(err)
	}
	b, err := breaker.OpenDir(dir, breaker.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	active := func() (*snapshots.Snapshot, snapshots.Head) { return s, snapshots.Head{Generation: 7} }
	return &Gate{breaker: b, baseline: &baseline{active: active}}
}

func withdrawal(i int, by addressing.Actor) addressing.ChangeSet {
	return addressing.ChangeSet{
		ID: fmt.Sprintf("change-%d", i), Actor: by, Reason: "clean-up", At: noon.Add(time.Duration(i) * 10 * time.Millisecond), Verb: "prefix.withdraw",
		Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: nth(i), AccountID: fmt.Sprintf("account-%02d", i%40), Account: addressing.Customer, Resting: addressing.RestingAdvertised, Services: []string{"cdn"}}},
	}
}

var script = addressing.Actor{Kind: addressing.Operator, ID: "token-1"}

// TestAdmitStopsAScript is 20 February with an operator's token: unthrottled
// withdrawals of everything, one by one.
func TestAdmitStopsAScript(t *testing.T) {
	g := newGate(t, fullTable(4306))
	admitted := 0
	var refused error
	for i := range 4306 {
		if _, err := g.Admit(context.Background(), withdrawal(i, script)); err != nil {
			refused = err
		} else {
			admitted++
		}
	}
	if admitted > 43 || admitted == 0 {
		t.Errorf("%d of 4306 withdrawals were admitted, want some and at most 43", admitted)
	}
	if addressing.CodeOf(refused) != addressing.CodeHeld {
		t.Errorf("refused with %v, want code held", refused)
	}
	other := addressing.Actor{Kind: addressing.Operator, ID: "person"}
	if _, err := g.Admit(context.Background(), withdrawal(5000, other)); err != nil {
		t.Errorf("a bad actor's trip must leave others deployable: %v", err)
	}
	gain := addressing.ChangeSet{ID: "gain", Actor: script, At: noon.Add(time.Minute), Effects: []addressing.Effect{{Kind: addressing.Gained, CIDR: nth(1), AccountID: "account-01"}}}
	if _, err := g.Admit(context.Background(), gain); err != nil {
		t.Errorf("announcing must pass while the actor's scope is open: %v", err)
	}
}

func TestReleaseRefundsAFailedCommit(t *testing.T) {
	g := newGate(t, fullTable(4306))
	for i := range 1000 {
		release, err := g.Admit(context.Background(), withdrawal(i, script))
		if err != nil {
			t.Fatalf("change %d: %v, though no earlier one was committed", i, err)
		}
		release()
	}
}

func TestJudgeRefusesWhatWasNeverCharged(t *testing.T) {
	g := newGate(t, fullTable(4306))
	lost := func(n int) plan.Plan {
		p := plan.Plan{Environment: "test", Origin: plan.FromChanges, At: noon, Generation: 8}
		for i := range n {
			p.Changes = append(p.Changes, plan.Change{Kind: plan.Withdraw, CIDR: nth(i), Account: fmt.Sprintf("account-%02d", i%40), Loses: true, Before: &snapshots.Route{CIDR: nth(i), Services: []string{"cdn"}}})
		}
		return p
	}
	verdict, findings, err := g.Judge(context.Background(), lost(5))
	if err != nil || verdict == policy.Allow {
		t.Errorf("5 losses nobody was charged for: %v %v %v", verdict, findings, err)
	}
	if _, err := g.Admit(context.Background(), withdrawal(0, script)); err != nil {
		t.Fatal(err)
	}
	one := lost(1)
	one.Admitted = []string{"change-0"}
	if verdict, findings, err = g.Judge(context.Background(), one); err != nil || verdict != policy.Allow {
		t.Errorf("an admitted loss: %v %v %v", verdict, findings, err)
	}
}

func TestRefusalKinds(t *testing.T) {
	c := addressing.ChangeSet{Verb: "prefix.withdraw"}
	for _, tc := range []struct {
		name string
		d    breaker.Decision
		want addressing.Code
	}{
		{"allow", breaker.Decision{Verdict: breaker.Allow}, ""},
		{"zero refuses", breaker.Decision{}, addressing.CodeHeld},
		{"confirm", breaker.Decision{Verdict: breaker.Confirm, State: breaker.Closed, ConfirmToken: "t"}, addressing.CodeConfirm},
		{"locked", breaker.Decision{State: breaker.Locked}, addressing.CodeFrozen},
		{"confirm while locked", breaker.Decision{Verdict: breaker.Confirm, State: breaker.Closed}, addressing.CodeConfirm},
	} {
		if got := addressing.CodeOf(refusal(c, tc.d)); got != tc.want {
			t.Errorf("%s: code %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestBaselineCountsEachPrefixOnce(t *testing.T) {
	s := fullTable(100)
	s.Accounts[0].Kind = addressing.FirstParty // 3 routes
	s.Accounts[1].Routes[0].Resting = addressing.RestingWithdrawn
	got, _ := countSnapshot(s, nil)
	if got.Customer.IPv4 != 100-3-1 || got.Customer.IPv6 != 0 {
		t.Errorf("customers %v, want 96: first-party and on-demand prefixes are outside", got.Customer)
	}
	if got.Neighbors["transit-a"].IPv4 != 100 {
		t.Errorf("neighbor %v, want all 100", got.Neighbors)
	}
	if got.Accounts["account-01"].IPv4 != 2 || got.Services["cdn"].IPv4 != 99 {
		t.Errorf("account %v, service %v", got.Accounts["account-01"], got.Services["cdn"])
	}
	if empty, _ := countSnapshot(nil, nil); empty.Customer.Total() != 0 {
		t.Errorf("no snapshot counts %v", empty)
	}
}

func TestWeightOfACoveredMoreSpecific(t *testing.T) {
	s := fullTable(1)
	cover := netip.MustParsePrefix("10.0.0.0/16")
	part := &s.Accounts[0]
	part.Routes = append([]snapshots.Route{{CIDR: cover, Services: []string{"cdn"}}}, part.Routes...)
	for _, c := range []struct {
		name, account string
		services      []string
		want          int
	}{
		{"same account and service", "account-00", []string{"cdn"}, breaker.WeightCovered},
		{"another service", "account-00", []string{"spectrum"}, breaker.WeightFull},
		{"another account", "account-01", []string{"cdn"}, breaker.WeightFull},
		{"unknown account", "zzz", []string{"cdn"}, breaker.WeightFull},
	} {
		if got := weight(s, c.account, nth(0), c.services); got != c.want {
			t.Errorf("%s: weight %d, want %d", c.name, got, c.want)
		}
	}
	if got := weight(s, "account-00", cover, []string{"cdn"}); got != breaker.WeightFull {
		t.Errorf("the cover itself weighs %d", got)
	}
}

func BenchmarkAdmit(b *testing.B) {
	dir := b.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		b.Fatal(err)
	}
	br, err := breaker.OpenDir(dir, breaker.Options{At: noon})
	if err != nil {
		b.Fatal(err)
	}
	defer br.Close()
	s := fullTable(4306)
	g := &Gate{breaker: br, baseline: &baseline{active: func() (*snapshots.Snapshot, snapshots.Head) { return s, snapshots.Head{Generation: 1} }}}
	for i := 0; b.Loop(); i++ {
		release, err := g.Admit(context.Background(), withdrawal(i%4306, script))
		if err == nil {
			release()
		}
	}
}

// A lock stops everybody but restores that only add, undone changes that only
// add, and the emergency lane within its bounds (DESIGN section 7).
func TestLanesPassALock(t *testing.T) {
	g := newGate(t, fullTable(4306))
	if _, err := g.breaker.(*breaker.Breaker).Trip(breaker.Global, breaker.Locked, "frozen", Actor(script), noon); err != nil {
		t.Fatal(err)
	}
	change := func(i int, verb string, kind addressing.EffectKind, incident string) addressing.ChangeSet {
		c := withdrawal(i, script)
		c.Verb, c.Incident, c.Effects[0].Kind = verb, incident, kind
		return c
	}
	task := change(7, addressing.VerbEmergency, addressing.Lost, "INC-1")
	task.Actor = addressing.Actor{Kind: addressing.System, ID: "cleanup"}
	for name, c := range map[string]struct {
		set  addressing.ChangeSet
		want addressing.Code
	}{
		"restore":                    {change(1, addressing.VerbRestore, addressing.Gained, ""), ""},
		"undo that adds":             {change(2, addressing.VerbUndo, addressing.Gained, ""), ""},
		"undo that takes away":       {change(3, addressing.VerbUndo, addressing.Lost, ""), addressing.CodeFrozen},
		"announcement":               {change(4, "prefix.advertise", addressing.Gained, ""), addressing.CodeFrozen},
		"emergency":                  {change(5, addressing.VerbEmergency, addressing.Lost, "INC-1"), ""},
		"emergency without incident": {change(6, addressing.VerbEmergency, addressing.Lost, ""), addressing.CodeFrozen},
		"emergency by a task":        {task, addressing.CodeFrozen},
	} {
		if _, err := g.Admit(context.Background(), c.set); addressing.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
