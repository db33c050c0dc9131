package gate

import (
	"flag"
	"fmt"
	"reflect"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// What is counted on the shoulders of the generation before is what is counted
// anew, and only the accounts that changed are.
func TestBaselineFollows(t *testing.T) {
	st := synthetic.State(9, 120)
	var known map[string]share
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"nothing", func() {}},
		{"a withdrawal", func() { st.BGPPrefixes[3].Advertised = false }},
		{"an announcement", func() { st.BGPPrefixes[3].Advertised = true }},
		{"resting", func() { st.BGPPrefixes[40].Resting = addressing.RestingWithdrawn }},
		{"a binding less", func() { st.Bindings = st.Bindings[1:] }},
		{"another service", func() { st.Bindings[50].ServiceID = "spectrum" }},
		{"another kind", func() { st.Accounts[1].Kind = addressing.FirstParty }},
		{"a new account", func() { st.Accounts = append(st.Accounts, addressing.Account{ID: "new", Name: "new"}) }},
		{"a prefix moved", func() { st.Prefixes[0].AccountID = "new" }},
	} {
		step.change()
		s := synthetic.Snapshot(st, 2)
		got, shares := countSnapshot(s, known)
		want, _ := countSnapshot(s, nil)
		if !reflect.DeepEqual(got, want) || len(shares) != len(s.Accounts) {
			t.Errorf("%s: %+v, want %+v", step.name, got, want)
		}
		known = shares
	}
}

var million = flag.Bool("million", false, "run benchmarks with 1,000,000 routes too")

// BenchmarkPlanAndPreflight is a change of 10,000 routes as the daemon judges
// it: difference, facts and the breaker, that of a generation not counted yet.
func BenchmarkPlanAndPreflight(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprintf("routes=%d", n), func(b *testing.B) {
			if n >= 1_000_000 && !*million {
				b.Skip("give -million to run this size")
			}
			const changed = 10_000
			from, to := tables(b, n, changed)
			dir := b.TempDir()
			if err := breaker.Init(dir, noon); err != nil {
				b.Fatal(err)
			}
			br, err := breaker.OpenDir(dir, breaker.Options{At: noon})
			if err != nil {
				b.Fatal(err)
			}
			defer br.Close()
			g := New(br, func() (*snapshots.Snapshot, snapshots.Head) { return from, snapshots.Head{Generation: 1} })
			for b.Loop() {
				p := plan.Diff(from, to)
				p.Generation, p.At = 2, noon
				if r := plan.Preflight(b.Context(), p, nil, g); r.Verdict == policy.Allow || len(p.Changes) != changed {
					b.Fatalf("%s, %d changes: 10,000 losses that nothing explains pass", r.Verdict, len(p.Changes))
				}
			}
		})
	}
}

func tables(b *testing.B, n, changed int) (from, to *snapshots.Snapshot) {
	st := synthetic.State(min(n/16, 20_000), n)
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
