package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Every switch says what it does, what else it does, and what it is when nobody
// knows (BRK-09, UX-15).
func TestEverySwitchIsDocumented(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range killSwitches() {
		if s.Effect == "" || s.Side == "" || !strings.Contains(s.Name, "/") || seen[s.Name] {
			t.Errorf("%+v: needs a name of its own, its effect and its side effects", s)
		}
		seen[s.Name] = true
	}
	page, err := os.ReadFile("../../docs/reference/kill-switches.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range killSwitches() {
		if row := switchRow(s); !strings.Contains(string(page), row) {
			t.Errorf("docs/reference/kill-switches.md lacks\n%s", row)
		}
	}
	if rows := strings.Count(string(page), "\n| `"); rows != len(killSwitches()) {
		t.Errorf("docs/reference/kill-switches.md has %d rows, there are %d switches", rows, len(killSwitches()))
	}
}

// switchRow is a switch as the reference has it.
func switchRow(s breaker.Switch) string {
	unknown := "off"
	if s.FailsOn {
		unknown = "on"
	}
	return fmt.Sprintf("| `%s` | %s | %s | %s |\n", s.Name, s.Effect, s.Side, unknown)
}

// Without a journal that can be read a switch is what its fail mode says: sinks
// go on, tasks do not.
func TestSwitchesFailAsTheySay(t *testing.T) {
	d := &daemon{breaker: &breaker.Breaker{}}
	for _, s := range killSwitches() {
		if got := d.off(s.Name); got == s.FailsOn {
			t.Errorf("%s is off: %v, although it is to be on: %v", s.Name, got, s.FailsOn)
		}
	}
	if !d.off("sink/nothing") {
		t.Error("what is not registered is on")
	}
}

// kindsOfEffect says what stops each.
var kindsOfEffect = map[addressing.EffectKind]breaker.Stops{
	addressing.Gained: breaker.StopsAnnouncements, addressing.Lost: breaker.StopsWithdrawals, addressing.Weakened: breaker.StopsWithdrawals,
	addressing.Modified: breaker.StopsModifications, addressing.Unbound: breaker.StopsUnbindings,
}

// Every switch against every kind of effect, on, off and toggled while changes
// are under way: each answer is an allow or a refusal by that switch, and it is
// the one that the switch's own description says. Restores always pass.
func TestKillSwitchMatrix(t *testing.T) {
	for _, s := range killSwitches() {
		t.Run(s.Name, func(t *testing.T) { oneSwitch(t, s) })
	}
}

// desk of one switch.
type turning struct {
	t *testing.T
	b *breaker.Breaker
	g *gate.Gate
	s breaker.Switch
	n atomic.Int64
}

func (k *turning) turn(off bool) {
	if err := k.b.Switch(k.s.Name, off, "test", breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}, noon); err != nil {
		k.t.Error(err)
	}
}

// ask is about one prefix of its own, long after the one before.
func (k *turning) ask(kind addressing.EffectKind, by addressing.Actor, verb string) error {
	n := k.n.Add(1)
	_, err := k.g.Admit(context.Background(), addressing.ChangeSet{ID: fmt.Sprint(n), Actor: by, Reason: "r", Verb: verb, At: noon.Add(time.Duration(n) * 48 * time.Hour),
		Effects: []addressing.Effect{{Kind: kind, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, 0, byte(n), 0}), 24), AccountID: "a", Account: addressing.Customer,
			Resting: addressing.RestingAdvertised, Services: []string{"cdn"}}}})
	return err
}

func oneSwitch(t *testing.T, s breaker.Switch) {
	dir := t.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		t.Fatal(err)
	}
	b, err := breaker.OpenDir(dir, breaker.Options{Limits: withSwitches(breaker.DefaultLimits()), At: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	k := &turning{t: t, b: b, s: s, g: gate.New(b, func() (*snapshots.Snapshot, snapshots.Head) { return nil, snapshots.Head{} })}
	person := addressing.Actor{Kind: addressing.Operator, ID: "noc"}
	task, isTask := strings.CutPrefix(s.Name, "system/")
	mine := addressing.Actor{Kind: addressing.System, ID: task}
	for kind, stops := range kindsOfEffect {
		refused := func(state string, err error, want bool) {
			t.Helper()
			if want && (addressing.CodeOf(err) != addressing.CodeHeld || !strings.Contains(err.Error(), s.Name+" was turned off")) {
				t.Errorf("%s, %s: %v, want held by the switch", kind, state, err)
			}
			if !want && err != nil {
				t.Errorf("%s, %s: %v", kind, state, err)
			}
		}
		refused("on", k.ask(kind, person, "prefix.edit"), false)
		k.turn(true)
		refused("off", k.ask(kind, person, "prefix.edit"), s.Stops&stops != 0)
		refused("off, a restore", k.ask(addressing.Gained, person, addressing.VerbRestore), false)
		if isTask {
			refused("off, its task", k.ask(kind, mine, "prefix.edit"), true)
		}
		k.turn(false)
		refused("on again", k.ask(kind, person, "prefix.edit"), false)
		var under sync.WaitGroup
		under.Go(func() {
			for i := range 6 {
				k.turn(i%2 == 0)
			}
		})
		under.Go(func() {
			for range 6 {
				if err := k.ask(kind, person, "prefix.edit"); err != nil {
					refused("toggled", err, true)
				}
			}
		})
		under.Wait()
	}
}

// Every switch against every type of object that is created, edited or removed
// while it is on, off and toggled: nothing is ever withdrawn, nothing panics,
// and what is refused is refused by the switch.
func TestNoSwitchWithdraws(t *testing.T) {
	limits := withSwitches(breaker.DefaultLimits())
	limits.Actor, limits.Bindings, limits.Modifies = nil, nil, nil // a hundred rounds are not what they are for
	n := newSmall(t, limits)
	for i, s := range killSwitches() {
		for j, state := range []string{"off", "toggled"} {
			turn := func(off bool) {
				if err := n.b.Switch(s.Name, off, "test", breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}, time.Now()); err != nil {
					t.Error(err)
				}
			}
			turn(state == "off")
			var toggling sync.WaitGroup
			if state == "toggled" {
				toggling.Go(func() {
					for k := range 8 {
						turn(k%2 == 0)
					}
				})
			}
			for what, err := range n.everyObject(2*i + j) {
				if err != nil && !(addressing.CodeOf(err) == addressing.CodeHeld && strings.Contains(err.Error(), "was turned off")) {
					t.Errorf("%s %s, %s: %v", s.Name, state, what, err)
				}
			}
			toggling.Wait()
			turn(false)
		}
	}
	want := 0
	st, err := n.registry.State(t.Context())
	n.must(err)
	for _, b := range st.BGPPrefixes {
		if b.Advertised {
			want++
		}
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		held, withdrawn := n.wire.count()
		if withdrawn > 0 {
			t.Fatalf("%d routes were withdrawn", withdrawn)
		}
		if held == want {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the neighbor holds %d routes, %d are advertised", held, want)
		}
	}
	if want < len(killSwitches()) {
		t.Errorf("only %d routes: the test announced next to nothing", want)
	}
}

// everyObject creates, changes and removes one object of each type, and gives
// each answer.
func (n *small) everyObject(i int) map[string]error {
	out := map[string]error{}
	ctx, q := n.t.Context(), n.request(time.Now())
	note := func(what string, err error) bool { out[what] = err; return err == nil }
	account, _, err := n.registry.CreateAccount(ctx, q, addressing.NewAccount{Name: fmt.Sprint("account-", i)})
	note("account", err)
	_, _, err = n.registry.CreateService(ctx, q, addressing.NewService{Name: fmt.Sprint("service-", i)})
	note("service", err)
	token, _, _, err := n.registry.CreateToken(ctx, q, addressing.NewToken{Name: "t", Role: addressing.RoleReadOnly})
	if note("token", err) {
		_, err = n.registry.RevokeToken(ctx, q, token.ID)
		note("token revoked", err)
	}
	cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte{21, byte(i), 0, 0}), 22)
	p, _, err := n.registry.CreatePrefix(ctx, q, addressing.NewPrefix{AccountID: n.account, CIDR: cidr, ASN: 64500})
	if !note("prefix", err) {
		return out
	}
	_, _, err = n.registry.ApprovePrefix(ctx, q, p.ID, []string{addressing.RiskUnverified})
	note("prefix approved", err)
	locked := false
	_, _, err = n.registry.EditPrefix(ctx, q, p.ID, addressing.PrefixPatch{SetDescription: true, Locked: &locked})
	note("prefix edited", err)
	d, _, err := n.registry.CreateDelegation(ctx, q, p.ID, netip.PrefixFrom(netip.AddrFrom4([4]byte{21, byte(i), 2, 0}), 24), account.ID)
	if note("delegation", err) {
		_, err = n.registry.DeleteDelegation(ctx, q, p.ID, d.ID)
		note("delegation removed", err)
	}
	first, _, err := n.registry.CreateBinding(ctx, q, addressing.NewBinding{PrefixID: p.ID, CIDR: cidr, ServiceID: n.service})
	if !note("binding", err) {
		return out
	}
	_ = first
	half, _, err := n.registry.CreateBinding(ctx, q, addressing.NewBinding{PrefixID: p.ID, CIDR: netip.PrefixFrom(cidr.Addr(), 23), ServiceID: n.service})
	if note("second binding", err) {
		_, err = n.registry.DeleteBinding(ctx, q, p.ID, half.ID)
		note("second binding removed", err)
	}
	route, _, err := n.registry.CreateBGPPrefix(ctx, q, p.ID, netip.PrefixFrom(cidr.Addr(), 24))
	if note("BGP prefix", err) {
		prepend := 1
		_, _, err = n.registry.EditBGPPrefix(ctx, q, p.ID, route.ID, addressing.BGPPrefixPatch{Prepend: &prepend})
		note("BGP prefix edited", err)
		_, err = n.registry.DeleteBGPPrefix(ctx, q, p.ID, route.ID)
		note("BGP prefix removed", err)
	}
	_, _, err = n.registry.AdvertisePrefix(ctx, q, p.ID)
	note("announcement", err)
	gone, _, err := n.registry.CreatePrefix(ctx, q, addressing.NewPrefix{AccountID: n.account, CIDR: netip.PrefixFrom(netip.AddrFrom4([4]byte{22, byte(i), 0, 0}), 24), ASN: 64500})
	if note("another prefix", err) {
		_, err = n.registry.DeletePrefix(ctx, q, gone.ID)
		note("prefix deleted", err)
	}
	return out
}
