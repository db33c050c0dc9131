package main

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
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
}

// Every switch against every kind of effect, on, off and toggled while changes
// are under way: each answer is an allow or a refusal by the switch, never a
// panic and never nothing.
func TestKillSwitchMatrix(t *testing.T) {
	kinds := []addressing.EffectKind{addressing.Gained, addressing.Lost, addressing.Weakened, addressing.Modified, addressing.Unbound}
	for _, s := range killSwitches() {
		for _, kind := range kinds {
			for _, state := range []string{"on", "off", "toggled"} {
				t.Run(fmt.Sprint(s.Name, " ", kind, " ", state), func(t *testing.T) { oneSwitch(t, s, kind, state) })
			}
		}
	}
}

func oneSwitch(t *testing.T, s breaker.Switch, kind addressing.EffectKind, state string) {
	dir := t.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		t.Fatal(err)
	}
	b, err := breaker.OpenDir(dir, breaker.Options{Limits: withSwitches(breaker.DefaultLimits()), At: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	g := gate.New(b, func() (*snapshots.Snapshot, snapshots.Head) { return nil, snapshots.Head{} })
	person := breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}
	turn := func(off bool) {
		if err := b.Switch(s.Name, off, "test", person, noon); err != nil {
			t.Error(err)
		}
	}
	task := strings.TrimPrefix(s.Name, "system/")
	ask := func(i int, by addressing.Actor) error {
		_, err := g.Admit(context.Background(), addressing.ChangeSet{ID: fmt.Sprint(by.ID, i), Actor: by, Reason: "r", Verb: "prefix.edit", At: noon.Add(time.Duration(i) * time.Hour),
			Effects: []addressing.Effect{{Kind: kind, CIDR: netip.MustParsePrefix("198.51.100.0/24"), AccountID: "a", Account: addressing.Customer,
				Resting: addressing.RestingAdvertised, Services: []string{"cdn"}}}})
		return err
	}
	mine := addressing.Actor{Kind: addressing.System, ID: task}
	switch state {
	case "on":
		if err := ask(0, mine); err != nil {
			t.Errorf("refused although the switch is on: %v", err)
		}
	case "off":
		turn(true)
		if err := ask(0, mine); addressing.CodeOf(err) != addressing.CodeHeld || !strings.Contains(err.Error(), "turned off") {
			t.Errorf("the task is off: %v", err)
		}
		if err := ask(1, addressing.Actor{Kind: addressing.System, ID: "another"}); err != nil {
			t.Errorf("another task was stopped: %v", err)
		}
		turn(false)
		if err := ask(2, mine); err != nil {
			t.Errorf("on again: %v", err)
		}
	case "toggled":
		var under sync.WaitGroup
		under.Go(func() {
			for i := range 10 {
				turn(i%2 == 0)
			}
		})
		under.Go(func() {
			for i := range 10 {
				if code := addressing.CodeOf(ask(i, mine)); code != "" && code != addressing.CodeHeld {
					t.Errorf("an answer that is neither: %q", code)
				}
			}
		})
		under.Wait()
	}
}
