package gobgp

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/device"
	frontend "github.com/holdfast-bgp/holdfast/policy/device/gobgp"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// rendered is what loadPolicy configures, as gobgpd would read it from a file.
// It is made of the same sets and statements.
func rendered(t *testing.T, neighbors []Neighbor, change func([]*api.Statement)) []byte {
	t.Helper()
	var peers, neighborSets, largeSets, out []object
	for i, n := range neighbors {
		peers = append(peers, object{"config": object{"neighbor-address": n.Address.String(), "peer-as": n.ASN, "local-as": n.LocalASN}})
		for _, d := range definedSets(i+1, n) {
			if d.DefinedType == api.DefinedType_NEIGHBOR {
				neighborSets = append(neighborSets, object{"neighbor-set-name": d.Name, "neighbor-info-list": d.List})
				continue
			}
			largeSets = append(largeSets, object{"large-community-set-name": d.Name, "large-community-list": d.List})
		}
		list := statements(i+1, n)
		change(list)
		for _, s := range list {
			out = append(out, statementObject(s))
		}
	}
	imports := object{"name": importPolicy, "statements": []object{{
		"name": "local", "conditions": object{"bgp-conditions": object{"route-type": "local"}}, "actions": object{"route-disposition": "accept-route"},
	}}}
	text, err := json.Marshal(object{
		"global": object{"config": object{"as": neighbors[0].LocalASN, "router-id": "192.0.2.1"}, "apply-policy": object{"config": object{
			"import-policy-list": []string{importPolicy}, "default-import-policy": "reject-route",
			"export-policy-list": []string{exportPolicy}, "default-export-policy": "reject-route",
		}}},
		"neighbors":          peers,
		"defined-sets":       object{"neighbor-sets": neighborSets, "bgp-defined-sets": object{"large-community-sets": largeSets}},
		"policy-definitions": []object{imports, {"name": exportPolicy, "statements": out}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func statementObject(s *api.Statement) object {
	conditions, actions := object{}, object{}
	if c := s.Conditions; c != nil {
		conditions["match-neighbor-set"] = object{"neighbor-set": c.NeighborSet.GetName()}
		conditions["bgp-conditions"] = object{"match-large-community-set": object{"large-community-set": c.LargeCommunitySet.GetName()}}
	}
	if s.Actions.RouteAction == api.RouteAction_ACCEPT {
		actions["route-disposition"] = "accept-route"
	}
	return object{"name": s.Name, "conditions": conditions, "actions": actions}
}

// The policy GoBGP holds behind the guard is proved at every start. What would
// make it leak, and what cannot be judged, stops the start.
func TestEnginePolicyIsVetted(t *testing.T) {
	const asn = 64496
	accept := &api.Actions{RouteAction: api.RouteAction_ACCEPT}
	toUp := &api.MatchSet{Type: api.MatchSet_ANY, Name: upLeg}
	for _, c := range []struct {
		name  string
		first *api.Statement
		ok    bool
	}{
		{"as it is", nil, true},
		{"everything", &api.Statement{Name: "x", Actions: accept}, false},
		{"everything up", &api.Statement{Name: "x", Conditions: &api.Conditions{NeighborSet: toUp}, Actions: accept}, false},
		{"what came from up", &api.Statement{Name: "x", Conditions: &api.Conditions{NeighborSet: toUp, LargeCommunitySet: &api.MatchSet{Name: upMark}}, Actions: accept}, false},
		{"what is not ours", &api.Statement{Name: "x", Conditions: &api.Conditions{LargeCommunitySet: &api.MatchSet{Type: api.MatchSet_INVERT, Name: ownMark}}, Actions: accept}, false},
		{"to customers", &api.Statement{Name: "x", Conditions: &api.Conditions{NeighborSet: &api.MatchSet{Name: downLeg}}, Actions: accept}, true},
		{"a condition nobody judges", &api.Statement{Name: "x", Conditions: &api.Conditions{NeighborSet: toUp, RouteType: api.Conditions_ROUTE_TYPE_INTERNAL}, Actions: accept}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newGuardedLab(t, asn)
			ctx := t.Context()
			if c.first != nil {
				p := &api.Policy{Name: "added", Statements: []*api.Statement{c.first}}
				if err := l.server.AddPolicy(ctx, &api.AddPolicyRequest{Policy: p}); err != nil {
					t.Fatal(err)
				}
				err := l.server.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
					Name: globalTable, Direction: api.PolicyDirection_EXPORT, DefaultAction: api.RouteAction_REJECT,
					Policies: []*api.Policy{{Name: "added"}, {Name: exportPolicy}},
				}})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := l.vet(ctx); (err == nil) != c.ok || err != nil && !errors.Is(err, ErrLeaks) {
				t.Errorf("vet: %v, want clean %v", err, c.ok)
			}
		})
	}
}

// newGuardedLab is GoBGP with the policy of the guarded speaker and no
// neighbors.
func newGuardedLab(t *testing.T, asn uint32) *rib {
	t.Helper()
	r, err := newRIB(Config{ASN: asn, RouterID: netip.MustParseAddr("192.0.2.1"), Logger: slog.New(slog.DiscardHandler)}, "key")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// Our own export policy cannot leak: what it lets out carries a tag that no
// learned route has, and no learned route is imported. The same check finds the
// leak once a statement loses its conditions and import is open.
func TestOwnPolicyIsClean(t *testing.T) {
	all := addressing.Families()
	families := all[:]
	neighbors := []Neighbor{
		{Neighbor: policy.Neighbor{Name: "transit", Kind: policy.EBGP, Address: netip.MustParseAddr("192.0.2.2"), ASN: 64500, LocalASN: 64496, Families: families, NextHop4: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("2001:db8::1")}},
		{Neighbor: policy.Neighbor{Name: "peer", Kind: policy.EBGP, Address: netip.MustParseAddr("192.0.2.3"), ASN: 64511, LocalASN: 64496, Families: families, NextHop4: netip.MustParseAddr("192.0.2.1")}},
		{Neighbor: policy.Neighbor{Name: "edge", Kind: policy.Edge, Address: netip.MustParseAddr("192.0.2.4"), ASN: 64496, LocalASN: 64496, Families: families, NextHop4: netip.MustParseAddr("192.0.2.1")}},
	}
	check := func(change func([]*api.Statement), open bool) (res *lint.Result, proved int) {
		text := rendered(t, neighbors, change)
		cfg := frontend.Parse(device.Input{Path: "holdfast.json", Data: text})
		if cfg.Broken {
			t.Fatalf("not loaded: %+v", cfg.Diagnostics)
		}
		if open {
			for _, s := range cfg.Sessions {
				s.Import = device.Pipeline{}
			}
		}
		res = lint.None().Check(cfg)
		for _, f := range res.Findings {
			if f.Witness != nil || f.Undecided {
				proved++
			}
		}
		return res, proved
	}
	res, proved := check(func([]*api.Statement) {}, false)
	if proved > 0 || res.Judged != 2 || res.Clean != 2 {
		t.Errorf("%d of %d external sessions are clean: %+v", res.Clean, res.Judged, res.Findings)
	}
	if _, proved = check(func(ss []*api.Statement) { ss[0].Conditions = nil }, true); proved == 0 {
		t.Error("a statement without conditions is not found")
	}
}
