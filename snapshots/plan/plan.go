package plan

import (
	"context"
	"net/netip"
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
}

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
	Impact      Impact             `json:"impact"`
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
