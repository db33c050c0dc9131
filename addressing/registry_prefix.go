package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"
)

// NewPrefix is what CreatePrefix takes.
type NewPrefix struct {
	AccountID           string
	CIDR                netip.Prefix
	ASN                 uint32
	Description         *string
	DelegateLOACreation bool
	LOADocumentID       *string
}

// CreatePrefix adds a pending prefix with an ownership token. A CIDR that is
// held already, or shares an address with another account's prefix, is a
// conflict. A pending deletion of the same CIDR by the same account becomes a
// tombstone.
func (r *Registry) CreatePrefix(ctx context.Context, req Request, in NewPrefix) (PrefixDetail, ChangeSet, error) {
	return r.onPrefix(ctx, req, "create prefix", "prefix.create", func(m *mutation) (string, error) {
		if err := m.checkNew(in); err != nil {
			return "", err
		}
		if err := m.supersede(in); err != nil {
			return "", err
		}
		return m.newPrefix(in)
	})
}

func (m *mutation) newPrefix(in NewPrefix) (string, error) {
	id, err := m.id()
	if err != nil {
		return "", err
	}
	proof, err := m.id()
	if err != nil {
		return "", err
	}
	m.account, m.inverse = in.AccountID, "prefix.delete"
	_, err = m.savePrefix(nil, Prefix{
		ID: id, AccountID: in.AccountID, CIDR: in.CIDR, ASN: in.ASN, Description: in.Description, State: Pending,
		Control: ControlAPI, OnDemandLocked: true, DelegateLOACreation: in.DelegateLOACreation, LOADocumentID: in.LOADocumentID,
		IRR: ValidationPending, RPKI: ValidationPending, Ownership: ValidationPending, OwnershipToken: proof, CreatedAt: m.req.At.UTC(),
	})
	return id, err
}

func (m *mutation) checkNew(in NewPrefix) error {
	if !m.req.Scope.Includes(in.AccountID) {
		return missing("account", in.AccountID)
	}
	if _, err := m.tx.Account(in.AccountID); err != nil {
		return err
	}
	if err := CheckPrefix(in.CIDR); err != nil {
		return &Error{Code: CodeInvalid, Field: "cidr", Detail: err.Error(), Number: 1001, Message: "invalid_network_cidr"}
	}
	if !m.lab {
		if err := CheckGlobal(in.CIDR); err != nil {
			return &Error{Code: CodeInvalid, Field: "cidr", Detail: err.Error(), Number: 1001, Message: "invalid_network_cidr",
				Next: "hold a block that a registry assigned; a lab may allow special-purpose ranges in the configuration"}
		}
	}
	if err := CheckASN(in.ASN); err != nil {
		return &Error{Code: CodeInvalid, Field: "asn", Detail: err.Error(), Number: 1001}
	}
	return checkDescription(in.Description)
}

// maxDescription bounds descriptions, in characters.
const maxDescription = 1000

func checkDescription(d *string) error {
	if d != nil && (!utf8.ValidString(*d) || utf8.RuneCountInString(*d) > maxDescription) {
		return &Error{Code: CodeInvalid, Field: "description", Detail: "longer than 1000 characters, or not UTF-8", Number: 1001}
	}
	return nil
}

// supersede clears the way for a new prefix: whoever else holds a part of it
// is a conflict, an own pending deletion of exactly it becomes a tombstone.
func (m *mutation) supersede(in NewPrefix) error {
	others, err := m.tx.Overlapping(in.CIDR)
	if err != nil {
		return err
	}
	for _, p := range others {
		switch {
		case p.AccountID != in.AccountID:
			// Neither whose it is nor how large: no cross-account visibility.
			return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s overlaps a prefix of another account", in.CIDR), Number: 1003, Message: "prefix_overlaps",
				Next: "ask the operator who holds it"}
		case p.CIDR != in.CIDR || p.State == Tombstone:
			continue
		case p.State.Visible():
			return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s is there already, with id %s", in.CIDR, p.ID), Number: 1003, Message: "prefix_exists",
				Next: "use the prefix that is there"}
		}
		prior := p
		if p.State, err = Next(p.State, EventSupersede); err != nil {
			return err
		}
		p.DeleteAfter = nil
		if _, err := m.savePrefix(&prior, p); err != nil {
			return err
		}
	}
	return nil
}

// onPrefix runs a use case that ends with one prefix, and returns it as it is
// inside the transaction.
func (r *Registry) onPrefix(ctx context.Context, req Request, op, verb string, fn func(*mutation) (id string, err error)) (PrefixDetail, ChangeSet, error) {
	var out PrefixDetail
	change, err := r.mutate(ctx, req, op, verb, func(m *mutation) error {
		id, err := fn(m)
		if err != nil {
			return err
		}
		out, err = detail(m.tx, id)
		return err
	})
	if err != nil {
		return PrefixDetail{}, ChangeSet{}, err
	}
	return out, change, nil
}

// own loads a prefix for a change and compares If-Match with it.
func (m *mutation) own(id string) (PrefixDetail, error) {
	d, err := inScope(m.tx, m.req.Scope, id)
	if err != nil {
		return PrefixDetail{}, err
	}
	m.account = d.AccountID
	return d, m.req.match(d.Version)
}

// Prefixes lists the pending and approved prefixes in scope, sorted by CIDR.
func (r *Registry) Prefixes(ctx context.Context, s Scope) ([]PrefixDetail, error) {
	return read(ctx, r, "list prefixes", func(tx ReadTx) ([]PrefixDetail, error) {
		return details(tx, s, func(p Prefix) bool { return p.State.Visible() })
	})
}

// Prefix finds one pending or approved prefix.
func (r *Registry) Prefix(ctx context.Context, s Scope, id string) (PrefixDetail, error) {
	return read(ctx, r, "find prefix", func(tx ReadTx) (PrefixDetail, error) { return inScope(tx, s, id) })
}

// PrefixAt finds the pending or approved prefix with exactly this CIDR.
func (r *Registry) PrefixAt(ctx context.Context, s Scope, cidr netip.Prefix) (PrefixDetail, error) {
	return read(ctx, r, "find prefix", func(tx ReadTx) (PrefixDetail, error) {
		if !cidr.IsValid() {
			return PrefixDetail{}, missing("prefix", cidr.String())
		}
		all, err := tx.Overlapping(cidr)
		if err != nil {
			return PrefixDetail{}, err
		}
		for _, p := range all {
			if p.CIDR == cidr && p.State.Visible() && s.Includes(p.AccountID) {
				return detail(tx, p.ID)
			}
		}
		return PrefixDetail{}, missing("prefix", cidr.String())
	})
}

// PrefixPatch changes a prefix. The zero patch changes nothing.
type PrefixPatch struct {
	SetDescription bool
	Description    *string  // nil clears it
	Locked         *bool    // whether on demand may not be toggled; operators only
	Control        *Control // who signals advertisement; operators only
}

// EditPrefix changes the description, the lock or who is in control.
func (r *Registry) EditPrefix(ctx context.Context, req Request, id string, patch PrefixPatch) (PrefixDetail, ChangeSet, error) {
	return r.unchangedPrefix(ctx, req, id, "edit prefix", "prefix.edit", func(m *mutation, d PrefixDetail) error {
		now, err := patch.apply(req, d.Prefix)
		if err != nil {
			return err
		}
		if equalText(d.Description, now.Description) && d.OnDemandLocked == now.OnDemandLocked && d.Control == now.Control {
			return errUnchanged
		}
		m.inverse = "prefix.edit"
		_, err = m.savePrefix(&d.Prefix, now)
		return err
	})
}

func (patch PrefixPatch) apply(req Request, p Prefix) (Prefix, error) {
	if patch.SetDescription {
		if err := checkDescription(patch.Description); err != nil {
			return p, err
		}
		p.Description = patch.Description
	}
	if patch.Locked == nil && patch.Control == nil {
		return p, nil
	}
	if err := req.onlyOperator("changing the lock or the control"); err != nil {
		return p, err
	}
	if patch.Locked != nil {
		p.OnDemandLocked = *patch.Locked
	}
	if patch.Control != nil {
		if *patch.Control != ControlAPI && *patch.Control != ControlBGP {
			return p, &Error{Code: CodeInvalid, Field: "control", Detail: "use api or bgp"}
		}
		p.Control = *patch.Control
	}
	return p, nil
}

func equalText(a, b *string) bool {
	return a == b || a != nil && b != nil && *a == *b
}

// unchangedPrefix is onPrefix for a use case that starts with a prefix and may
// find that there is nothing to do.
func (r *Registry) unchangedPrefix(ctx context.Context, req Request, id, op, verb string, fn func(*mutation, PrefixDetail) error) (PrefixDetail, ChangeSet, error) {
	var out PrefixDetail
	change, err := r.mutate(ctx, req, op, verb, func(m *mutation) error {
		d, err := m.own(id)
		if err != nil {
			return err
		}
		out = d
		if err := fn(m, d); err != nil {
			return err
		}
		out, err = detail(m.tx, id)
		return err
	})
	if err != nil {
		return PrefixDetail{}, ChangeSet{}, err
	}
	return out, change, nil
}

// DeletePrefix removes a pending prefix, and puts an approved one that is
// withdrawn and unbound into pending_delete. Anything else is a conflict.
func (r *Registry) DeletePrefix(ctx context.Context, req Request, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "delete prefix", "prefix.delete", func(m *mutation) error {
		d, err := m.own(id)
		if err != nil {
			return err
		}
		return m.deletable(d, r.grace())
	})
}

func (r *Registry) grace() time.Duration {
	if r.opt.Grace <= 0 {
		return 24 * time.Hour
	}
	return r.opt.Grace
}

func (m *mutation) deletable(d PrefixDetail, grace time.Duration) error {
	for _, b := range d.BGP {
		if b.Advertised {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is advertised", b.CIDR), Number: 1003, Message: "prefix_is_advertised",
				Next: "withdraw it, remove its bindings, then delete"}
		}
		if b.Draining(m.req.At) {
			return onItsWayOut(b)
		}
	}
	if len(d.Bindings) > 0 {
		return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s has %d service bindings", d.CIDR, len(d.Bindings)), Number: 1003, Message: "prefix_is_bound",
			Next: "remove its bindings, then delete"}
	}
	to, err := Next(d.State, EventDelete)
	if err != nil {
		return err
	}
	if to == Purged {
		return m.remove(d)
	}
	prior, p, after := d.Prefix, d.Prefix, m.req.At.UTC().Add(grace)
	p.State, p.DeleteAfter = to, &after
	m.inverse = "prefix.undelete"
	_, err = m.savePrefix(&prior, p)
	return err
}

// remove takes a prefix and what hangs on it out of the store for good.
func (m *mutation) remove(d PrefixDetail) error {
	for _, b := range d.BGP {
		if err := m.deleteBGPPrefix(b); err != nil {
			return err
		}
	}
	delegations, err := m.tx.DelegationsOf(d.ID)
	if err != nil {
		return err
	}
	for _, g := range delegations {
		if err := m.deleteDelegation(g); err != nil {
			return err
		}
	}
	return m.deletePrefix(d.Prefix)
}

// PendingDeletions lists the prefixes in pending_delete, sorted by CIDR.
func (r *Registry) PendingDeletions(ctx context.Context, s Scope) ([]PrefixDetail, error) {
	return read(ctx, r, "list pending deletions", func(tx ReadTx) ([]PrefixDetail, error) {
		return details(tx, s, func(p Prefix) bool { return p.State == PendingDelete })
	})
}

// Undelete takes a prefix out of pending_delete, exactly as it was, unless its
// grace time is over or its account holds the CIDR anew.
func (r *Registry) Undelete(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return r.onPrefix(ctx, req, "undelete prefix", "prefix.undelete", func(m *mutation) (string, error) {
		d, err := detail(m.tx, id)
		if err != nil {
			return "", err
		}
		if !req.Scope.Includes(d.AccountID) {
			return "", missing("prefix", id)
		}
		if err := req.match(d.Version); err != nil {
			return "", err
		}
		m.account, m.inverse = d.AccountID, "prefix.delete"
		return id, m.undelete(d)
	})
}

func (m *mutation) undelete(d PrefixDetail) error {
	to, err := Next(d.State, EventUndelete)
	if err != nil {
		return err
	}
	for _, b := range d.BGP {
		if err := m.routeFree(b.CIDR, d.ID); err != nil {
			return err
		}
	}
	prior, p := d.Prefix, d.Prefix
	p.State, p.DeleteAfter = to, nil
	_, err = m.savePrefix(&prior, p)
	return err
}

// routeFree refuses a second BGP prefix with the same CIDR among the prefixes
// that can be worked on: the two would fight over one route.
func (m *mutation) routeFree(cidr netip.Prefix, except string) error {
	same, err := m.tx.BGPPrefixesAt(cidr)
	if err != nil {
		return err
	}
	for _, b := range same {
		if b.PrefixID == except {
			continue
		}
		p, err := m.tx.Prefix(b.PrefixID)
		if err != nil {
			return err
		}
		if p.State.Visible() {
			return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s is a BGP prefix already", cidr), Number: 1003, Message: "bgp_prefix_exists",
				Next: "use the BGP prefix that is there"}
		}
	}
	return nil
}

// RiskUnverified approves a prefix whose validation steps are not all valid.
const RiskUnverified = "unverified"

// ApprovePrefix approves a pending prefix: on demand enabled and unlocked.
// Validation steps that are not valid need the named risk "unverified".
// Approving twice changes nothing. Operators only.
func (r *Registry) ApprovePrefix(ctx context.Context, req Request, id string, risks []string) (PrefixDetail, ChangeSet, error) {
	return r.unchangedPrefix(ctx, req, id, "approve prefix", "prefix.approve", func(m *mutation, d PrefixDetail) error {
		if err := req.onlyOperator("approving prefixes"); err != nil {
			return err
		}
		for _, risk := range risks {
			if risk != RiskUnverified {
				return &Error{Code: CodeInvalid, Field: "accept_risk", Detail: "no risk is called " + quoted(risk), Next: "the only one is " + RiskUnverified}
			}
		}
		if d.State == Approved {
			return errUnchanged
		}
		if !d.verified() && !slices.Contains(risks, RiskUnverified) {
			return &Error{Code: CodeRefused, Field: "accept_risk",
				Detail: fmt.Sprintf("not validated: ownership %s, irr %s, rpki %s", d.Ownership, d.IRR, d.RPKI),
				Next:   "validate it first, or accept the risk by its name: --accept-risk=" + RiskUnverified}
		}
		return m.approve(d, risks)
	})
}

func (p Prefix) verified() bool {
	return p.Ownership == ValidationValid && p.IRR == ValidationValid && p.RPKI == ValidationValid
}

func (m *mutation) approve(d PrefixDetail, risks []string) error {
	to, err := Next(d.State, EventApprove)
	if err != nil {
		return err
	}
	prior, p := d.Prefix, d.Prefix
	p.State, p.OnDemandEnabled, p.OnDemandLocked = to, true, false
	p.AcceptedRisks = slices.Compact(slices.Sorted(slices.Values(risks)))
	_, err = m.savePrefix(&prior, p)
	return err
}

// ValidatePrefix asks for validation; the answer comes later. An approved
// prefix keeps its states: what is known of it must not get worse by asking.
func (r *Registry) ValidatePrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return r.unchangedPrefix(ctx, req, id, "validate prefix", "prefix.validate", func(m *mutation, d PrefixDetail) error {
		if d.State != Pending {
			return errUnchanged
		}
		prior, p := d.Prefix, d.Prefix
		p.IRR, p.RPKI, p.Ownership = ValidationPending, ValidationPending, ValidationPending
		_, err := m.savePrefix(&prior, p)
		return err
	})
}
