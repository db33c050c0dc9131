package plan

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Kind is what happens to one route or binding.
type Kind string

// Kinds of change, in the order reports print them.
const (
	Advertise Kind = "advertise"
	Withdraw  Kind = "withdraw"
	Modify    Kind = "modify"
	Bind      Kind = "bind"
	Unbind    Kind = "unbind"
)

// Change is one difference between two snapshots.
type Change struct {
	Kind        Kind                   `json:"kind"`
	Account     string                 `json:"account"`
	AccountKind addressing.AccountKind `json:"account_kind"`
	CIDR        netip.Prefix           `json:"cidr"`
	Before      *snapshots.Route       `json:"before,omitempty"`
	After       *snapshots.Route       `json:"after,omitempty"`
	Service     string                 `json:"service,omitempty"` // of a Bind or Unbind
	Loses       bool                   `json:"loses"`             // reachability is or can be lost (DESIGN section 4, Loss)
	// Covered says of a withdrawal that a less specific route of the same
	// account and service stays advertised: it weighs less.
	Covered bool `json:"covered,omitempty"`
	// Lifts is the id of the negative intent that kept an advertised route
	// down before; nothing but a change that says so, or time, lifts one.
	Lifts string `json:"lifts,omitempty"`
	// Set and By name the admitted ChangeSet that explains the change, and in
	// whose capacity it was made; empty if none does (see Explain).
	Set string               `json:"change_set,omitempty"`
	By  addressing.ActorKind `json:"by,omitempty"`
	// Approved says that another person approved losing exactly this prefix.
	Approved bool `json:"approved,omitempty"`
	// AtOnce says that it passes in a lane of its own, see Reason.
	AtOnce bool `json:"at_once,omitempty"`

	liftsUntil int64 // when that intent expires by itself, Unix seconds; 0 is never
}

// NetworkChange is one difference in the network part.
type NetworkChange struct {
	Kind  Kind   `json:"kind"`  // Advertise: added, Withdraw: removed, Modify
	What  string `json:"what"`  // "neighbor", "site", "transit", "service", "asn", "negative_intent" or Limit
	Name  string `json:"name"`  // of the neighbor, site, transit, service, intent or limit
	Loses bool   `json:"loses"` // every route of a neighbor is or can be lost there
}

// Limit is What of a change of the breaker's limits in force. Who may make one
// is settled before they are in force; a snapshot records it.
const Limit = "limit"

// Count is advertised routes before and after, for one family.
type Count struct {
	Before    int `json:"before"`
	After     int `json:"after"`
	Advertise int `json:"advertise"`
	Withdraw  int `json:"withdraw"`
	Modify    int `json:"modify"`
}

// Impact counts a plan's changes. The outer key is an account id or a neighbor
// name; Total and Customer are over all accounts and over customer accounts.
// Account holds the accounts that the plan touches only.
type Impact struct {
	Total    map[addressing.Family]Count            `json:"total"`
	Customer map[addressing.Family]Count            `json:"customer"`
	Account  map[string]map[addressing.Family]Count `json:"account"`
	Neighbor map[string]map[addressing.Family]Count `json:"neighbor"`
	Bind     int                                    `json:"bind"`
	Unbind   int                                    `json:"unbind"`
}

// Plan is the difference between the active snapshot and a new one, with the
// people whose changes it carries.
type Plan struct {
	Environment string             `json:"environment"`
	From        snapshots.ID       `json:"from"`
	To          snapshots.ID       `json:"to"`
	Generation  uint64             `json:"generation"` // that the new snapshot will get
	At          time.Time          `json:"at"`
	Origin      Origin             `json:"origin"`
	Admitted    []string           `json:"admitted"` // ids of the ChangeSets it carries, admitted by the gate
	Actors      []addressing.Actor `json:"actors"`
	Changes     []Change           `json:"changes"`
	Network     []NetworkChange    `json:"network,omitempty"`
	Impact      Impact             `json:"impact"`

	from, to *snapshots.Snapshot
}

// Snapshots are the two sides of the plan; the first is nil on a first load,
// both are nil in a Plan that did not come from Diff.
func (p Plan) Snapshots() (from, to *snapshots.Snapshot) { return p.from, p.to }

// Empty reports whether the plan changes nothing that a neighbor, a service or
// a limit could notice. The snapshots may still differ, in a description say.
func (p Plan) Empty() bool { return len(p.Changes) == 0 && len(p.Network) == 0 }

// Quiet reports whether the plan changes nothing but limits in force, if
// anything: no neighbor and no service could notice.
func (p Plan) Quiet() bool {
	return len(p.Changes) == 0 && !slices.ContainsFunc(p.Network, func(n NetworkChange) bool { return n.What != Limit })
}

// Losses are the changes that lose or can lose reachability, one per prefix.
func (p Plan) Losses() []Change {
	var out []Change
	for _, c := range p.Changes {
		if c.Loses {
			out = append(out, c)
		}
	}
	return out
}

// Growth is the number of routes that the plan advertises anew.
func (p Plan) Growth() int {
	n := 0
	for _, c := range p.Impact.Total {
		n += c.Advertise
	}
	return n
}

// Origin says where a plan comes from; it decides the lane.
type Origin string

// Origins of a plan.
const (
	FromChanges  Origin = "changes"  // admitted ChangeSets
	FromRollback Origin = "rollback" // rollback, restore, undo: towards last-known-good
	FromConfig   Origin = "config"   // the configuration file differs from the snapshot
	FromDrift    Origin = "drift"    // desired state moved without a ChangeSet
)

// Report is what preflight says of a plan. The zero Report refuses.
type Report struct {
	Verdict  policy.Verdict   `json:"verdict"`
	Findings []policy.Finding `json:"findings"`
}

// Gate is the breaker as plans see it. It judges the whole plan a second time,
// after the ChangeSets in it were admitted one by one. An error means the gate
// could not decide: the plan is held.
type Gate interface {
	Judge(ctx context.Context, p Plan) (policy.Verdict, []policy.Finding, error)
}
