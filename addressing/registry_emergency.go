package addressing

import (
	"context"
	"fmt"
	"net/netip"
)

// VerbEmergency is the verb of an emergency withdrawal.
const VerbEmergency = "emergency.withdraw"

// EmergencyWithdraw takes BGP prefixes down at once, each named exactly, by a
// negative intent that no restore overrides. What is desired stays as it is.
// given holds the intents of a withdrawal that was made while the database was
// gone, to be put in with the ids they have; without them new ones are made.
// A prefix that is down by an emergency already is left alone. Operators only,
// with a reason and an incident; how many is the gate's business.
func (r *Registry) EmergencyWithdraw(ctx context.Context, req Request, cidrs []netip.Prefix, given ...NegativeIntent) ([]NegativeIntent, ChangeSet, error) {
	var out []NegativeIntent
	change, err := r.mutate(ctx, req, "emergency withdraw", VerbEmergency, func(m *mutation) error {
		out = nil
		if err := req.emergency(len(cidrs)); err != nil {
			return err
		}
		for _, cidr := range cidrs {
			n, fresh, err := m.emergency(cidr, given)
			if err != nil {
				return err
			}
			out = append(out, n)
			if !fresh {
				continue
			}
			if err := m.insertIntent(n); err != nil {
				return err
			}
		}
		m.inverse = "prefix.unblock"
		return nil
	})
	return out, change, err
}

func (q Request) emergency(n int) error {
	if err := q.onlyOperator("an emergency withdrawal"); err != nil {
		return err
	}
	switch {
	case n == 0:
		return &Error{Code: CodeInvalid, Field: "prefixes", Detail: "none is named", Next: "name each BGP prefix"}
	case q.Reason == "":
		return &Error{Code: CodeInvalid, Field: "reason", Detail: "an emergency needs a reason"}
	case q.Incident == "":
		return &Error{Code: CodeInvalid, Field: "incident", Detail: "an emergency needs the id of an incident"}
	}
	return nil
}

// emergency is the intent that keeps one route down, and whether it is new.
func (m *mutation) emergency(cidr netip.Prefix, given []NegativeIntent) (NegativeIntent, bool, error) {
	d, err := m.holderOf(cidr)
	if err != nil {
		return NegativeIntent{}, false, err
	}
	for _, n := range d.BlockedBy(cidr, m.req.At) {
		if n.Kind == IntentEmergency {
			return n, false, nil
		}
	}
	m.account = d.AccountID
	for _, n := range given {
		if n.CIDR == cidr {
			n.AccountID = d.AccountID
			return n, true, nil
		}
	}
	id, err := m.id()
	return NegativeIntent{ID: id, AccountID: d.AccountID, CIDR: cidr, Kind: IntentEmergency, Author: m.req.Actor.Key(),
		Reason: fmt.Sprintf("%s: %s", m.req.Incident, m.req.Reason), CreatedAt: m.req.At.UTC()}, true, err
}

// holderOf finds the prefix in scope that has cidr as a BGP prefix.
func (m *mutation) holderOf(cidr netip.Prefix) (PrefixDetail, error) {
	if !cidr.IsValid() {
		return PrefixDetail{}, &Error{Code: CodeInvalid, Field: "prefixes", Detail: "the zero prefix names nothing"}
	}
	all, err := m.tx.Overlapping(cidr)
	if err != nil {
		return PrefixDetail{}, err
	}
	for _, p := range all {
		if !p.State.Visible() || !m.req.Scope.Includes(p.AccountID) || !contains(p.CIDR, cidr) {
			continue
		}
		d, err := detail(m.tx, p.ID)
		if err != nil {
			return PrefixDetail{}, err
		}
		for _, b := range d.BGP {
			if b.CIDR == cidr {
				return d, nil
			}
		}
	}
	return PrefixDetail{}, &Error{Code: CodeNotFound, Field: "prefixes", Detail: cidr.String() + " is no BGP prefix here",
		Next: "name it exactly as `holdfast prefix show` lists it; neither a cover nor a part is understood"}
}
