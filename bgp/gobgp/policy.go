package gobgp

import (
	"context"
	"fmt"
	"net/netip"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// tagASN is the global part of the tags: reserved (RFC 7300), so no Target may
// carry it and no neighbor of ours can own it.
const tagASN = 4294967295

// variant says which attributes a neighbor gets for a path.
type variant uint8

const (
	plain variant = iota // the path's
	own                  // the path's with what the neighbor's configuration sets
)

// everybody is the tag index for all neighbors whose session carries the family.
const everybody = 0

// tag is what lets a path out to the neighbor with this index.
func tag(index int, v variant) policy.LargeCommunity {
	return policy.LargeCommunity{Global: tagASN, Local1: uint32(index), Local2: uint32(v)}
}

const (
	globalTable  = "global"
	importPolicy = "holdfast-import"
	exportPolicy = "holdfast-export"
)

// loadPolicy replaces GoBGP's default, accept, before any neighbor exists
// (invariant 8). Import takes local paths only, export what is tagged.
func loadPolicy(ctx context.Context, s *server.BgpServer, neighbors []Neighbor) error {
	for i, n := range neighbors {
		for _, set := range definedSets(i+1, n) {
			if err := s.AddDefinedSet(ctx, &api.AddDefinedSetRequest{DefinedSet: set}); err != nil {
				return fmt.Errorf("defined set %s: %w", set.Name, err)
			}
		}
	}
	imports := &api.Policy{Name: importPolicy, Statements: []*api.Statement{{
		Name:       "local",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	exports := &api.Policy{Name: exportPolicy}
	for i, n := range neighbors {
		exports.Statements = append(exports.Statements, statements(i+1, n)...)
	}
	if err := assign(ctx, s, imports, api.PolicyDirection_IMPORT); err != nil {
		return err
	}
	return assign(ctx, s, exports, api.PolicyDirection_EXPORT)
}

func assign(ctx context.Context, s *server.BgpServer, p *api.Policy, dir api.PolicyDirection) error {
	if err := s.AddPolicy(ctx, &api.AddPolicyRequest{Policy: p}); err != nil {
		return fmt.Errorf("policy %s: %w", p.Name, err)
	}
	err := s.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: globalTable, Direction: dir, Policies: []*api.Policy{p}, DefaultAction: api.RouteAction_REJECT,
	}})
	if err != nil {
		return fmt.Errorf("assign policy %s: %w", p.Name, err)
	}
	return nil
}

func definedSets(index int, n Neighbor) []*api.DefinedSet {
	host := netip.PrefixFrom(n.Address, n.Address.BitLen())
	return []*api.DefinedSet{
		{DefinedType: api.DefinedType_NEIGHBOR, Name: setName("to", index), List: []string{host.String()}},
		{DefinedType: api.DefinedType_LARGE_COMMUNITY, Name: setName("plain", index), List: []string{tagPattern(index, plain)}},
		{DefinedType: api.DefinedType_LARGE_COMMUNITY, Name: setName("own", index), List: []string{tagPattern(index, own)}},
	}
}

func setName(kind string, index int) string { return fmt.Sprintf("%s-%d", kind, index) }

func tagPattern(index int, v variant) string {
	return fmt.Sprintf("^%d:(%d|%d):%d$", tagASN, everybody, index, v)
}

// statements are the only ways out to one neighbor. Each is bound by the
// neighbor and by its tag: no condition is ever an empty set, which GoBGP would
// read as "any".
func statements(index int, n Neighbor) []*api.Statement {
	out := []*api.Statement{{
		Name:       setName("plain", index),
		Conditions: conditions(index, "plain"),
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT, LargeCommunity: stripTags()},
	}}
	for _, f := range addressing.Families() {
		if !n.Carries(f) || !nextHop(n.Neighbor, f).IsValid() {
			continue
		}
		name := fmt.Sprintf("own-%d-%s", index, f)
		if len(n.Large) > 0 {
			// One statement has one large community action: add here, strip below.
			out = append(out, &api.Statement{
				Name:       name + "-large",
				Conditions: familyConditions(index, f),
				Actions:    &api.Actions{LargeCommunity: &api.CommunityAction{Type: api.CommunityAction_ADD, Communities: texts(n.Large)}},
			})
		}
		out = append(out, &api.Statement{Name: name, Conditions: familyConditions(index, f), Actions: ownActions(n, f)})
	}
	return out
}

func ownActions(n Neighbor, f addressing.Family) *api.Actions {
	a := &api.Actions{
		RouteAction:    api.RouteAction_ACCEPT,
		LargeCommunity: stripTags(),
		Nexthop:        &api.NexthopAction{Address: nextHop(n.Neighbor, f).String()},
	}
	if len(n.Standard) > 0 {
		a.Community = &api.CommunityAction{Type: api.CommunityAction_ADD, Communities: texts(n.Standard)}
	}
	if n.MED != nil {
		a.Med = &api.MedAction{Type: api.MedAction_REPLACE, Value: int64(*n.MED)}
	}
	if n.LocalPref != nil && n.internal() {
		a.LocalPref = &api.LocalPrefAction{Value: *n.LocalPref}
	}
	if n.Prepend > 0 {
		a.AsPrepend = &api.AsPrependAction{Asn: n.LocalASN, Repeat: uint32(n.Prepend)}
	}
	return a
}

func conditions(index int, kind string) *api.Conditions {
	return &api.Conditions{
		NeighborSet:       &api.MatchSet{Type: api.MatchSet_ANY, Name: setName("to", index)},
		LargeCommunitySet: &api.MatchSet{Type: api.MatchSet_ANY, Name: setName(kind, index)},
	}
}

func familyConditions(index int, f addressing.Family) *api.Conditions {
	c := conditions(index, "own")
	c.AfiSafiIn = []*api.Family{apiFamily(f)}
	return c
}

func stripTags() *api.CommunityAction {
	return &api.CommunityAction{Type: api.CommunityAction_REMOVE, Communities: []string{fmt.Sprintf("^%d:", tagASN)}}
}

func texts[T fmt.Stringer](cs []T) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.String()
	}
	return out
}

func nextHop(n policy.Neighbor, f addressing.Family) netip.Addr {
	if f == addressing.IPv6 {
		return n.NextHop6
	}
	return n.NextHop4
}

func apiFamily(f addressing.Family) *api.Family {
	if f == addressing.IPv6 {
		return &api.Family{Afi: api.Family_AFI_IP6, Safi: api.Family_SAFI_UNICAST}
	}
	return &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
}
