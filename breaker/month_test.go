package breaker

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// month drives 30 days of legitimate changes, each through admission and plan,
// as the daemon would.
type month struct {
	*harness
	demand   Count // on-demand prefixes that are announced
	accepted int
}

// change admits a change and judges the plan that carries it; both must pass.
func (mo *month) change(when time.Duration, p Proposal) {
	mo.t.Helper()
	p.At = at(when)
	p.ID = fmt.Sprintf("m-%d", mo.accepted)
	before := mo.tables()
	d := mo.propose(p)
	if d.Verdict == Confirm {
		p.Confirm = d.ConfirmToken
		d = mo.propose(p)
	}
	if d.Verdict != Allow {
		mo.t.Fatalf("day %d: %s held a legitimate change of %d losses: %v", when/day, p.Actor.Key, len(p.Losses), d.Findings)
	}
	mo.accepted++
	for _, l := range p.Losses {
		if l.OnDemand {
			mo.demand = plus(mo.demand, l.Prefix, -1)
		}
	}
	for _, g := range p.Gains {
		if _, known := mo.net.byPrefix[g]; !known {
			mo.demand = plus(mo.demand, g, 1)
		}
	}
	after := mo.tables()
	facts := PlanFacts{Origin: "changes", At: at(when + 50*time.Millisecond), Admitted: []string{p.ID}, Losses: p.Losses, Gains: p.Gains}
	for name, b := range before {
		facts.Neighbors = append(facts.Neighbors,
			NeighborFact{name, IPv4, b.IPv4, after[name].IPv4}, NeighborFact{name, IPv6, b.IPv6, after[name].IPv6})
	}
	if d := mo.step(Planned{facts, mo.baseline()}); d.Verdict != Allow {
		mo.t.Fatalf("day %d: the plan of %s was held: %v", when/day, p.Actor.Key, d.Findings)
	}
	for name, c := range after {
		mo.step(Advertised{name, IPv4, c.IPv4, at(when + time.Second)})
		mo.step(Advertised{name, IPv6, c.IPv6, at(when + time.Second)})
	}
}

// tables are the neighbors' tables, on-demand prefixes included.
func (mo *month) tables() map[string]Count {
	out := map[string]Count{}
	for name, c := range mo.base.Neighbors {
		out[name] = Count{c.IPv4 + mo.demand.IPv4, c.IPv6 + mo.demand.IPv6}
	}
	return out
}

// byOperator is a change by an operator, with an approval where the network is
// too small for percentages or the change too large.
func (mo *month) byOperator(when time.Duration, id string, approved bool, losses []Loss) {
	mo.t.Helper()
	p := Proposal{Actor: operator("noc"), Losses: losses}
	if approved || mo.base.Customer.Total() < 50 {
		mo.step(WasApproved{Approval{ID: id, Prefixes: prefixes(losses), From: at(when), Until: at(when + time.Hour), Requester: operator("noc"), Approvers: []string{"operator/boss"}}, at(when)})
		p.Approval = id
	}
	mo.change(when, p)
}

// A month of legitimate load passes: no global trip, no actor trip, at any
// size of network (drill D4).
func TestLegitimateMonth(t *testing.T) {
	for _, size := range []int{50, 300, 3000, 6500} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			w := newNetwork(size, max(2, size/12), 0, "transit-a", "peer-b")
			for i := range 40 { // one customer has 40
				l := &w.customers[i]
				w.base.Accounts[l.Account] = plus(w.base.Accounts[l.Account], l.Prefix, -1)
				l.Account = "forty"
				w.base.Accounts[l.Account] = plus(w.base.Accounts[l.Account], l.Prefix, 1)
				w.byPrefix[l.Prefix] = *l
			}
			lim := DefaultLimits()
			lim.ApproveBelow, lim.Approvals = 50, 1
			mo := &month{harness: newHarness(t, w, lim)}
			forty := slices.Clone(w.customers[:40])
			migrated := slices.Clone(w.customers[max(40, size-200):])
			leaving := slices.Clone(w.customers[max(40, size-210):max(48, size-202)])
			for d := range 30 {
				base := time.Duration(d) * day
				mo.toggles(base)
				switch d {
				case 3:
					mo.change(base+10*time.Hour, Proposal{Actor: owner("forty"), Losses: forty})
				case 4:
					mo.change(base+10*time.Hour, Proposal{Actor: owner("forty"), Gains: prefixes(forty)})
				case 10:
					mo.byOperator(base+11*time.Hour, "migration", true, migrated)
				case 11:
					mo.change(base+11*time.Hour, Proposal{Actor: operator("noc"), Gains: prefixes(migrated)})
				case 17:
					mo.byOperator(base+12*time.Hour, "leaving", false, leaving)
				case 20:
					mo.change(base+12*time.Hour, Proposal{Actor: operator("noc"), Lane: Drain, Modifies: w.customers})
				case 25: // router reload: the session goes and comes back
					mo.step(Advertised{"transit-a", IPv4, 0, at(base + 12*time.Hour)})
					mo.step(Advertised{"transit-a", IPv6, 0, at(base + 12*time.Hour)})
				default:
					one := w.customers[45:46]
					mo.byOperator(base+13*time.Hour, fmt.Sprint("day", d), false, one)
					mo.change(base+14*time.Hour, Proposal{Actor: operator("noc"), Gains: prefixes(one)})
				}
			}
			if st := mo.m.Status(); len(st) != 1 || st[0].State != Closed {
				t.Errorf("after a month of legitimate changes: %+v", st)
			}
		})
	}
}

// toggles are a day's 500 on-demand announcements and withdrawals.
func (mo *month) toggles(base time.Duration) {
	for i := range 250 {
		when := base + time.Duration(i)*9*time.Hour/250
		l := Loss{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i % 40), 0}), 24), Account: fmt.Sprintf("a%03d", i%2), Customer: true, OnDemand: true}
		by := owner(l.Account)
		mo.change(when, Proposal{Actor: by, Gains: []netip.Prefix{l.Prefix}})
		mo.change(when+time.Minute, Proposal{Actor: by, Losses: []Loss{l}})
	}
}
