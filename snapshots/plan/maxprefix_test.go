package plan_test

import (
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// TestMaxPrefix: a far end's limit stops what adds beyond 95 % of it and is
// remarked upon beyond 80 %, at a neighbor as at a transit behind an edge.
func TestMaxPrefix(t *testing.T) {
	st := synthetic.State(3, 200)
	four := 0
	for _, b := range st.BGPPrefixes {
		if b.CIDR.Addr().Is4() {
			four++
		}
	}
	// The 9999th is an IPv4 prefix too: the table grows to four + 1.
	limited := func(limit int) func(*snapshots.NetworkPart) {
		return func(n *snapshots.NetworkPart) { n.Neighbors[0].Limit.IPv4 = limit }
	}
	behind := func(limit int) func(*snapshots.NetworkPart) {
		return func(n *snapshots.NetworkPart) {
			n.Neighbors[0].Kind, n.Neighbors[0].Role = policy.Edge, policy.NoRole
			n.Transits = []snapshots.Transit{{Name: "upstream", Site: snapshots.DefaultSite, Limit: policy.MaxPrefix{IPv4: limit}}}
		}
	}
	barely := (four + 1) * 100 / 95 // the largest limit that is still too small
	none := func(*snapshots.NetworkPart) {}
	add := func(st *addressing.State) { synthetic.Add(st, 9999, st.Accounts[0].ID) }
	for name, tc := range map[string]struct {
		before, after func(*snapshots.NetworkPart)
		change        func(*addressing.State)
		origin        plan.Origin
		want          policy.Verdict
		why           string // "" wants no word of it
	}{
		"no limit known":                    {none, none, add, "", policy.Allow, ""},
		"far below":                         {limited(10 * four), limited(10 * four), add, "", policy.Allow, ""},
		"between 80 and 95 %":               {limited(four * 10 / 9), limited(four * 10 / 9), add, "", policy.Allow, "neighbor transit-a would hold"},
		"above 95 %":                        {limited(four + 2), limited(four + 2), add, "", policy.Refuse, "neighbor transit-a would hold"},
		"just above 95 %":                   {limited(barely), limited(barely), add, "", policy.Refuse, "ipv4-unicast prefixes of its max-prefix"},
		"just not above 95 %":               {limited(barely + 1), limited(barely + 1), add, "", policy.Allow, "neighbor transit-a would hold"},
		"behind an edge, above 95 %":        {behind(four + 2), behind(four + 2), add, "", policy.Refuse, "transit upstream behind site default would hold"},
		"behind an edge, above 80 %":        {behind(four * 10 / 9), behind(four * 10 / 9), add, "", policy.Allow, "transit upstream behind site default"},
		"a withdrawal from a full table":    {limited(four), limited(four), withdraw(1), "", policy.Allow, "transit-a"},
		"a limit that is lowered":           {limited(10 * four), limited(four), func(*addressing.State) {}, plan.FromConfig, policy.Allow, "transit-a"},
		"a way back stops at the limit":     {limited(four), limited(four), add, plan.FromRollback, policy.Refuse, "refused from 100 %"},
		"a way back may pass 95 %":          {limited(four + 1), limited(four + 1), add, plan.FromRollback, policy.Allow, "transit-a"},
		"a session that takes none of them": {none, func(n *snapshots.NetworkPart) { n.Neighbors[0].Limit.IPv6 = 1_000_000 }, add, "", policy.Allow, ""},
	} {
		t.Run(name, func(t *testing.T) {
			was, is := synthetic.Network(1), synthetic.Network(1)
			tc.before(&was)
			tc.after(&is)
			after := clone(st)
			tc.change(&after)
			p := plan.Diff(mustBuild(t, st, was), mustBuild(t, after, is))
			p.Origin = tc.origin
			p.Explain(explained(addressing.Operator))
			r := plan.Preflight(t.Context(), p, nil, &gate{verdict: policy.Allow})
			if r.Verdict != tc.want {
				t.Errorf("%s, want %s: %+v", r.Verdict, tc.want, r.Findings)
			}
			said := ""
			for _, f := range r.Findings {
				if f.Rule == plan.RuleMaxPrefix {
					said += f.Why
				}
			}
			if tc.why == "" && said != "" || !strings.Contains(said, tc.why) {
				t.Errorf("said %q, want %q in it", said, tc.why)
			}
			if got := len(p.Overfilling()); (got > 0) != (tc.want == policy.Refuse) {
				t.Errorf("%d changes overfill a table", got)
			}
		})
	}
}
