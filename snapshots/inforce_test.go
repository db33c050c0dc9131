package snapshots_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// Limits in force are part of the id and are read back as they were; what a
// neighbor is told does not depend on them. That a snapshot without any keeps the id that
// it had before there were limits, TestGoldenManifest shows.
func TestLimitsInForce(t *testing.T) {
	st, n := synthetic.State(2, 10), synthetic.Network(2)
	bare := buildAt(t, st, n, synthetic.At)
	n.Limits = []snapshots.LimitInForce{}
	if empty := buildAt(t, st, n, synthetic.At); empty.ID() != bare.ID() {
		t.Error("an empty list is another snapshot than none")
	}
	n.Limits = []snapshots.LimitInForce{{Name: "wait", Value: "10m0s"}, {Name: "breadth.5m", Value: "share 10"}}
	limited := buildAt(t, st, n, synthetic.At)
	n.Limits = slices.Clone(n.Limits)
	slices.Reverse(n.Limits)
	if again := buildAt(t, st, n, synthetic.At); again.ID() != limited.ID() || limited.ID() == bare.ID() {
		t.Errorf("ids %s in another order, %s, %s without limits", again.ID(), limited.ID(), bare.ID())
	}
	a, _ := snapshots.Targets(bare, 1, 1, 0)
	b, _ := snapshots.Targets(limited, 1, 1, 0)
	if !reflect.DeepEqual(a.Neighbors, b.Neighbors) {
		t.Error("neighbors are told something else under limits")
	}
	for _, id := range bare.AccountIDs() {
		if bare.PartSum(id) != limited.PartSum(id) {
			t.Errorf("the part of account %s changed with a limit", id)
		}
	}
	d, _, _, second := stored(t)
	put(t, d, limited, second.Generation+1)
	l, err := d.Get(second.Generation+1, nil)
	if err != nil || !slices.Equal(l.Snapshot.Network.Limits, n.Limits) {
		t.Errorf("read back: %v, %v", l.Snapshot, err)
	}
}

func TestLimitsInForceRefused(t *testing.T) {
	many := make([]snapshots.LimitInForce, 1001)
	for i := range many {
		many[i] = snapshots.LimitInForce{Name: fmt.Sprintf("l%04d", i), Value: "1"}
	}
	for name, list := range map[string][]snapshots.LimitInForce{
		"size.limits":  many,
		"limit.name":   {{Name: "no name", Value: "1"}},
		"order.limits": {{Name: "wait", Value: "1"}, {Name: "wait", Value: "2"}},
		"limit.value":  {{Name: "wait", Value: strings.Repeat("x", 1001)}},
		"text":         {{Name: "wait", Value: "\xff"}},
	} {
		n := synthetic.Network(1)
		n.Limits = list
		_, err := snapshots.Build(synthetic.State(1, 1), n, synthetic.Environment, synthetic.At)
		for _, err := range []error{err, snapshots.ValidateLimits(list), snapshots.ValidateNetwork(n)} {
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
