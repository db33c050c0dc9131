package breaker

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// TestForkDecidesAsTheBreakerWould: whatever went before, a fork says what the
// breaker says next, and the breaker does not notice that it was asked.
func TestForkDecidesAsTheBreakerWould(t *testing.T) {
	dir, at := t.TempDir(), time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)
	if err := Init(dir, at); err != nil {
		t.Fatal(err)
	}
	b, err := OpenDir(dir, Options{At: at})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	base := Baseline{Customer: Count{IPv4: 1000}, Accounts: map[string]Count{}, Neighbors: map[string]Count{"transit-a": {IPv4: 1000}}, Services: map[string]Count{}}
	loss := func(i int) []Loss {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		return []Loss{{Prefix: p, Account: "a", Customer: true, Weight: WeightFull}}
	}
	verdicts := map[Verdict]int{}
	for i := range 60 {
		at = at.Add(time.Second)
		p := Proposal{ID: fmt.Sprint(i), Actor: Actor{Kind: Operator, Key: fmt.Sprintf("op-%d", i%3)}, Reason: "r", At: at, Losses: loss(i)}
		before := b.Status(at)
		fork, err := b.Fork(t.Context(), at)
		if err != nil {
			t.Fatal(err)
		}
		tried := fork.Admit(t.Context(), p, base)
		if again := b.Status(at); !reflect.DeepEqual(before, again) {
			t.Fatalf("change %d: asking a fork moved the breaker from %+v to %+v", i, before, again)
		}
		if _, charged := b.Admitted(loss(i)[0].Prefix); charged {
			t.Fatalf("change %d: asking a fork charged it", i)
		}
		real := b.Admit(t.Context(), p, base)
		verdicts[real.Verdict]++
		if tried.Verdict != real.Verdict {
			t.Fatalf("change %d: the fork says %v %+v, the breaker %v %+v", i, tried.Verdict, tried.Findings, real.Verdict, real.Findings)
		}
		if tried.TripID != "" && real.Tripped || tried.Tripped {
			t.Errorf("change %d: the fork names a trip that never was: %+v", i, tried)
		}
		plan := PlanFacts{Origin: "changes", Generation: uint64(i), At: at, Losses: loss(i)}
		if tried, real := mustFork(t, b, at).Judge(t.Context(), plan, base), b.Judge(t.Context(), plan, base); tried.Verdict != real.Verdict {
			t.Fatalf("plan %d: the fork says %v, the breaker %v", i, tried.Verdict, real.Verdict)
		}
	}
	if verdicts[Allow] == 0 || verdicts[Refuse] == 0 {
		t.Errorf("verdicts %v: the test compares one kind alone", verdicts)
	}
}

func mustFork(t *testing.T, b *Breaker, at time.Time) *Fork {
	t.Helper()
	f, err := b.Fork(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
