package plan_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

type gate struct {
	verdict policy.Verdict
	err     error
	asked   int
}

func (g *gate) Judge(context.Context, plan.Plan) (policy.Verdict, []policy.Finding, error) {
	g.asked++
	return g.verdict, nil, g.err
}

type check struct {
	findings []policy.Finding
	err      error
}

func (c check) Check(context.Context, plan.Plan) ([]policy.Finding, error) { return c.findings, c.err }

func explained(by addressing.ActorKind) func(plan.Change) (plan.Reason, bool) {
	return func(plan.Change) (plan.Reason, bool) { return plan.Reason{Set: "set", By: by}, true }
}

func withdraw(n int) func(*addressing.State) {
	return func(st *addressing.State) {
		for i := range n {
			st.BGPPrefixes[i].Advertised = false
		}
	}
}

func TestZeroReportRefuses(t *testing.T) {
	if v := (plan.Report{}).Verdict; v != policy.Refuse {
		t.Errorf("the zero Report says %s", v)
	}
}

func TestPreflight(t *testing.T) {
	everything := func(st *addressing.State) { *st = addressing.State{Services: st.Services} }
	for name, tc := range map[string]struct {
		change  func(*addressing.State)
		by      addressing.ActorKind // who admitted the losses; "" is nobody
		origin  plan.Origin
		checks  []plan.Check
		gate    *gate
		want    policy.Verdict
		rule    string
		ungated bool // the gate must not be asked
	}{
		"an announcement":                     {change: func(st *addressing.State) { synthetic.Add(st, 9999, st.Accounts[0].ID) }, want: policy.Allow},
		"admitted losses":                     {change: withdraw(20), by: addressing.Operator, want: policy.Allow},
		"one step too large (W5)":             {change: withdraw(21), by: addressing.Operator, want: policy.Refuse, rule: plan.RuleSize, ungated: true},
		"owners are not counted in W5":        {change: withdraw(60), by: addressing.Owner, want: policy.Allow},
		"a loss that nobody asked for":        {change: withdraw(1), want: policy.Refuse, rule: plan.RuleUnexplained, ungated: true},
		"more lost than a step may remove":    {change: withdraw(21), want: policy.Refuse, rule: plan.RuleLostDatabase, ungated: true},
		"the database is empty":               {change: everything, want: policy.Refuse, rule: plan.RuleLostDatabase, ungated: true},
		"the database is empty, and admitted": {change: everything, by: addressing.Operator, want: policy.Refuse, rule: plan.RuleLostDatabase, ungated: true},
		"all bindings are gone":               {change: func(st *addressing.State) { st.Bindings = nil }, want: policy.Refuse, rule: plan.RuleLostDatabase, ungated: true},
		"all IPv6 is gone": {change: func(st *addressing.State) {
			for i := range st.BGPPrefixes {
				st.BGPPrefixes[i].Advertised = st.BGPPrefixes[i].CIDR.Addr().Is4()
			}
		}, want: policy.Refuse, rule: plan.RuleLostDatabase, ungated: true},
		"the gate refuses":             {change: withdraw(1), by: addressing.Operator, gate: &gate{verdict: policy.Refuse}, want: policy.Refuse},
		"the gate holds":               {change: withdraw(1), by: addressing.Operator, gate: &gate{verdict: policy.Hold}, want: policy.Hold},
		"the gate is broken":           {change: withdraw(1), by: addressing.Operator, gate: &gate{verdict: policy.Allow, err: errors.New("journal")}, want: policy.Hold, rule: plan.RuleGate},
		"a check refuses":              {change: withdraw(1), by: addressing.Operator, checks: []plan.Check{check{findings: []policy.Finding{{Rule: "x"}}}}, want: policy.Refuse, rule: "x", ungated: true},
		"a check remarks":              {change: withdraw(1), by: addressing.Operator, checks: []plan.Check{check{findings: []policy.Finding{{Rule: "x", Verdict: policy.Allow}}}}, want: policy.Allow, rule: "x"},
		"a check cannot decide":        {change: withdraw(1), by: addressing.Operator, checks: []plan.Check{check{err: errors.New("no")}}, want: policy.Hold, rule: plan.RuleCheck},
		"nothing to judge":             {change: func(*addressing.State) {}, gate: &gate{verdict: policy.Refuse}, want: policy.Allow, ungated: true},
		"a restore passes a shut gate": {change: func(st *addressing.State) { synthetic.Add(st, 9999, st.Accounts[0].ID) }, origin: plan.FromRollback, gate: &gate{verdict: policy.Refuse}, want: policy.Allow},
		"a restore passes a dead gate": {change: func(st *addressing.State) { synthetic.Add(st, 9999, st.Accounts[0].ID) }, origin: plan.FromRollback, gate: &gate{err: errors.New("dead")}, want: policy.Allow},
		"a rollback that withdraws":    {change: withdraw(1), by: addressing.Operator, origin: plan.FromRollback, gate: &gate{verdict: policy.Hold}, want: policy.Hold},
	} {
		t.Run(name, func(t *testing.T) {
			st := synthetic.State(3, 200)
			from := mustBuild(t, st, synthetic.Network(1))
			after := clone(st)
			tc.change(&after)
			p := plan.Diff(from, mustBuild(t, after, synthetic.Network(1)))
			p.Origin = tc.origin
			if tc.by != "" {
				p.Admitted = []string{"set"}
				p.Explain(explained(tc.by))
			}
			g := tc.gate
			if g == nil {
				g = &gate{verdict: policy.Allow}
			}
			r := plan.Preflight(t.Context(), p, tc.checks, g)
			if r.Verdict != tc.want {
				t.Errorf("verdict %s, want %s: %+v", r.Verdict, tc.want, r.Findings)
			}
			if tc.rule != "" && !r.Has(tc.rule) {
				t.Errorf("findings %+v, want rule %s", r.Findings, tc.rule)
			}
			if (g.asked == 0) != tc.ungated {
				t.Errorf("the gate was asked %d times", g.asked)
			}
		})
	}
}

// Emptied while nothing was advertised: no route is lost, and still every
// prefix is.
func TestPreflightLostDatabaseWithoutRoutes(t *testing.T) {
	st := synthetic.State(3, 20)
	withdraw(20)(&st)
	from := mustBuild(t, st, synthetic.Network(1))
	bare := addressing.State{Accounts: st.Accounts, Services: st.Services}
	p := plan.Diff(from, mustBuild(t, bare, synthetic.Network(1)))
	if r := plan.Preflight(t.Context(), p, nil, &gate{verdict: policy.Allow}); r.Verdict != policy.Refuse || !r.Has(plan.RuleLostDatabase) {
		t.Errorf("got %+v", r)
	}
	p.Admitted = []string{"an admitted deletion"}
	if r := plan.Preflight(t.Context(), p, nil, &gate{verdict: policy.Allow}); r.Verdict != policy.Allow {
		t.Errorf("admitted: %+v", r)
	}
}

func TestPreflightWithoutGateHolds(t *testing.T) {
	st := synthetic.State(2, 10)
	from := mustBuild(t, st, synthetic.Network(1))
	withdraw(1)(&st)
	p := plan.Diff(from, mustBuild(t, st, synthetic.Network(1)))
	p.Explain(explained(addressing.Operator))
	if r := plan.Preflight(t.Context(), p, nil, nil); r.Verdict != policy.Hold {
		t.Errorf("verdict %s without a breaker", r.Verdict)
	}
}

// A plan that did not come from validated snapshots is refused.
func TestPreflightRefusesUnvalidated(t *testing.T) {
	if r := plan.Preflight(t.Context(), plan.Plan{Environment: "test"}, nil, &gate{verdict: policy.Allow}); r.Verdict != policy.Refuse || !r.Has(plan.RuleEnvironment) {
		t.Errorf("got %+v", r)
	}
	st := synthetic.State(2, 10)
	p := plan.Diff(nil, mustBuild(t, st, synthetic.Network(1)))
	i := slices.IndexFunc(p.Changes, func(c plan.Change) bool { return c.Kind == plan.Advertise })
	bare := *p.Changes[i].After
	bare.Services = nil
	p.Changes[i].After = &bare
	if r := plan.Preflight(t.Context(), p, nil, &gate{verdict: policy.Allow}); r.Verdict != policy.Refuse || !r.Has(plan.RuleUnbound) {
		t.Errorf("an unbound route: %+v", r)
	}
}

func TestMaxRemovals(t *testing.T) {
	for customer, want := range map[int]int{0: 20, 100: 20, 2_099: 20, 2_100: 21, 4_306: 43} {
		if got := plan.MaxRemovals(customer); got != want {
			t.Errorf("of %d: %d, want %d", customer, got, want)
		}
	}
}
