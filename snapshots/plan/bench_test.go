package plan_test

import (
	"flag"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

var million = flag.Bool("million", false, "run benchmarks with 1,000,000 routes too")

// pair is two snapshots of n routes, the second with changed routes withdrawn
// by owners, spread over the table.
func pair(b *testing.B, n, changed int) (from, to *snapshots.Snapshot) {
	st := synthetic.State(max(1, min(n/16, 20_000)), n)
	builder := snapshots.NewBuilder(nil, snapshots.Limits{})
	from, err := builder.Build(st, synthetic.Network(4), synthetic.Environment, synthetic.At)
	if err != nil {
		b.Fatal(err)
	}
	for i := range changed {
		st.BGPPrefixes[i*(n/changed)].Advertised = false
	}
	if to, err = builder.Build(st, synthetic.Network(4), synthetic.Environment, synthetic.At); err != nil {
		b.Fatal(err)
	}
	return from, to
}

func eachSize(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range []int{6_500, 100_000, 1_000_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			if n >= 1_000_000 && !*million {
				b.Skip("give -million to run this size")
			}
			run(b, n)
		})
	}
}

func BenchmarkDiffOneChange(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		from, to := pair(b, n, 1)
		for b.Loop() {
			if p := plan.Diff(from, to); len(p.Changes) != 1 {
				b.Fatal("changes are missing")
			}
		}
	})
}

// BenchmarkDiffFirstLoad compares with nothing: every route is a change.
func BenchmarkDiffFirstLoad(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		_, to := pair(b, n, 1)
		for b.Loop() {
			plan.Diff(nil, to)
		}
	})
}

// BenchmarkPlanAndPreflight is a change of 10,000 routes (or half the table).
func BenchmarkPlanAndPreflight(b *testing.B) {
	eachSize(b, func(b *testing.B, n int) {
		changed := min(10_000, n/2)
		from, to := pair(b, n, changed)
		g := &gate{verdict: policy.Allow}
		for b.Loop() {
			p := plan.Diff(from, to)
			p.Explain(explained(addressing.Owner))
			if r := plan.Preflight(b.Context(), p, nil, g); r.Verdict != policy.Allow || len(p.Changes) != changed {
				b.Fatalf("%s, %d changes", r.Verdict, len(p.Changes))
			}
		}
	})
}
