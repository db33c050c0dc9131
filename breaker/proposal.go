package breaker

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Weights of a loss, in thousandths of a prefix.
const (
	WeightFull    = 1000 // a prefix that nothing else covers
	WeightCovered = 200  // a more-specific under an advertised cover of the same account and service
)

// Loss is one BGP prefix that loses, or can lose, reachability.
type Loss struct {
	Prefix    netip.Prefix
	Account   string
	Customer  bool     // a customer's prefix; first-party ones are counted as well
	OnDemand  bool     // rests withdrawn: going back to rest is no loss
	Protected bool     // never without an approval
	Services  []string // ids of the services bound over it
	Neighbors []string // names of the neighbors that lose it; none named means all
	Weight    int      // WeightFull or WeightCovered; 0 means WeightFull
	Cause     string   // e.g. "withdraw", "delete", "last-binding", "no-export"
}

// Unbind is a binding removed that was not the prefix's last.
type Unbind struct {
	Prefix  netip.Prefix
	Account string
	Service string
}

// Lane is how a proposal wants to pass. The zero value is the ordinary lane.
type Lane uint8

// Lanes.
const (
	Ordinary  Lane = iota
	Restore        // towards last-known-good: rollback, restore, undo
	Emergency      // a person names a few prefixes, with a reason and an incident
	Drain          // a whole site or neighbor; its losses are what falls under min_sites
)

var laneNames = [...]string{"ordinary", "restore", "emergency", "drain"}

// String names the lane.
func (l Lane) String() string {
	if int(l) < len(laneNames) {
		return laneNames[l]
	}
	return fmt.Sprintf("lane-%d", uint8(l))
}

// MarshalText writes the lane's name.
func (l Lane) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads a lane's name.
func (l *Lane) UnmarshalText(b []byte) error {
	i := slices.Index(laneNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("breaker lane %q: use one of %q", b, laneNames)
	}
	*l = Lane(i)
	return nil
}

// Proposal is one change before it is committed. It names every route that it
// touches; there is no bulk change by filter.
type Proposal struct {
	ID         string // of the change set; the handle of Release
	Actor      Actor
	Lane       Lane
	Reason     string
	Incident   string // mandatory in the emergency lane
	At         time.Time
	Generation uint64 // active when the change was made
	Losses     []Loss
	Unbinds    []Unbind
	Modifies   []Loss // modifications that lose nothing, a breadth limit of their own
	Gains      []netip.Prefix
	Remaining  []Remaining // of prefixes it takes down somewhere and not everywhere
	Confirm    string      // the token a Confirm decision asked for
	Approval   string      // id of the approval that covers the losses, if any
}

// Family counts, or picks, one of the two families.
type Family uint8

// The families of BGP prefixes; zero is no family.
const (
	IPv4 Family = 4
	IPv6 Family = 6
)

// FamilyOf returns the family of p, or zero for an invalid one.
func FamilyOf(p netip.Prefix) Family {
	switch {
	case !p.IsValid():
		return 0
	case p.Addr().Is4():
		return IPv4
	}
	return IPv6
}

// String names the family as the configuration does.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4-unicast"
	case IPv6:
		return "ipv6-unicast"
	}
	return "no-family"
}

// MarshalText writes the family's name.
func (f Family) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// Count is a number of prefixes per family.
type Count struct {
	IPv4 int `json:"ipv4"`
	IPv6 int `json:"ipv6"`
}

// Total is the count over both families.
func (c Count) Total() int { return c.IPv4 + c.IPv6 }

// Baseline is what was advertised last-known-good: the denominators. Prefixes
// that rest withdrawn (on-demand) are in Neighbors only.
type Baseline struct {
	Customer  Count            // customers' prefixes, each once
	Accounts  map[string]Count // per account id
	Neighbors map[string]Count // per neighbor name, every prefix sent to it
	Services  map[string]Count // per service id; may be nil
	Space     Count            // customers' address space, IPv4 in /24s and IPv6 in /48s; zero skips that limit
	Bindings  int              // active bindings; zero means as many as customer prefixes
	SitesDown []string         // sites unexpectedly down

	accountCount int // of a record, which keeps the accounts it touches alone
	one          one // of a record that was read back and touches one of each
}

// one is the only account, neighbor and service of a record. Most records have
// no more, and a week of them would make a million maps.
type one struct{ account, neighbor, service counted }

type counted struct {
	name  string
	count Count
	ok    bool
}

func (c counted) in(m map[string]Count, name string) Count {
	if c.ok && c.name == name {
		return c.count
	}
	return m[name]
}

func (b *Baseline) account(id string) Count    { return b.one.account.in(b.Accounts, id) }
func (b *Baseline) neighbor(name string) Count { return b.one.neighbor.in(b.Neighbors, name) }
func (b *Baseline) service(id string) Count    { return b.one.service.in(b.Services, id) }

func (b *Baseline) accounts() int { return max(len(b.Accounts), b.accountCount) }

func (b *Baseline) bindings() int {
	if b.Bindings > 0 {
		return b.Bindings
	}
	return b.Customer.Total()
}
