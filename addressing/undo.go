package addressing

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
)

// Undo takes one change back: objects it removed come back with their ids,
// what it wrote is set back, what it created is removed. It is refused when
// any of them was changed since, when it would lift a negative intent that the
// request does not name (invariant 15), and for accounts, services and tokens.
// For operators, and for owners over their own changes.
func (r *Registry) Undo(ctx context.Context, req Request, changeID string) (ChangeSet, error) {
	return r.mutate(ctx, req, "undo", VerbUndo, func(m *mutation) error {
		record, err := m.tx.AuditOf(changeID)
		if err != nil {
			return err
		}
		if !req.Scope.Includes(record.AccountID) && !(req.Scope.Every() && record.AccountID == "") {
			return missing("change", changeID)
		}
		if req.Actor.Kind == System {
			return &Error{Code: CodeForbidden, Detail: "taking a change back needs a person"} // invariant 16
		}
		if req.Actor.Kind == Owner && record.Actor.AccountID != req.Actor.AccountID {
			return &Error{Code: CodeForbidden, Detail: "the change was made by " + string(record.Actor.Kind) + "s", Next: "ask an operator to take it back"}
		}
		u, err := newUndo(m, record)
		if err != nil {
			return err
		}
		m.account, m.inverse = record.AccountID, VerbUndo
		return u.run()
	})
}

type undo struct {
	m             *mutation
	before, after Images
}

func newUndo(m *mutation, record AuditRecord) (*undo, error) {
	u := &undo{m: m}
	if err := json.Unmarshal(record.Before, &u.before); err != nil {
		return nil, fmt.Errorf("change %s: %w", record.ChangeID, err)
	}
	if err := json.Unmarshal(record.After, &u.after); err != nil {
		return nil, fmt.Errorf("change %s: %w", record.ChangeID, err)
	}
	if u.before.Omitted > 0 {
		return nil, &Error{Code: CodeConflict, Detail: fmt.Sprintf("the change touched %d objects, too many to be kept in the audit log", u.before.Omitted),
			Next: "roll back to the snapshot before it"}
	}
	if u.before.none() && u.after.none() {
		return nil, &Error{Code: CodeConflict, Detail: fmt.Sprintf("%s tells what happened and changed nothing of desired state", record.Verb),
			Next: "take back the change that it carried out; a rollout is decided on with rollout abort"}
	}
	if len(u.after.Accounts)+len(u.after.Services)+len(u.after.Tokens) > 0 {
		return nil, &Error{Code: CodeConflict, Detail: record.Verb + " has no inverse", Next: "a token is revoked; accounts and services stay"}
	}
	return u, nil
}

// run undoes in the order that keeps references: what hangs on something goes
// before it and comes back after it.
func (u *undo) run() error {
	for _, step := range []func() error{u.dropIntents, u.dropBindings, u.dropDelegations, u.dropRoutes, u.prefixes, u.addRoutes, u.addDelegations, u.addBindings, u.addIntents} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// changedSince is the refusal to undo over somebody's later work.
func changedSince(noun, id string) error {
	return &Error{Code: CodeConflict, Detail: fmt.Sprintf("the %s %s was changed since", noun, id), Next: "look at its history and make the change that is wanted now"}
}

// still reports whether an object is as the change left it.
func still[T any](noun, id string, left T, is T, err error) error {
	if CodeOf(err) == CodeNotFound || err == nil && !reflect.DeepEqual(left, is) {
		return changedSince(noun, id)
	}
	return err
}

func index[T any](all []T, id func(T) string) map[string]T {
	out := make(map[string]T, len(all))
	for _, v := range all {
		out[id(v)] = v
	}
	return out
}

func (u *undo) dropIntents() error {
	for _, n := range u.after.Negative {
		is, err := u.m.tx.Intent(n.ID)
		if err := still("negative intent", n.ID, n, is, err); err != nil {
			return err
		}
		named := u.m.req.Actor.Kind == Operator && slices.Contains(u.m.req.Lift, n.ID)
		if !named && !u.m.mayLift(n) {
			return &Error{Code: CodeConflict, Detail: fmt.Sprintf("it would lift the negative intent %s of %s", n.ID, n.Author), Next: "name it as well, as an operator: holdfast undo --lift " + n.ID}
		}
		if err := u.m.deleteIntent(n); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) addIntents() error {
	for _, n := range u.before.Negative {
		if n.Site != "" || n.Neighbor != "" {
			// It would be a drain past the limits of one.
			return &Error{Code: CodeConflict, Detail: "it would take " + n.Site + n.Neighbor + " out of service again", Next: "drain it by name: that is judged, and charged"}
		}
		if err := u.m.insertIntent(n); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) dropBindings() error {
	for _, b := range u.after.Bindings {
		is, err := u.m.tx.Binding(b.ID)
		if err := still("binding", b.ID, b, is, err); err != nil {
			return err
		}
		d, err := detail(u.m.tx, b.PrefixID)
		if err != nil {
			return err
		}
		if err := unbindable(d, b, u.m.req.At); err != nil {
			return err
		}
		if err := u.m.deleteBinding(b); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) addBindings() error {
	for _, b := range u.before.Bindings {
		if err := u.m.insertBinding(b); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) dropDelegations() error {
	for _, d := range u.after.Delegations {
		is, err := u.m.tx.Delegation(d.ID)
		if err := still("delegation", d.ID, d, is, err); err != nil {
			return err
		}
		if err := u.m.deleteDelegation(d); err != nil {
			return err
		}
	}
	return nil
}

func (u *undo) addDelegations() error {
	for _, d := range u.before.Delegations {
		if err := u.m.saveDelegation(nil, d); err != nil {
			return err
		}
	}
	return nil
}

// dropRoutes removes the routes that the change created.
func (u *undo) dropRoutes() error {
	had := index(u.before.BGPPrefixes, func(b BGPPrefix) string { return b.ID })
	for _, b := range u.after.BGPPrefixes {
		if _, old := had[b.ID]; old {
			continue
		}
		is, err := u.m.tx.BGPPrefix(b.ID)
		if err := still("BGP prefix", b.ID, b, is, err); err != nil {
			return err
		}
		if is.Advertised {
			return &Error{Code: CodeConflict, Detail: fmt.Sprintf("%s is advertised", b.CIDR), Next: "withdraw it first"}
		}
		if err := u.m.deleteBGPPrefix(is); err != nil {
			return err
		}
	}
	return nil
}

// addRoutes sets routes back, or brings them back.
func (u *undo) addRoutes() error {
	left := index(u.after.BGPPrefixes, func(b BGPPrefix) string { return b.ID })
	for _, old := range u.before.BGPPrefixes {
		now, changed := left[old.ID]
		if !changed {
			if err := u.m.routeFree(old.CIDR, ""); err != nil {
				return err
			}
			if _, err := u.m.saveBGPPrefix(nil, old); err != nil {
				return err
			}
			continue
		}
		is, err := u.m.tx.BGPPrefix(old.ID)
		if err := still("BGP prefix", old.ID, now, is, err); err != nil {
			return err
		}
		if err := u.setRoute(old, is); err != nil {
			return err
		}
	}
	return nil
}

// setRoute goes the way of every toggle, so that a lock, a block and an
// owner's own withdrawal count here too.
func (u *undo) setRoute(old, is BGPPrefix) error {
	d, err := detail(u.m.tx, is.PrefixID)
	if err != nil {
		return err
	}
	now := old
	now.Advertised, now.AdvertisedModifiedAt, now.DownAt = is.Advertised, is.AdvertisedModifiedAt, is.DownAt
	if old.Advertised != is.Advertised {
		if err := u.m.toggle(d, &now, old.Advertised); err != nil {
			return err
		}
	}
	_, err = u.m.saveBGPPrefix(&is, now)
	return err
}

func (u *undo) prefixes() error {
	left := index(u.after.Prefixes, func(p Prefix) string { return p.ID })
	had := index(u.before.Prefixes, func(p Prefix) string { return p.ID })
	for _, p := range u.after.Prefixes {
		is, err := u.m.tx.Prefix(p.ID)
		if err := still("prefix", p.ID, p, is, err); err != nil {
			return err
		}
		if err := u.setPrefix(had[p.ID], is); err != nil {
			return err
		}
	}
	for _, p := range u.before.Prefixes {
		if _, there := left[p.ID]; there {
			continue
		}
		if err := u.m.supersede(NewPrefix{AccountID: p.AccountID, CIDR: p.CIDR}); err != nil {
			return err
		}
		if _, err := u.m.savePrefix(nil, p); err != nil {
			return err
		}
	}
	return nil
}

// setPrefix undoes one edge of the life cycle or one edit. Approval is not
// taken back: what was bound and advertised since hangs on it.
func (u *undo) setPrefix(old, is Prefix) error {
	d, err := detail(u.m.tx, is.ID)
	if err != nil {
		return err
	}
	switch {
	case old.ID == "": // created by the change
		if len(d.Bindings) > 0 || d.Advertised() || is.State != Pending {
			return changedSince("prefix", is.ID)
		}
		return u.m.remove(d)
	case old.State == Approved && is.State == PendingDelete:
		return u.m.undelete(d)
	case old.State == PendingDelete && is.State == Approved:
		return &Error{Code: CodeConflict, Detail: "an undeletion is not undone", Next: "delete it again"}
	case old.State != is.State:
		return &Error{Code: CodeConflict, Detail: fmt.Sprintf("a prefix does not go back from %s to %s", is.State, old.State), Next: "delete it if it is not wanted"}
	}
	_, err = u.m.savePrefix(&is, old)
	return err
}
