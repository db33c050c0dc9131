package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// CreateBGPPrefix adds a route inside an approved prefix, withdrawn.
func (r *Registry) CreateBGPPrefix(ctx context.Context, req Request, prefixID string, cidr netip.Prefix) (BGPPrefix, ChangeSet, error) {
	var out BGPPrefix
	change, err := r.mutate(ctx, req, "create bgp prefix", "bgp_prefix.create", func(m *mutation) error {
		d, err := m.own(prefixID)
		if err != nil {
			return err
		}
		if err := CheckPrefix(cidr); err != nil {
			return &Error{Code: CodeInvalid, Field: "cidr", Detail: err.Error(), Number: 1001, Message: "invalid_network_cidr"}
		}
		if d.State != Approved {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is %s, not approved", d.CIDR, d.State), Number: 1003, Message: "prefix_not_approved"}
		}
		if !contains(d.CIDR, cidr) {
			return &Error{Code: CodeInvalid, Field: "cidr", Detail: fmt.Sprintf("%s is not inside %s", cidr, d.CIDR), Number: 1003, Message: "nonexistent_account_prefix"}
		}
		for _, b := range d.BGP {
			if b.CIDR == cidr {
				return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s is a BGP prefix already, with id %s", cidr, b.ID), Number: 1003, Message: "bgp_prefix_exists",
					Next: "use the BGP prefix that is there"}
			}
		}
		m.inverse = "bgp_prefix.delete"
		out, err = m.newBGPPrefix(d, cidr)
		return err
	})
	return out, change, err
}

func (m *mutation) newBGPPrefix(d PrefixDetail, cidr netip.Prefix) (BGPPrefix, error) {
	if err := m.routeFree(cidr, d.ID); err != nil {
		return BGPPrefix{}, err
	}
	id, err := m.id()
	if err != nil {
		return BGPPrefix{}, err
	}
	return m.saveBGPPrefix(nil, BGPPrefix{ID: id, PrefixID: d.ID, CIDR: cidr, Resting: RestingAdvertised, Sites: AllSites(), CreatedAt: m.req.At.UTC()})
}

// BGPPrefixes lists the BGP prefixes of a prefix, sorted by CIDR.
func (r *Registry) BGPPrefixes(ctx context.Context, s Scope, prefixID string) ([]BGPPrefix, error) {
	return read(ctx, r, "list bgp prefixes", func(tx ReadTx) ([]BGPPrefix, error) {
		d, err := inScope(tx, s, prefixID)
		return d.BGP, err
	})
}

// BGPPrefix finds a BGP prefix of a prefix.
func (r *Registry) BGPPrefix(ctx context.Context, s Scope, prefixID, id string) (BGPPrefix, error) {
	return read(ctx, r, "find bgp prefix", func(tx ReadTx) (BGPPrefix, error) {
		d, err := inScope(tx, s, prefixID)
		if err != nil {
			return BGPPrefix{}, err
		}
		return d.route(id)
	})
}

func (d PrefixDetail) route(id string) (BGPPrefix, error) {
	for _, b := range d.BGP {
		if b.ID == id {
			return b, nil
		}
	}
	return BGPPrefix{}, missing("BGP prefix", id)
}

// BGPPrefixPatch changes a BGP prefix; nil leaves a field alone. The zero
// patch changes nothing: it is never read as a withdrawal.
type BGPPrefixPatch struct {
	Advertised            *bool
	Prepend               *int // 0..3
	AutoAdvertiseWithdraw *bool
	Resting               *Resting // operators only
	Sites                 *Sites   // operators only
}

// EditBGPPrefix changes a BGP prefix: the toggle above all. If-Match is the
// version of the BGP prefix. A value that is there already changes nothing.
func (r *Registry) EditBGPPrefix(ctx context.Context, req Request, prefixID, id string, patch BGPPrefixPatch) (BGPPrefix, ChangeSet, error) {
	var out BGPPrefix
	change, err := r.mutate(ctx, req, "edit bgp prefix", patch.verb(), func(m *mutation) error {
		d, err := inScope(m.tx, req.Scope, prefixID)
		if err != nil {
			return err
		}
		m.account = d.AccountID
		if out, err = d.route(id); err != nil {
			return err
		}
		if err := req.match(out.Version); err != nil {
			return err
		}
		m.inverse = patch.inverse()
		out, err = m.patch(d, out, patch)
		return err
	})
	return out, change, err
}

func (p BGPPrefixPatch) verb() string {
	switch {
	case p.Advertised == nil:
		return "bgp_prefix.edit"
	case *p.Advertised:
		return "bgp_prefix.advertise"
	default:
		return "bgp_prefix.withdraw"
	}
}

func (p BGPPrefixPatch) inverse() string {
	switch {
	case p.Advertised == nil:
		return "bgp_prefix.edit"
	case *p.Advertised:
		return "bgp_prefix.withdraw"
	default:
		return "bgp_prefix.advertise"
	}
}

func (p BGPPrefixPatch) check(req Request) error {
	if p.Prepend != nil && (*p.Prepend < 0 || *p.Prepend > 3) {
		return &Error{Code: CodeInvalid, Field: "asn_prepend_count", Detail: "is outside 0 to 3", Number: 1001}
	}
	if p.Resting != nil && *p.Resting != RestingAdvertised && *p.Resting != RestingWithdrawn {
		return &Error{Code: CodeInvalid, Field: "resting", Detail: "use advertised or withdrawn"}
	}
	if p.Sites != nil && (p.Sites.Empty() || p.Sites.All && len(p.Sites.Names) > 0 || !slices.IsSorted(p.Sites.Names) || len(slices.Compact(slices.Clone(p.Sites.Names))) != len(p.Sites.Names)) {
		return &Error{Code: CodeInvalid, Field: "sites", Detail: "name all sites, or some, sorted and distinct; none is not a set of sites"}
	}
	if p.Resting != nil || p.Sites != nil {
		return req.onlyOperator("changing the resting state or the sites")
	}
	return nil
}

// patch applies a patch to one route of d. It returns errUnchanged when
// everything asked for is so already.
func (m *mutation) patch(d PrefixDetail, b BGPPrefix, p BGPPrefixPatch) (BGPPrefix, error) {
	if err := p.check(m.req); err != nil {
		return b, err
	}
	prior, now := b, b
	if p.Prepend != nil {
		now.Prepend = *p.Prepend
	}
	if p.AutoAdvertiseWithdraw != nil {
		now.AutoAdvertiseWithdraw = *p.AutoAdvertiseWithdraw
	}
	if p.Resting != nil {
		now.Resting = *p.Resting
	}
	if p.Sites != nil {
		now.Sites = *p.Sites
	}
	if p.Advertised != nil {
		if err := m.toggle(d, &now, *p.Advertised); err != nil {
			return b, err
		}
	}
	if sameRoute(prior, now) && len(m.objects) == 0 {
		return b, errUnchanged
	}
	return m.saveBGPPrefix(&prior, now)
}

func sameRoute(a, b BGPPrefix) bool {
	return a.Prepend == b.Prepend && a.AutoAdvertiseWithdraw == b.AutoAdvertiseWithdraw && a.Advertised == b.Advertised && sameTime(a.DownAt, b.DownAt) &&
		a.Resting == b.Resting && a.Sites.All == b.Sites.All && slices.Equal(a.Sites.Names, b.Sites.Names)
}

// toggle sets the desired state of one route, and keeps or lifts the owner's
// negative intent with it.
func (m *mutation) toggle(d PrefixDetail, b *BGPPrefix, advertised bool) error {
	down, sooner := m.downAt(*b, advertised)
	if m.settled(d, *b, advertised) && !sooner {
		return nil
	}
	if err := togglable(d); err != nil {
		return err
	}
	return m.turn(d, b, advertised, down)
}

// settled reports whether the route is as it is wanted, and nothing stands
// against it.
func (m *mutation) settled(d PrefixDetail, b BGPPrefix, advertised bool) bool {
	return b.Advertised == advertised && (!advertised || len(d.BlockedBy(b.CIDR, m.req.At)) == 0)
}

// turn is toggle once it is clear that whoever asks is in control.
// A route that is to go leaves at down, at once if that is nil.
func (m *mutation) turn(d PrefixDetail, b *BGPPrefix, advertised bool, down *time.Time) error {
	if advertised {
		if err := m.liftFor(d, *b); err != nil {
			return err
		}
	} else if err := m.intendDown(d, *b, down); err != nil {
		return err
	}
	b.DownAt = down
	if b.Advertised != advertised {
		at := m.req.At.UTC()
		b.Advertised, b.AdvertisedModifiedAt = advertised, &at
	}
	return nil
}

func togglable(d PrefixDetail) error {
	switch {
	case d.State != Approved:
		return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is %s, not approved", d.CIDR, d.State), Number: 1003, Message: "prefix_not_approved",
			Next: "wait for its approval"}
	case d.Control == ControlBGP:
		return &Error{Code: CodeConflict, Field: "on_demand", Detail: fmt.Sprintf("%s is controlled by BGP, the two ways exclude one another", d.CIDR), Number: 1003, Message: "bgp_signal_enabled",
			Next: "signal by announcing it on the prefix's own session"}
	case !d.OnDemandEnabled:
		return &Error{Code: CodeConflict, Field: "on_demand", Detail: fmt.Sprintf("on demand is not enabled for %s", d.CIDR), Number: 1003, Message: "on_demand_not_enabled"}
	case d.OnDemandLocked:
		return &Error{Code: CodeConflict, Field: "on_demand", Detail: fmt.Sprintf("%s is locked", d.CIDR), Number: 1003, Message: "on_demand_locked",
			Next: "ask an operator to unlock it"}
	}
	return nil
}

// liftFor checks what stands against advertising a route, and lifts what the
// actor may lift: an owner its own withdrawal, anybody what the request names.
func (m *mutation) liftFor(d PrefixDetail, b BGPPrefix) error {
	if !d.Bound(b.CIDR) {
		return &Error{Code: CodeConflict, Field: "advertised", Detail: fmt.Sprintf("no active service binding covers %s", b.CIDR), Number: 1003, Message: "prefix_not_bound",
			Next: "bind it to a service first"}
	}
	if s := d.BarsAdvertising(); s != "" && !b.Advertised {
		return &Error{Code: CodeConflict, Field: "advertised", Detail: fmt.Sprintf("%s is %s for %s", s, *d.step(s), d.CIDR), Number: 1003, Message: string(s) + "_" + string(*d.step(s)),
			Next: "correct the record at its source, then validate again"}
	}
	for _, n := range d.BlockedBy(b.CIDR, m.req.At) {
		if !m.mayLift(n) {
			return &Error{Code: CodeConflict, Field: "advertised", Number: 1003, Message: "down_on_purpose",
				Detail: fmt.Sprintf("%s is down on purpose: %s %s by %s: %s", b.CIDR, n.Kind, n.ID, n.Author, n.Reason),
				Next:   liftWord(n)}
		}
		if err := m.deleteIntent(n); err != nil {
			return err
		}
	}
	return nil
}

func (m *mutation) mayLift(n NegativeIntent) bool {
	if n.Kind == IntentOwner && m.req.Actor.Kind == Owner {
		return true
	}
	return m.req.Actor.Kind == Operator && n.Kind != IntentBlock && slices.Contains(m.req.Lift, n.ID)
}

func liftWord(n NegativeIntent) string {
	switch n.Kind {
	case IntentBlock:
		return "an operator lifts it by name: holdfast prefix unblock"
	case IntentOwner:
		return "its owner advertises it again, or an operator lifts the intent by name"
	default:
		return "an operator lifts the intent by name"
	}
}

// intendDown keeps an owner's own withdrawal as a negative intent. An
// operator's and a system task's are none (DESIGN section 4).
func (m *mutation) intendDown(d PrefixDetail, b BGPPrefix, down *time.Time) error {
	if m.req.Actor.Kind != Owner {
		return nil
	}
	for _, n := range d.Negative {
		if n.Kind != IntentOwner || n.CIDR != b.CIDR || !n.InForce(m.req.At) {
			continue
		}
		if sameTime(n.DownAt, down) || n.DownAt == nil || !n.DownAt.After(m.req.At) {
			return nil // it is down already
		}
		if err := m.deleteIntent(n); err != nil {
			return err
		}
	}
	id, err := m.id()
	if err != nil {
		return err
	}
	return m.insertIntent(NegativeIntent{ID: id, AccountID: d.AccountID, CIDR: b.CIDR, Kind: IntentOwner, Author: m.req.Actor.Key(),
		Reason: m.req.Reason, CreatedAt: m.req.At.UTC(), DownAt: down})
}

// DeleteBGPPrefix removes a withdrawn BGP prefix.
func (r *Registry) DeleteBGPPrefix(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "delete bgp prefix", "bgp_prefix.delete", func(m *mutation) error {
		d, err := inScope(m.tx, req.Scope, prefixID)
		if err != nil {
			return err
		}
		m.account, m.inverse = d.AccountID, "bgp_prefix.create"
		b, err := d.route(id)
		if err != nil {
			return err
		}
		if err := req.match(b.Version); err != nil {
			return err
		}
		if b.Advertised {
			return &Error{Code: CodeConflict, Field: "advertised", Detail: fmt.Sprintf("%s is advertised", b.CIDR), Number: 1003, Message: "bgp_prefix_is_advertised",
				Next: "withdraw it first"}
		}
		if b.Draining(req.At) {
			return onItsWayOut(b)
		}
		return m.deleteBGPPrefix(b)
	})
}

// AdvertisePrefix advertises all BGP prefixes of a prefix.
func (r *Registry) AdvertisePrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return r.toggleAll(ctx, req, id, true)
}

// WithdrawPrefix withdraws all BGP prefixes of a prefix.
func (r *Registry) WithdrawPrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return r.toggleAll(ctx, req, id, false)
}

func (r *Registry) toggleAll(ctx context.Context, req Request, id string, advertised bool) (PrefixDetail, ChangeSet, error) {
	op, verb, inverse := "withdraw prefix", "prefix.withdraw", "prefix.advertise"
	if advertised {
		op, verb, inverse = "advertise prefix", "prefix.advertise", "prefix.withdraw"
	}
	return r.unchangedPrefix(ctx, req, id, op, verb, func(m *mutation, d PrefixDetail) error {
		m.inverse = inverse
		if len(d.BGP) == 0 {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s has no BGP prefix", d.CIDR), Number: 1003, Message: "prefix_not_bound",
				Next: "bind it to a service first, that makes one"}
		}
		for _, b := range d.BGP {
			prior := b
			if err := m.toggle(d, &b, advertised); err != nil {
				return err
			}
			if sameRoute(prior, b) {
				continue
			}
			if _, err := m.saveBGPPrefix(&prior, b); err != nil {
				return err
			}
		}
		return nil // finish tells whether anything was written
	})
}
