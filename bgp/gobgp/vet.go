package gobgp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
	"google.golang.org/protobuf/proto"

	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/device"
	frontend "github.com/holdfast-bgp/holdfast/policy/device/gobgp"
	"github.com/holdfast-bgp/holdfast/policy/device/lint"
)

// ErrLeaks is returned at start when the export policy GoBGP holds is not proved
// to keep routes of providers, peers and route servers from each other.
var ErrLeaks = errors.New("our own export policy is not proved free of leaks")

type object = map[string]any

// vet reads the policy back that GoBGP holds and has it judged by the linter, as
// if every neighbor's routes were let in (invariant 8): one leg per role. What
// cannot be decided is refused like a leak.
func (r *rib) vet(ctx context.Context) error {
	text, err := held(ctx, r.server, r.cfg.ASN)
	if err != nil {
		return err
	}
	return judge(text, r.cfg.ASN)
}

// judge proves a rendered configuration clean on every leg towards a provider, a
// peer or a route server.
func judge(text []byte, asn uint32) error {
	cfg := frontend.Parse(device.Input{Path: "engine.json", Data: text})
	if cfg.Broken {
		return fmt.Errorf("%w: GoBGP would not load it: %s", ErrLeaks, cfg.Diagnostics[0].Message)
	}
	for _, s := range cfg.Sessions {
		s.Import = device.Pipeline{}
	}
	d, err := lint.Declare(marks(asn))
	if err != nil {
		return err
	}
	res := d.Check(cfg)
	for i := range res.Findings {
		if f := &res.Findings[i]; f.Witness != nil || f.Undecided || f.Rule == "RL501" {
			return fmt.Errorf("%w: %s: %s", ErrLeaks, f.Rules(), f.Message)
		}
	}
	up := 0
	for _, role := range policy.Roles() {
		if goesUp(role) {
			up++
		}
	}
	if res.Clean != up {
		return fmt.Errorf("%w: %d of %d legs judged", ErrLeaks, res.Clean, up)
	}
	return nil
}

// goesUp reports whether the neighbors of a leg are providers, peers or route
// servers; role is ours.
func goesUp(role policy.Role) bool { return role != policy.RoleProvider && role != policy.RoleRS }

// marks declares what the role communities mean, and what the legs are.
func marks(asn uint32) []byte {
	mark := func(sources ...policy.Source) string {
		var out []string
		for _, s := range sources {
			out = append(out, fmt.Sprintf("%q", policy.RoleCommunity(asn, s)))
		}
		return "[" + strings.Join(out, ", ") + "]"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "asns: [%d]\nibgp: tagged\nroles:\n", asn)
	for _, role := range policy.Roles() {
		theirs := device.Customer
		switch role {
		case policy.RoleCustomer:
			theirs = device.Provider
		case policy.RolePeer:
			theirs = device.Peer
		case policy.RoleRSClient:
			theirs = device.RouteServer
		}
		fmt.Fprintf(&b, "  - {role: %s, neighbors: [%s]}\n", theirs, guard.LegNetwork(role))
	}
	fmt.Fprintf(&b, "tags:\n  own: %s\n  customer: %s\n  provider: %s\n  peer: %s\n",
		mark(policy.FromSelf), mark(policy.FromCustomer), mark(policy.FromProvider), mark(policy.FromPeer, policy.FromRS, policy.FromInternal))
	return []byte(b.String())
}

// held is the export policy of GoBGP as gobgpd would read it from a file, with a
// neighbor on every leg. A set, condition or action that it cannot write down is
// an error.
func held(ctx context.Context, s *server.BgpServer, asn uint32) ([]byte, error) {
	sets, err := heldSets(ctx, s)
	if err != nil {
		return nil, err
	}
	var assigned *api.PolicyAssignment
	err = s.ListPolicyAssignment(ctx, &api.ListPolicyAssignmentRequest{Name: globalTable, Direction: api.PolicyDirection_EXPORT}, func(a *api.PolicyAssignment) { assigned = a })
	if err != nil {
		return nil, fmt.Errorf("read the export policy: %w", err)
	}
	if assigned == nil {
		return nil, fmt.Errorf("%w: GoBGP has none and accepts by default", ErrLeaks)
	}
	var names []string
	var definitions []object
	for _, p := range assigned.Policies {
		var list []object
		for _, st := range p.Statements {
			o, err := heldStatement(st)
			if err != nil {
				return nil, fmt.Errorf("policy %s: statement %s: %w", p.Name, st.Name, err)
			}
			list = append(list, o)
		}
		names = append(names, p.Name)
		definitions = append(definitions, object{"name": p.Name, "statements": list})
	}
	def := "accept-route"
	if assigned.DefaultAction == api.RouteAction_REJECT {
		def = "reject-route"
	}
	peers := []object{{"config": object{"neighbor-address": guard.LegNetwork(policy.NoRole).Addr().Next().String(), "peer-as": asn}}}
	for i, role := range policy.Roles() {
		peers = append(peers, object{"config": object{"neighbor-address": guard.LegNetwork(role).Addr().Next().String(), "peer-as": 64512 + i}})
	}
	return json.Marshal(object{
		"global": object{"config": object{"as": asn, "router-id": "192.0.2.1"}, "apply-policy": object{"config": object{
			"export-policy-list": names, "default-export-policy": def,
		}}},
		"neighbors": peers, "defined-sets": sets, "policy-definitions": definitions,
	})
}

func heldSets(ctx context.Context, s *server.BgpServer) (object, error) {
	var neighbors, large []object
	for _, kind := range []api.DefinedType{api.DefinedType_NEIGHBOR, api.DefinedType_LARGE_COMMUNITY} {
		err := s.ListDefinedSet(ctx, &api.ListDefinedSetRequest{DefinedType: kind}, func(d *api.DefinedSet) {
			if kind == api.DefinedType_NEIGHBOR {
				neighbors = append(neighbors, object{"neighbor-set-name": d.Name, "neighbor-info-list": d.List})
				return
			}
			large = append(large, object{"large-community-set-name": d.Name, "large-community-list": d.List})
		})
		if err != nil {
			return nil, fmt.Errorf("read the sets: %w", err)
		}
	}
	return object{"neighbor-sets": neighbors, "bgp-defined-sets": object{"large-community-sets": large}}, nil
}

// heldStatement writes a statement down. Only conditions that are written can
// restrict it, only actions that are written can be judged.
func heldStatement(s *api.Statement) (object, error) {
	conditions, actions := object{}, object{}
	if s.Conditions != nil {
		c := proto.CloneOf(s.Conditions)
		if c.NeighborSet != nil {
			conditions["match-neighbor-set"] = object{"neighbor-set": c.NeighborSet.Name, "match-set-options": option(c.NeighborSet.Type)}
		}
		if c.LargeCommunitySet != nil {
			conditions["bgp-conditions"] = object{"match-large-community-set": object{
				"large-community-set": c.LargeCommunitySet.Name, "match-set-options": option(c.LargeCommunitySet.Type),
			}}
		}
		c.NeighborSet, c.LargeCommunitySet, c.RpkiResult = nil, nil, 0
		if !proto.Equal(c, &api.Conditions{}) {
			return nil, fmt.Errorf("%w: a condition that is not judged: %v", ErrLeaks, c)
		}
	}
	if s.Actions != nil {
		a := proto.CloneOf(s.Actions)
		switch a.RouteAction {
		case api.RouteAction_ACCEPT:
			actions["route-disposition"] = "accept-route"
		case api.RouteAction_REJECT:
			actions["route-disposition"] = "reject-route"
		}
		a.RouteAction = api.RouteAction_NONE
		if !proto.Equal(a, &api.Actions{}) {
			return nil, fmt.Errorf("%w: an action that is not judged: %v", ErrLeaks, a)
		}
	}
	return object{"name": s.Name, "conditions": conditions, "actions": actions}, nil
}

func option(t api.MatchSet_Type) string {
	switch t {
	case api.MatchSet_ALL:
		return "all"
	case api.MatchSet_INVERT:
		return "invert"
	}
	return "any"
}
