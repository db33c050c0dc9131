package breaker

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Rung is one limit over one sliding window: at most max(Floor, Share of the
// denominator) per family, and max(Total, Share of it) over both. The
// denominator is what was advertised when the window began. Windows are kept
// in 60 buckets; an edge errs towards open by at most one of them.
type Rung struct {
	Name   string        // stable id, the Rule of its findings
	Span   time.Duration // of the window
	Share  int           // of the denominator, in thousandths; 0 means the floors alone
	Floor  int           // per family never less than this; 0 judges both families together only
	Total  int           // over both families never less than this
	Net    bool          // what was restored in between does not count
	Shadow bool          // reports would_trip, decides nothing
	Unit   Unit
}

// Unit is what a rung counts.
type Unit uint8

// Units.
const (
	Prefixes Unit = iota // distinct prefixes by weight
	Routes               // distinct prefixes, each one
	Space                // address space: /24s of IPv4, /48s of IPv6
)

// Limits are all limits of the breaker. A nil list switches a dimension off,
// so that each layer can be measured alone; DefaultLimits has them all.
type Limits struct {
	Ladder   []Rung // W2, W4: losses by everybody; owners' own count in windows from LongWindow on
	Actor    []Rung // losses and unbindings by one operator or system actor
	Ops      []Rung // W1: losses and unbindings by one system actor; in shadow for operators
	Accounts []Rung // W1, W3: distinct accounts touched by one system actor; in shadow for operators
	Account  []Rung // losses of one account by others than its owner
	Service  []Rung // losses under one service
	Neighbor []Rung // losses named for one neighbor alone
	Bindings []Rung // bindings removed that were not the last
	Modifies []Rung // modifications that lose nothing
	OnDemand []Rung // going back to rest, per account; the global limit is OnDemandShare times as high
	Owner    []Rung // an owner's free budget; beyond it Confirm

	Shadow         []string      // rules that report would_trip and decide nothing, e.g. "breaker.W6"
	EnforceOps     bool          // W1 and W3 decide for operators too; a named person's choice
	OnDemandGlobal int           // factor from one account's on-demand limit to everybody's
	LongWindow     time.Duration // owners' own withdrawals count in global windows from here on
	PlanShare      int           // W5: one plan or proposal, in thousandths of the customers' prefixes
	PlanFloor      int           // W5: never less than this; 0 switches W5 off
	PlanTwice      time.Duration // a second oversized one within this opens
	StateShare     int           // W6: advertised count under the trailing maximum, in thousandths
	StateFloor     int           // W6: never less than this; 0 switches W6 off
	GrowthShare    int           // routes a neighbor may gain by configuration or drift, in thousandths of what it has
	GrowthFloor    int           // never less than this; 0 switches it off
	EmergencyOnce  int           // prefixes in one emergency command
	EmergencyHour  int           // prefixes an hour in the emergency lane
	OwnerWhileOpen int           // an owner's withdrawals an hour while only the global scope is open
	ApproveBelow   int           // with fewer customer prefixes all but owners need an approval; 0 is never
	SitesDown      int           // with this many sites unexpectedly down, removals hold; 0 is never
	Approvals      int           // other persons who must approve losses beyond the limits
	ResetApprovals int           // other persons who must approve a reset
	SingleDelay    time.Duration // one person alone may reset or approve, but only this long after asking; 0 is never
	Recovering     int           // budgets after a reset, in thousandths
	SpaceFrom      int           // with fewer customer prefixes in a family its address space is not judged
	LastPaths      int           // sites or providers that must keep a prefix which is taken down elsewhere
	Capacity       int           // load that the remaining paths may be left with, in thousandths; 0 is any
	Switches       []Switch      // what can be turned off
	Freezes        []Freeze      // the change calendar
	Wait           time.Duration // how long a scope recovers; each new trip meanwhile doubles it
}

// Freeze locks everything for a while: only restores and emergencies pass.
type Freeze struct {
	From, Until time.Time
	Reason      string
}

const (
	minute = time.Minute
	hour   = time.Hour
	day    = 24 * time.Hour
)

// DefaultLimits are the limits of requirements.md and of the ladder of windows.
func DefaultLimits() Limits {
	return Limits{
		Ladder: []Rung{
			{Name: "breaker.breadth.5m", Span: 5 * minute, Share: 10, Floor: 10, Total: 20},
			{Name: "breaker.breadth.15m", Span: 15 * minute, Share: 20, Floor: 10, Total: 20},
			{Name: "breaker.breadth.1h", Span: hour, Share: 50, Floor: 10, Total: 20, Net: true},
			{Name: "breaker.breadth.24h", Span: day, Share: 50, Floor: 10, Total: 20, Net: true},
			{Name: "breaker.breadth.7d", Span: 7 * day, Share: 100, Floor: 10, Total: 20, Net: true},
			{Name: "breaker.space.5m", Span: 5 * minute, Share: 100, Floor: 256, Unit: Space},
			{Name: "breaker.space.24h", Span: day, Share: 250, Floor: 1024, Net: true, Unit: Space},
		},
		// One operator alone cannot use up what all of them share: a script
		// that is stopped leaves room for the others.
		Actor: []Rung{
			{Name: "breaker.actor.5m", Span: 5 * minute, Share: 8, Floor: 10, Total: 20},
			{Name: "breaker.actor.1h", Span: hour, Share: 40, Floor: 10, Total: 20, Net: true},
			{Name: "breaker.actor.24h", Span: day, Share: 40, Floor: 10, Total: 20, Net: true},
		},
		Ops: []Rung{
			{Name: "breaker.W1", Span: 10 * minute, Total: 10},
			{Name: "breaker.W1.24h", Span: day, Total: 50},
		},
		Accounts: []Rung{
			{Name: "breaker.W1.accounts", Span: 10 * minute, Total: 2},
			{Name: "breaker.W3", Span: 10 * minute, Share: 10, Total: 5},
		},
		Account: []Rung{
			{Name: "breaker.account.1h", Span: hour, Share: 500, Total: 20, Net: true},
		},
		Service: []Rung{
			{Name: "breaker.service.1h", Span: hour, Share: 500, Total: 20, Net: true},
		},
		Neighbor: []Rung{
			{Name: "breaker.neighbor.5m", Span: 5 * minute, Share: 10, Floor: 10, Total: 20, Unit: Routes},
			{Name: "breaker.neighbor.1h", Span: hour, Share: 50, Floor: 10, Total: 20, Net: true, Unit: Routes},
		},
		Bindings: []Rung{
			{Name: "breaker.bindings.5m", Span: 5 * minute, Share: 10, Total: 20},
			{Name: "breaker.bindings.24h", Span: day, Share: 50, Total: 20},
		},
		Modifies: []Rung{
			{Name: "breaker.modify.5m", Span: 5 * minute, Share: 50, Total: 50},
			{Name: "breaker.modify.1h", Span: hour, Share: 200, Total: 100},
		},
		OnDemand: []Rung{
			{Name: "breaker.on-demand.10m", Span: 10 * minute, Total: 200},
		},
		Owner: []Rung{
			{Name: "breaker.owner.10m", Span: 10 * minute, Share: 500, Total: 5},
		},
		OnDemandGlobal: 10,
		LongWindow:     day,
		PlanShare:      10,
		PlanFloor:      20,
		PlanTwice:      10 * minute,
		StateShare:     10,
		StateFloor:     10,
		GrowthShare:    100,
		GrowthFloor:    50,
		EmergencyOnce:  5,
		EmergencyHour:  20,
		OwnerWhileOpen: 5,
		SitesDown:      2,
		LastPaths:      2,
		Capacity:       800,
		Recovering:     200,
		SpaceFrom:      50,
		Wait:           10 * minute,
	}
}

// shadow reports whether a rule decides nothing.
func (l *Limits) shadow(rule string) bool { return slices.Contains(l.Shadow, rule) }

// Validate says what is wrong with the limits.
func (l Limits) Validate() error {
	for _, list := range [][]Rung{l.Ladder, l.Actor, l.Ops, l.Accounts, l.Account, l.Service,
		l.Neighbor, l.Bindings, l.Modifies, l.OnDemand, l.Owner} {
		for _, r := range list {
			if err := r.validate(); err != nil {
				return err
			}
		}
	}
	if l.Recovering < 0 || l.Recovering > 1000 {
		return fmt.Errorf("breaker limits: recovering %d: use 0 to 1000 thousandths", l.Recovering)
	}
	if l.Wait <= 0 {
		return errors.New("breaker limits: wait: a reset scope needs time on reduced budgets, use a positive duration")
	}
	return nil
}

func (r Rung) validate() error {
	switch {
	case r.Name == "":
		return errors.New("breaker limits: a limit has no name: name it, findings refer to it")
	case r.Span < minute || r.Span > 31*day:
		return fmt.Errorf("breaker limits: %s: window %s: use 1m to 31 days", r.Name, r.Span)
	case r.Share < 0 || r.Share > 1000:
		return fmt.Errorf("breaker limits: %s: share %d: use 0 to 1000 thousandths", r.Name, r.Share)
	case r.Floor < 0 || r.Total < 0:
		return fmt.Errorf("breaker limits: %s: a floor is negative", r.Name)
	}
	return nil
}
