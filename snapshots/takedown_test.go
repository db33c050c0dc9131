package snapshots_test

import (
	"fmt"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// Taking down removes the routes named and nothing else, whatever there is.
func TestTakeDownProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := mustBuild(t, drawState(t))
		had := routeSet(now)
		var intents []addressing.NegativeIntent
		named := map[netip.Prefix]bool{}
		for i := range now.Accounts {
			for _, r := range now.Accounts[i].Routes {
				if rapid.Bool().Draw(t, "down") {
					named[r.CIDR] = true
					intents = append(intents, addressing.NegativeIntent{ID: fmt.Sprintf("%032x", len(intents)+1), AccountID: now.Accounts[i].Account, CIDR: r.CIDR,
						Kind: addressing.IntentEmergency, Author: "operator/uid:0", Reason: "r", CreatedAt: synthetic.At})
				}
			}
		}
		next, err := snapshots.TakeDown(now, intents)
		if err != nil {
			t.Fatal(err)
		}
		left := routeSet(next)
		for cidr := range had {
			if left[cidr] == named[cidr] {
				t.Fatalf("%s: named %v, still there %v", cidr, named[cidr], left[cidr])
			}
		}
		if len(left)+len(named) != len(had) {
			t.Fatalf("%d routes, %d taken down, %d left", len(had), len(named), len(left))
		}
		if again, err := snapshots.TakeDown(next, intents); err != nil || again.ID() != next.ID() {
			t.Fatalf("a second time it is another snapshot: %v", err)
		}
		if len(named) == 0 && next.ID() != now.ID() {
			t.Fatal("nothing named changed something")
		}
	})
}

func TestTakeDownUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := mustBuild(t, drawState(t))
		n := addressing.NegativeIntent{ID: "0123456789abcdef0123456789abcdef", AccountID: now.Accounts[0].Account, CIDR: netip.MustParsePrefix("203.0.112.0/24"), Kind: addressing.IntentEmergency, Author: "a", CreatedAt: synthetic.At}
		if _, err := snapshots.TakeDown(now, []addressing.NegativeIntent{n}); err == nil {
			t.Fatal("a route that is not there was taken down")
		}
	})
}
