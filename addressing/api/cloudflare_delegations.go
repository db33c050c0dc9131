package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func delegationOut(d addressing.Delegation) Delegation {
	return Delegation{ID: d.ID, Cidr: d.CIDR.String(), DelegatedAccountID: d.DelegatedAccountID, ParentPrefixID: d.PrefixID,
		CreatedAt: micro(d.CreatedAt), ModifiedAt: micro(d.ModifiedAt)}
}

// ListAccountDelegations is D1.
func (h *handlers) ListAccountDelegations(ctx context.Context, r ListAccountDelegationsRequestObject) (ListAccountDelegationsResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	all, err := reg.Delegations(ctx, callIn(ctx).scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	out := make([]Delegation, 0, len(all))
	for _, d := range all {
		out = append(out, delegationOut(d))
	}
	return ListAccountDelegations200JSONResponse{Success: true, Errors: noMessages(), Messages: noMessages(), Result: out, ResultInfo: infoOf(len(out))}, nil
}

// CreateAccountDelegation is D2. To an unknown account a delegation is inert.
func (h *handlers) CreateAccountDelegation(ctx context.Context, r CreateAccountDelegationRequestObject) (CreateAccountDelegationResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cidr, err := parseRange(r.Body.Cidr)
	if err != nil {
		return nil, err
	}
	d, cs, err := reg.CreateDelegation(ctx, c.request(nil), r.PrefixID, cidr, r.Body.DelegatedAccountID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return CreateAccountDelegation200JSONResponse{Body: DelegationEnvelope{Success: true, Errors: noMessages(), Messages: noMessages(), Result: delegationOut(d)}}, nil
}

// DeleteAccountDelegation is D3.
func (h *handlers) DeleteAccountDelegation(ctx context.Context, r DeleteAccountDelegationRequestObject) (DeleteAccountDelegationResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cs, err := reg.DeleteDelegation(ctx, c.request(nil), r.PrefixID, r.DelegationID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return DeleteAccountDelegation200JSONResponse{Body: DelegationIDEnvelope{Success: true, Errors: noMessages(), Messages: noMessages(), Result: DelegationID{ID: r.DelegationID}}}, nil
}
