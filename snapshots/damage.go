package snapshots

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// DamageClass says what became of a route since a generation that was good.
// The order is the order of severity.
type DamageClass uint8

// Classes of damage (REC-01).
const (
	Intact        DamageClass = iota
	WithdrawnOnly             // all bindings are there: advertising it again is enough
	SomeUnbound               // some of its bindings are gone
	AllUnbound                // withdrawn, and all of its bindings are gone
	UnboundOnWire             // still desired as advertised, and all of its bindings are gone
)

var damageNames = [...]string{"intact", "withdrawn only", "some bindings lost", "all bindings lost", "advertised but unbound"}

// String is the class in words.
func (c DamageClass) String() string {
	if int(c) < len(damageNames) {
		return damageNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// MarshalText writes the class in words.
func (c DamageClass) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Loss is one route that is not as it was.
type Loss struct {
	CIDR    netip.Prefix `json:"cidr"`
	Account string       `json:"account"`
	Class   DamageClass  `json:"class"`
	Missing []string     `json:"missing,omitempty"` // services that are no longer bound over it
	Repair  string       `json:"repair"`            // the command that brings it back
}

// AccountLoss sums up one account.
type AccountLoss struct {
	Account string              `json:"account"`
	Name    string              `json:"name"`
	Class   DamageClass         `json:"class"` // the worst of its routes
	Counts  map[DamageClass]int `json:"counts"`
	Repair  string              `json:"repair"`
}

// DownRoute is a route that is down on purpose: no damage, and no restore
// brings it back unless its intent is named.
type DownRoute struct {
	CIDR    netip.Prefix `json:"cidr"`
	Account string       `json:"account"`
	Intent  string       `json:"intent"`
	Author  string       `json:"author"`
	Reason  string       `json:"reason"`
}

// Assessment compares desired state with a generation that was good.
type Assessment struct {
	Generation uint64              `json:"generation"` // that was good
	Counts     map[DamageClass]int `json:"counts"`     // routes of that generation; without those down on purpose
	Accounts   []AccountLoss       `json:"accounts"`   // damaged ones, worst first, then by id
	Losses     []Loss              `json:"losses"`     // by account and prefix
	Down       []DownRoute         `json:"down_on_purpose"`
}

// Assess classifies every route that the good generation advertised. now is
// built from desired state as it is. It is pure and linear in both.
func Assess(good Loaded, now *Snapshot) Assessment {
	a := Assessment{Generation: good.Head.Generation, Counts: map[DamageClass]int{}, Accounts: []AccountLoss{}, Losses: []Loss{}, Down: []DownRoute{}}
	for i := range good.Snapshot.Accounts {
		then := &good.Snapshot.Accounts[i]
		have, found := now.Account(then.Account)
		if !found {
			have = &AccountPart{Account: then.Account}
		}
		a.account(then, have)
	}
	a.onPurpose(now)
	slices.SortStableFunc(a.Accounts, func(x, y AccountLoss) int { return int(y.Class) - int(x.Class) })
	return a
}

// onPurpose lists what negative intents keep down now and the good generation
// did not advertise either: whatever it is compared with, it is down on purpose.
func (a *Assessment) onPurpose(now *Snapshot) {
	listed := make(map[netip.Prefix]bool, len(a.Down))
	for _, d := range a.Down {
		listed[d.CIDR] = true
	}
	for i := range now.Accounts {
		p := &now.Accounts[i]
		if len(p.Negative) == 0 {
			continue
		}
		down := DownBy(p.Negative)
		for _, rec := range p.Prefixes {
			for _, b := range rec.BGP {
				if over := down.Over(b.CIDR); len(over) > 0 && !listed[b.CIDR] {
					a.Down = append(a.Down, DownRoute{CIDR: b.CIDR, Account: p.Account, Intent: over[0].ID, Author: over[0].Author, Reason: over[0].Reason})
				}
			}
		}
	}
	slices.SortFunc(a.Down, func(x, y DownRoute) int {
		return cmp.Or(cmp.Compare(x.Account, y.Account), addressing.ComparePrefix(x.CIDR, y.CIDR))
	})
}

func (a *Assessment) account(then, now *AccountPart) {
	sum := AccountLoss{Account: then.Account, Name: then.Name, Counts: map[DamageClass]int{}}
	look := recordsByRoute(now)
	down := DownBy(now.Negative)
	for i := range then.Routes {
		r := &then.Routes[i]
		l := Loss{CIDR: r.CIDR, Account: then.Account}
		rec, advertised := look.at(r)
		l.Class, l.Missing = classify(r, rec, advertised)
		if over := down.Over(r.CIDR); l.Class <= WithdrawnOnly && len(over) > 0 {
			a.Down = append(a.Down, DownRoute{CIDR: r.CIDR, Account: then.Account, Intent: over[0].ID, Author: over[0].Author, Reason: over[0].Reason})
			continue
		}
		a.Counts[l.Class]++
		sum.Counts[l.Class]++
		sum.Class = max(sum.Class, l.Class)
		if l.Class != Intact {
			l.Repair = repair(l, a.Generation)
			a.Losses = append(a.Losses, l)
		}
	}
	if sum.Class != Intact {
		sum.Repair = fmt.Sprintf("holdfast rollback --account %s --to %d --reason REASON --yes", then.Account, a.Generation)
		a.Accounts = append(a.Accounts, sum)
	}
}

// classify compares a route that was good with its prefix as it is now; rec is
// nil if the prefix is gone.
func classify(r *Route, rec *PrefixRecord, advertised bool) (DamageClass, []string) {
	var bound []string
	if rec != nil {
		bound = new(bindingIndex).over(r.CIDR, rec)
	}
	missing := slices.DeleteFunc(slices.Clone(r.Services), func(s string) bool { return slices.Contains(bound, s) })
	switch {
	case len(bound) == 0 && advertised:
		return UnboundOnWire, missing
	case len(missing) == len(r.Services):
		return AllUnbound, missing
	case len(missing) > 0:
		return SomeUnbound, missing
	case !advertised:
		return WithdrawnOnly, nil
	}
	return Intact, nil
}

func repair(l Loss, generation uint64) string {
	if l.Class == WithdrawnOnly {
		return fmt.Sprintf("holdfast prefix advertise %s", l.CIDR)
	}
	return fmt.Sprintf("holdfast rollback --prefix %s --to %d --reason REASON --yes", l.CIDR, generation)
}

// routeRecords finds the prefix and the desired state of a route.
type routeRecords struct {
	prefix map[netip.Prefix]*PrefixRecord // by the prefix's own CIDR
	route  map[netip.Prefix]*PrefixRecord // by the CIDR of its BGP prefixes
	up     map[netip.Prefix]bool
}

func recordsByRoute(p *AccountPart) routeRecords {
	out := routeRecords{make(map[netip.Prefix]*PrefixRecord, len(p.Prefixes)), make(map[netip.Prefix]*PrefixRecord, len(p.Prefixes)), map[netip.Prefix]bool{}}
	for i := range p.Prefixes {
		rec := &p.Prefixes[i]
		out.prefix[rec.CIDR] = rec
		for _, b := range rec.BGP {
			out.route[b.CIDR] = rec
			out.up[b.CIDR] = b.Advertised
		}
	}
	return out
}

func (x routeRecords) at(r *Route) (rec *PrefixRecord, advertised bool) {
	if rec = x.route[r.CIDR]; rec != nil {
		return rec, x.up[r.CIDR]
	}
	return x.prefix[r.CIDR], false
}
