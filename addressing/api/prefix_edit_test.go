package api_test

import (
	"net/http"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// TestEditPrefixAndRoute: operators say who is in control, who may toggle, where
// a route is and how it rests; what says nothing is refused.
func TestEditPrefixAndRoute(t *testing.T) {
	w := newWorld(t)
	d := w.prefix(w.account, "198.51.100.0/24", true)
	prefix := "/v1/prefixes/" + d.ID
	route := prefix + "/routes/" + d.BGP[0].ID
	for _, tt := range []struct {
		name, path, body string
		want             int
		holds            func(api.PrefixStatus) bool
	}{
		{"control", prefix, `{"control":"bgp","reason":"ADR-08"}`, http.StatusOK, func(p api.PrefixStatus) bool { return p.Control == "bgp" && p.Desired == "advertised" }},
		{"back", prefix, `{"control":"api"}`, http.StatusOK, func(p api.PrefixStatus) bool { return p.Control == "api" }},
		{"lock", prefix, `{"on_demand_locked":true}`, http.StatusOK, func(p api.PrefixStatus) bool { return p.OnDemandLocked }},
		{"nothing", prefix, `{"reason":"why not"}`, http.StatusBadRequest, nil},
		{"another control", prefix, `{"control":"both"}`, http.StatusBadRequest, nil},
		{"resting", route, `{"resting":"withdrawn"}`, http.StatusOK, func(p api.PrefixStatus) bool { return p.Routes[0].Resting == "withdrawn" && p.Desired == "advertised" }},
		{"sites", route, `{"sites":["fra","ams"]}`, http.StatusOK, func(p api.PrefixStatus) bool {
			return len(p.Routes[0].Sites) == 2 && p.Routes[0].Sites[0] == "ams"
		}},
		{"all sites", route, `{"all_sites":true}`, http.StatusOK, func(p api.PrefixStatus) bool { return len(p.Routes[0].Sites) != 2 }},
		{"no sites", route, `{"sites":[]}`, http.StatusBadRequest, nil},
		{"a site twice", route, `{"sites":["fra","fra"]}`, http.StatusBadRequest, nil},
		{"both", route, `{"sites":["fra"],"all_sites":true}`, http.StatusBadRequest, nil},
		{"not all", route, `{"all_sites":false}`, http.StatusBadRequest, nil},
		{"nothing of a route", route, `{"reason":"why not"}`, http.StatusBadRequest, nil},
		{"another's route", "/v1/prefixes/" + d.ID + "/routes/" + d.ID, `{"resting":"withdrawn"}`, http.StatusNotFound, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := w.version()
			got := w.do("operator", http.MethodPatch, tt.path, tt.body)
			if got.status != tt.want {
				t.Fatalf("%d: %s", got.status, got.body)
			}
			if tt.holds == nil {
				if w.version() != before {
					t.Error("a refused request changed desired state")
				}
				return
			}
			var p api.PrefixStatus
			if got.json(t, &p); !tt.holds(p) {
				t.Errorf("%s", got.body)
			}
		})
	}
	if got := w.do("admin", http.MethodPatch, prefix, `{"control":"bgp"}`); got.status != http.StatusForbidden {
		t.Errorf("an owner's answer is %d: %s", got.status, got.body)
	}
}
