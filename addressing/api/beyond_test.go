package api_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// afar is a network beyond us in which one edge of two drops everything, and
// nobody is outside.
type afar struct{}

func (afar) Sightings(_ netip.Prefix, neighbors []string) []api.Sighting {
	if len(neighbors) == 0 {
		return []api.Sighting{{Stage: api.SightingStageAccepted, Answer: api.BeyondAnswerUnknown, Communities: []string{}}}
	}
	why := "no outside router is configured"
	return []api.Sighting{
		{Stage: api.SightingStageAccepted, Router: "ams1", Session: "ams1-v4", Witness: "ams1", Answer: api.BeyondAnswerYes, Communities: []string{}},
		{Stage: api.SightingStageAccepted, Router: "fra1", Session: "fra1-v4", Witness: "fra1", Answer: api.BeyondAnswerNo, Communities: []string{}},
		{Stage: api.SightingStageToTransit, Router: "ams1", Session: "transit-a", Witness: "ams1", Answer: api.BeyondAnswerYes, Communities: []string{}},
		{Stage: api.SightingStageOutside, Answer: api.BeyondAnswerUnknown, Communities: []string{}, Why: &why},
	}
}

func (afar) State() ([]api.BeyondFinding, []api.BeyondRouter, uint64) {
	return []api.BeyondFinding{{Kind: api.BeyondFindingKindDropped, Router: "fra1", Prefixes: 3, Examples: []string{}, Communities: []string{}}},
		[]api.BeyondRouter{{Name: "ams1", Up: true}}, 1
}

// One prefix tells how far it has come; what nobody tells is unknown, and one
// router that says no outweighs one that says yes. Lists do not look that far.
func TestBeyond(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "192.0.2.0/24", true)
	w.build()
	var p client.PrefixStatus
	w.do("admin", "GET", "/v1/prefixes/"+d.ID, "").json(t, &p)
	b := p.Routes[0].Beyond
	if b == nil || b.Sent != client.BeyondAnswerYes || b.Accepted != client.BeyondAnswerNo || b.ToTransit != client.BeyondAnswerYes || b.Outside != client.BeyondAnswerUnknown || len(b.Sightings) != 4 {
		t.Fatalf("%+v", b)
	}
	if want := "accepted by edge: no (fra1 fra1-v4), sent to transit: yes, seen outside: unknown"; !strings.Contains(p.Summary, want) {
		t.Errorf("summary %q, want %q in it", p.Summary, want)
	}
	var l client.PrefixStatusList
	w.do("admin", "GET", "/v1/prefixes", "").json(t, &l)
	if slices.ContainsFunc(l.Items, func(p client.PrefixStatus) bool { return len(p.Routes) > 0 && p.Routes[0].Beyond != nil }) {
		t.Error("a list looks beyond the edge")
	}
	var r client.BeyondReport
	w.do("observer", "GET", "/v1/beyond", "").json(t, &r)
	if r.Count != 1 || r.Items[0].Router != "fra1" || len(r.Routers) != 1 || r.RefusedConnections != 1 {
		t.Errorf("%+v", r)
	}
}
