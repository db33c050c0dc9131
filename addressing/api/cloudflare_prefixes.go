package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// ListAccountServices is S1.
func (h *handlers) ListAccountServices(ctx context.Context, _ ListAccountServicesRequestObject) (ListAccountServicesResponseObject, error) {
	all, err := h.reading(ctx).Services(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]AccountService, 0, len(all))
	for _, s := range all {
		out = append(out, AccountService{ID: s.ID, Name: s.Name})
	}
	return ListAccountServices200JSONResponse{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: out, ResultInfo: infoOf(len(out))}, nil
}

// ListAccountPrefixes is P1: everything in one answer, no paging.
func (h *handlers) ListAccountPrefixes(ctx context.Context, _ ListAccountPrefixesRequestObject) (ListAccountPrefixesResponseObject, error) {
	all, err := h.reading(ctx).Prefixes(ctx, callIn(ctx).scope)
	if err != nil {
		return nil, err
	}
	out := make([]Prefix, 0, len(all))
	for _, d := range all {
		out = append(out, prefixOut(d))
	}
	return ListAccountPrefixes200JSONResponse{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: out, ResultInfo: infoOf(len(out))}, nil
}

// CreateAccountPrefix is P2.
func (h *handlers) CreateAccountPrefix(ctx context.Context, r CreateAccountPrefixRequestObject) (CreateAccountPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cidr, err := parsePrefix(r.Body.Cidr)
	if err != nil {
		return nil, err
	}
	in := addressing.NewPrefix{AccountID: c.accountID, CIDR: cidr, ASN: uint32(r.Body.Asn), Description: r.Body.Description,
		DelegateLOACreation: r.Body.DelegateLoaCreation != nil && *r.Body.DelegateLoaCreation, LOADocumentID: r.Body.LoaDocumentID}
	if in.LOADocumentID != nil {
		if err := h.letterExists(ctx, *in.LOADocumentID); err != nil {
			return nil, err
		}
	}
	d, cs, err := reg.CreatePrefix(ctx, c.request(nil), in)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	c.tag(d.Version)
	return CreateAccountPrefix201JSONResponse{Body: prefixEnvelope(ctx, d)}, nil
}

func prefixEnvelope(ctx context.Context, d addressing.PrefixDetail) PrefixEnvelope {
	return PrefixEnvelope{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: prefixOut(d)}
}

// GetAccountPrefix is P3.
func (h *handlers) GetAccountPrefix(ctx context.Context, r GetAccountPrefixRequestObject) (GetAccountPrefixResponseObject, error) {
	c := callIn(ctx)
	d, err := h.reading(ctx).Prefix(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	c.tag(d.Version)
	return GetAccountPrefix200JSONResponse{Body: prefixEnvelope(ctx, d)}, nil
}

// EditAccountPrefix is P4. The gate has made sure that description is there:
// null clears it, leaving it out is 400.
func (h *handlers) EditAccountPrefix(ctx context.Context, r EditAccountPrefixRequestObject) (EditAccountPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	d, cs, err := reg.EditPrefix(ctx, c.request(nil), r.PrefixID, addressing.PrefixPatch{SetDescription: true, Description: r.Body.Description})
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	c.tag(d.Version)
	return EditAccountPrefix200JSONResponse{Body: prefixEnvelope(ctx, d)}, nil
}

// emptyEnvelope is the answer of a deletion.
func emptyEnvelope(ctx context.Context) EmptyEnvelope {
	return EmptyEnvelope{Success: true, Errors: noMessages(), Messages: notes(ctx)}
}

// DeleteAccountPrefix is P5: 409 while advertised or bound.
func (h *handlers) DeleteAccountPrefix(ctx context.Context, r DeleteAccountPrefixRequestObject) (DeleteAccountPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cs, err := reg.DeletePrefix(ctx, c.request(nil), r.PrefixID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return DeleteAccountPrefix200JSONResponse{Body: emptyEnvelope(ctx)}, nil
}

// ValidateAccountPrefix is P6; the outcome comes later.
func (h *handlers) ValidateAccountPrefix(ctx context.Context, r ValidateAccountPrefixRequestObject) (ValidateAccountPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	d, cs, err := reg.ValidatePrefix(ctx, c.request(nil), r.PrefixID)
	if err != nil {
		return nil, err
	}
	if h.cfg.Validate != nil {
		h.cfg.Validate(d.ID)
	}
	c.changed(cs)
	c.tag(d.Version)
	return ValidateAccountPrefix202JSONResponse{Body: prefixEnvelope(ctx, d)}, nil
}
