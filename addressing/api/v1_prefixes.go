package api

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// ListPrefixes lists prefixes with their status, in one scope.
func (h *handlers) ListPrefixes(ctx context.Context, r ListPrefixesRequestObject) (ListPrefixesResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(r.Params.AccountID)
	if err := l.check(); err != nil {
		return nil, err
	}
	all, err := h.selected(ctx, reg, l, r.Params.Cidr)
	if err != nil {
		return nil, err
	}
	view := h.look(ctx)
	out := make([]PrefixStatus, 0, len(all))
	for _, d := range all {
		out = append(out, view.prefix(d))
	}
	return ListPrefixes200JSONResponse{Items: out, Scope: l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out), Filter: l.echo()}, nil
}

// selected reads the prefixes of a list: those of the scope, or the one with
// the CIDR that was asked for.
func (h *handlers) selected(ctx context.Context, reg *addressing.Registry, l listing, cidr *string) ([]addressing.PrefixDetail, error) {
	if cidr == nil {
		return reg.Prefixes(ctx, l.scope)
	}
	p, err := addressing.ParsePrefix(*cidr)
	if err != nil {
		return nil, fail(failure{status: 400, code: addressing.CodeInvalid, number: 1001, why: err.Error(), field: "query.cidr", noRetry: true})
	}
	l.filter["cidr"] = p.String()
	d, err := reg.PrefixAt(ctx, l.scope, p)
	if addressing.CodeOf(err) == addressing.CodeNotFound {
		return nil, nil
	}
	return []addressing.PrefixDetail{d}, err
}

// CreatePrefix adds a prefix for the account that the body names.
func (h *handlers) CreatePrefix(ctx context.Context, r CreatePrefixRequestObject) (CreatePrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cidr, err := parsePrefix(r.Body.Cidr)
	if err != nil {
		return nil, err
	}
	d, cs, err := reg.CreatePrefix(ctx, c.request(r.Body.Reason), addressing.NewPrefix{AccountID: r.Body.AccountID, CIDR: cidr,
		ASN: uint32(r.Body.Asn), Description: r.Body.Description})
	if err != nil {
		return nil, err
	}
	return CreatePrefix201JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// changedPrefix answers with a prefix that was just changed.
func (h *handlers) changedPrefix(ctx context.Context, d addressing.PrefixDetail, cs addressing.ChangeSet) PrefixStatus {
	c := callIn(ctx)
	c.tag(d.Version)
	out := h.look(ctx).prefix(d)
	out.ChangeID = c.changed(cs)
	if reg, err := h.intent(); err == nil {
		h.provenance(ctx, reg, d, &out)
	}
	return out
}

// ListPendingDeletions lists the prefixes in their grace time. It can return
// nothing else: each is looked at again here.
func (h *handlers) ListPendingDeletions(ctx context.Context, r ListPendingDeletionsRequestObject) (ListPendingDeletionsResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(r.Params.AccountID)
	if err := l.check(); err != nil {
		return nil, err
	}
	all, err := reg.PendingDeletions(ctx, l.scope)
	if err != nil {
		return nil, err
	}
	out := make([]PendingDeletion, 0, len(all))
	for _, d := range all {
		if d.State != addressing.PendingDelete {
			return nil, &addressing.Error{Code: addressing.CodeInternal, Op: "list pending deletions", Detail: d.ID + " is " + string(d.State)}
		}
		out = append(out, PendingDeletion{ID: d.ID, AccountID: d.AccountID, Cidr: d.CIDR.String(), Asn: int64(d.ASN),
			State: PendingDeletionStatePendingDelete, DeleteAfter: microPtr(d.DeleteAfter), ModifiedAt: micro(d.ModifiedAt), Version: d.Version})
	}
	return ListPendingDeletions200JSONResponse{Items: out, Scope: "pending-deletions of " + l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out), Filter: l.echo()}, nil
}

// GetPrefix is one prefix in plain words (UX-03).
func (h *handlers) GetPrefix(ctx context.Context, r GetPrefixRequestObject) (GetPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	d, err := reg.Prefix(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	c.tag(d.Version)
	view := h.look(ctx)
	view.beyond = h.cfg.Beyond != nil
	out := view.prefix(d)
	h.provenance(ctx, reg, d, &out)
	return GetPrefix200JSONResponse{Body: out}, nil
}

// DeletePrefix deletes a prefix that is neither advertised nor bound.
func (h *handlers) DeletePrefix(ctx context.Context, r DeletePrefixRequestObject) (DeletePrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	d, err := reg.Prefix(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	cs, err := reg.DeletePrefix(ctx, c.request(nil), r.PrefixID)
	if err != nil {
		return nil, err
	}
	d.State = addressing.Tombstone
	pending, err := reg.PendingDeletions(ctx, addressing.OneAccount(d.AccountID))
	if err != nil {
		return nil, err
	}
	for _, p := range pending {
		if p.ID == d.ID {
			d = p
		}
	}
	out := h.look(ctx).prefix(d)
	out.ChangeID = c.changed(cs)
	return DeletePrefix200JSONResponse{Body: out}, nil
}

// UndeletePrefix takes a prefix back out of its grace time.
func (h *handlers) UndeletePrefix(ctx context.Context, r UndeletePrefixRequestObject) (UndeletePrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	d, cs, err := reg.Undelete(ctx, callIn(ctx).request(reasonOf(r.Body)), r.PrefixID)
	if err != nil {
		return nil, err
	}
	return UndeletePrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

func reasonOf(b *ReasonOnly) *string {
	if b == nil {
		return nil
	}
	return b.Reason
}

// ApprovePrefix approves a prefix with the risks that are named.
func (h *handlers) ApprovePrefix(ctx context.Context, r ApprovePrefixRequestObject) (ApprovePrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	var reason *string
	var risks []string
	if r.Body != nil {
		reason = r.Body.Reason
		if r.Body.AcceptRisk != nil {
			risks = *r.Body.AcceptRisk
		}
	}
	d, cs, err := reg.ApprovePrefix(ctx, callIn(ctx).request(reason), r.PrefixID, risks)
	if err != nil {
		return nil, err
	}
	return ApprovePrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// AdvertisePrefix advertises every BGP prefix of a prefix.
func (h *handlers) AdvertisePrefix(ctx context.Context, r AdvertisePrefixRequestObject) (AdvertisePrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	d, cs, err := reg.AdvertisePrefix(ctx, callIn(ctx).request(reasonOf(r.Body)), r.PrefixID)
	if err != nil {
		return nil, err
	}
	return AdvertisePrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// WithdrawPrefix withdraws every BGP prefix of a prefix.
func (h *handlers) WithdrawPrefix(ctx context.Context, r WithdrawPrefixRequestObject) (WithdrawPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	q := callIn(ctx).request(&r.Body.Reason)
	if s := r.Body.WaitSeconds; s != nil {
		q.Drain = ptr(time.Duration(*s) * time.Second)
	}
	if by := r.Body.ReplacedBy; by != nil {
		if q.ReplacedBy, err = addressing.ParsePrefix(*by); err != nil {
			return nil, &addressing.Error{Code: addressing.CodeInvalid, Op: "withdraw prefix", Field: "replaced_by", Detail: err.Error()}
		}
	}
	d, cs, err := reg.WithdrawPrefix(ctx, q, r.PrefixID)
	if err != nil {
		return nil, err
	}
	return WithdrawPrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// BlockPrefix takes a prefix down on purpose.
func (h *handlers) BlockPrefix(ctx context.Context, r BlockPrefixRequestObject) (BlockPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	_, cs, err := reg.BlockPrefix(ctx, c.request(&r.Body.Reason), r.PrefixID, r.Body.ExpiresAt)
	if err != nil {
		return nil, err
	}
	d, err := reg.Prefix(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	return BlockPrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// UnblockPrefix lifts one block by name. Without a name there must be exactly
// one: lifting "all of them" does not exist.
func (h *handlers) UnblockPrefix(ctx context.Context, r UnblockPrefixRequestObject) (UnblockPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	id, err := h.oneBlock(ctx, reg, r)
	if err != nil {
		return nil, err
	}
	d, cs, err := reg.UnblockPrefix(ctx, c.request(&r.Body.Reason), r.PrefixID, id)
	if err != nil {
		return nil, err
	}
	return UnblockPrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

func (h *handlers) oneBlock(ctx context.Context, reg *addressing.Registry, r UnblockPrefixRequestObject) (string, error) {
	if r.Body.IntentID != nil {
		return *r.Body.IntentID, nil
	}
	d, err := reg.Prefix(ctx, callIn(ctx).scope, r.PrefixID)
	if err != nil {
		return "", err
	}
	var ids, others []string
	for _, n := range d.Negative {
		if n.Kind == addressing.IntentBlock {
			ids = append(ids, n.ID)
		} else {
			others = append(others, fmt.Sprintf("%s (%s by %s)", n.ID, n.Kind, n.Author))
		}
	}
	if len(ids) == 1 {
		return ids[0], nil
	}
	why, next := "the prefix is not blocked", ""
	switch {
	case len(others) > 0 && len(ids) == 0:
		why, next = "the prefix is not blocked; it is down on purpose otherwise: "+joinComma(others), "lift one by its id: intent_id, or holdfast prefix unblock --intent ID"
	case len(ids) > 1:
		why, next = "the prefix has more than one block", "name one as intent_id: "+joinComma(ids)
	}
	return "", &addressing.Error{Code: addressing.CodeConflict, Op: "unblock prefix", Field: "intent_id", Detail: why, Next: next}
}

// ListBindings lists the bindings of a prefix.
func (h *handlers) ListBindings(ctx context.Context, r ListBindingsRequestObject) (ListBindingsResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	all, err := reg.Bindings(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	names, err := h.serviceNames(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Binding, 0, len(all))
	for _, b := range all {
		out = append(out, v1Binding(b, names))
	}
	return ListBindings200JSONResponse{Items: out, Scope: "prefix:" + r.PrefixID, Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

func v1Binding(b addressing.Binding, names map[string]string) Binding {
	return Binding{ID: b.ID, PrefixID: b.PrefixID, Cidr: b.CIDR.String(), ServiceID: b.ServiceID, ServiceName: names[b.ServiceID],
		Active: b.Active, CreatedAt: micro(b.CreatedAt)}
}

// CreateBinding binds a range of a prefix to a service.
func (h *handlers) CreateBinding(ctx context.Context, r CreateBindingRequestObject) (CreateBindingResponseObject, error) {
	b, change, err := h.bind(ctx, r.PrefixID, r.Body.Cidr, r.Body.ServiceID, r.Body.Reason)
	if err != nil {
		return nil, err
	}
	names, err := h.serviceNames(ctx)
	if err != nil {
		return nil, err
	}
	out := v1Binding(b, names)
	out.ChangeID = change
	return CreateBinding201JSONResponse{Body: out}, nil
}

// DeleteBinding removes a binding of any prefix in scope.
func (h *handlers) DeleteBinding(ctx context.Context, r DeleteBindingRequestObject) (DeleteBindingResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	b, err := reg.Binding(ctx, c.scope, "", r.BindingID)
	if err != nil {
		return nil, err
	}
	names, err := h.serviceNames(ctx)
	if err != nil {
		return nil, err
	}
	cs, err := reg.DeleteBinding(ctx, c.request(nil), "", r.BindingID)
	if err != nil {
		return nil, err
	}
	out := v1Binding(b, names)
	out.ChangeID = c.changed(cs)
	return DeleteBinding200JSONResponse{Body: out}, nil
}

// covers reports whether outer contains the whole of inner.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
