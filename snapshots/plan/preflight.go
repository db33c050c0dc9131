package plan

import (
	"context"
	"fmt"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Check is one rule that looks at a whole plan. It returns findings of Hold or
// Refuse; Allow findings are remarks. An error means that it could not decide:
// the plan is held.
type Check interface {
	Check(ctx context.Context, p Plan) ([]policy.Finding, error)
}

// Names of the rules that Preflight itself applies.
const (
	RuleEnvironment  = "plan.environment"
	RuleUnbound      = "plan.unbound"
	RuleSize         = "plan.W5"
	RuleUnexplained  = "plan.unexplained"
	RuleLostDatabase = "plan.lost-database"
	RuleIntent       = "plan.negative-intent"
	RuleGate         = "plan.gate"
	RuleCheck        = "plan.check"
)

// MaxRemovals is limit W5: how many losses one snapshot's difference may
// carry, given the number of advertised customer routes before it.
func MaxRemovals(customer int) int { return max(20, customer/100) }

// Preflight judges a plan: its own rules, then the checks, then the gate. The
// strictest verdict wins. The gate is asked last, and only about a plan that
// nothing else refuses and that changes more than limits in force, which two
// persons or nobody had to agree to before: so it charges nothing for those. No gate, or one that fails, holds. A rollback that loses nothing
// is a restore: the gate hears of it but cannot stop it (W8).
func Preflight(ctx context.Context, p Plan, checks []Check, gate Gate) Report {
	r := Report{Verdict: policy.Allow, Findings: []policy.Finding{}}
	r.add(environment(p)...)
	r.add(unbound(p)...)
	r.add(intents(p)...)
	r.add(maxPrefix(p)...)
	if p.Origin != FromRollback || len(p.Losses()) > 0 {
		r.add(lostDatabase(p)...)
		r.add(size(p)...)
		r.add(unexplained(p)...)
	}
	for _, c := range checks {
		findings, err := c.Check(ctx, p)
		r.add(findings...)
		if err != nil {
			r.add(policy.Finding{Rule: RuleCheck, Verdict: policy.Hold, Why: "a check could not decide: " + err.Error(), Next: "the plan is tried again with the next change"})
		}
	}
	if r.Verdict != policy.Refuse && !p.Quiet() {
		r.judge(ctx, p, gate)
	}
	return r
}

// Has reports whether a rule spoke.
func (r Report) Has(rule string) bool {
	for _, f := range r.Findings {
		if f.Rule == rule {
			return true
		}
	}
	return false
}

func (r *Report) add(findings ...policy.Finding) {
	for _, f := range findings {
		r.Findings = append(r.Findings, f)
		r.Verdict = min(r.Verdict, f.Verdict)
	}
}

func (r *Report) judge(ctx context.Context, p Plan, gate Gate) {
	verdict, findings, err := policy.Hold, []policy.Finding(nil), error(nil)
	if gate != nil {
		verdict, findings, err = gate.Judge(ctx, p)
	}
	switch {
	case gate == nil:
		findings = []policy.Finding{{Rule: RuleGate, Verdict: policy.Hold, Why: "there is no breaker to ask", Next: "start the daemon with its breaker"}}
	case err != nil:
		verdict = policy.Hold
		findings = append(findings, policy.Finding{Rule: RuleGate, Verdict: policy.Hold, Why: "the breaker could not decide: " + err.Error(), Next: "holdfast breaker status"})
	}
	r.Findings = append(r.Findings, findings...)
	if p.Origin == FromRollback && len(p.Losses()) == 0 {
		return
	}
	r.Verdict = min(r.Verdict, verdict)
}

// environment refuses a plan between two environments (invariant 12).
func environment(p Plan) []policy.Finding {
	from, to := p.Snapshots()
	ok := p.Environment != "" && p.To != "" && (to == nil || to.Environment == p.Environment) && (from == nil || from.Environment == p.Environment)
	if ok {
		return nil
	}
	return []policy.Finding{{
		Rule: RuleEnvironment, Verdict: policy.Refuse,
		Why:  fmt.Sprintf("plan of environment %q joins snapshots of other environments, or one that was not validated", p.Environment),
		Next: "check which database and which snapshot directory the configuration names",
	}}
}

// unbound refuses a route without a service (invariant 1).
func unbound(p Plan) []policy.Finding {
	var out []policy.Finding
	for _, c := range p.Changes {
		if c.After != nil && len(c.After.Services) == 0 {
			out = append(out, policy.Finding{
				Rule: RuleUnbound, Verdict: policy.Refuse, Account: c.Account, Prefix: c.CIDR.String(),
				Why: "no service is bound over it", Next: "bind a service first, then advertise",
			})
		}
	}
	return out
}

// size is W5. What owners withdraw of their own is charged to their account
// and not counted here (W7), nor is what another person approved.
func size(p Plan) []policy.Finding {
	n := 0
	for _, c := range p.Changes {
		if c.Loses && c.By != addressing.Owner && !c.Approved {
			n++
		}
	}
	limit := MaxRemovals(sumOf(p.Impact.Customer).Before)
	if n <= limit {
		return nil
	}
	return []policy.Finding{{
		Rule: RuleSize, Verdict: policy.Refuse, Scope: "global",
		Why:  fmt.Sprintf("%d routes would lose reachability in one step, the limit is %d", n, limit),
		Next: "split the change, or have a budget approved for it",
	}}
}

// unexplained refuses losses that no admitted ChangeSet names: desired state
// moved behind the daemon's back.
func unexplained(p Plan) []policy.Finding {
	lost := p.unexplained()
	if len(lost) == 0 {
		return nil
	}
	const shown = 10
	out := []policy.Finding{{
		Rule: RuleUnexplained, Verdict: policy.Refuse, Scope: "global",
		Why:  fmt.Sprintf("%d routes would lose reachability without any admitted change that says so", len(lost)),
		Next: "somebody wrote to the database directly: holdfast rollback --all puts desired state back",
	}}
	for _, c := range lost[:min(shown, len(lost))] {
		out = append(out, policy.Finding{Rule: RuleUnexplained, Verdict: policy.Refuse, Account: c.Account, Prefix: c.CIDR.String(), Why: string(c.Kind) + " that nobody asked for"})
	}
	return out
}

// intents refuses to bring up what is down on purpose when no admitted change
// lifted the intent (invariant 15): the row was lost, not lifted.
func intents(p Plan) []policy.Finding {
	var out []policy.Finding
	for _, c := range p.Changes {
		if p.lifted(c) && c.Set == "" {
			out = append(out, policy.Finding{
				Rule: RuleIntent, Verdict: policy.Refuse, Account: c.Account, Prefix: c.CIDR.String(),
				Why:  "it is down on purpose (" + c.Lifts + ") and no change lifted that",
				Next: "lift it by name: holdfast prefix unblock",
			})
		}
	}
	return out
}

// lostDatabase recognises the shape of a database that was lost, emptied or
// replaced: everything of a kind is gone and no admitted change explains it,
// or more is gone unexplained than one step may remove (DESIGN section 4).
func lostDatabase(p Plan) []policy.Finding {
	from, to := p.Snapshots()
	if from == nil || to == nil {
		return nil
	}
	why := ""
	lost := len(p.unexplained())
	switch {
	case len(from.Accounts) > 0 && len(to.Accounts) == 0:
		why = fmt.Sprintf("all %d accounts are gone", len(from.Accounts))
	case records(from.Manifest().Accounts) > 0 && records(to.Manifest().Accounts) == 0 && len(p.Admitted) == 0:
		why = "all prefixes are gone and no change was admitted"
	case lost > MaxRemovals(sumOf(p.Impact.Customer).Before):
		why = fmt.Sprintf("%d routes are gone and no admitted change says so", lost)
	case lost > 0:
		why = familyGone(p)
	}
	if why == "" {
		return nil
	}
	return []policy.Finding{{
		Rule: RuleLostDatabase, Verdict: policy.Refuse, Scope: "global",
		Why:  "desired state looks lost: " + why,
		Next: "nothing was withdrawn and nothing will be: restore the database, or rebuild it from the last-known-good snapshot with holdfast restore --all",
	}}
}

// familyGone names a family that had routes and has none.
func familyGone(p Plan) string {
	for _, f := range addressing.Families() {
		if n := p.Impact.Total[f]; n.Before > 0 && n.After == 0 {
			return fmt.Sprintf("all %d routes of %s are gone", n.Before, f)
		}
	}
	return ""
}

func records(refs []snapshots.AccountRef) int {
	n := 0
	for _, a := range refs {
		n += a.Prefixes
	}
	return n
}

func sumOf(m map[addressing.Family]Count) Count {
	var out Count
	for _, c := range m {
		out.Before += c.Before
		out.After += c.After
		out.Advertise += c.Advertise
		out.Withdraw += c.Withdraw
		out.Modify += c.Modify
	}
	return out
}
