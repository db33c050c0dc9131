package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// ListAccountBGPPrefixes is G1.
func (h *handlers) ListAccountBGPPrefixes(ctx context.Context, r ListAccountBGPPrefixesRequestObject) (ListAccountBGPPrefixesResponseObject, error) {
	d, err := h.reading(ctx).Prefix(ctx, callIn(ctx).scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	out := make([]BGPPrefix, 0, len(d.BGP))
	for _, b := range d.BGP {
		out = append(out, bgpPrefixOut(d.Prefix, b))
	}
	return ListAccountBGPPrefixes200JSONResponse{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: out, ResultInfo: infoOf(len(out))}, nil
}

// bgpEnvelope answers with a BGP prefix; what it inherits is its prefix's.
func (h *handlers) bgpEnvelope(ctx context.Context, b addressing.BGPPrefix) (BGPPrefixEnvelope, error) {
	c := callIn(ctx)
	d, err := h.reading(ctx).Prefix(ctx, c.scope, b.PrefixID)
	if err != nil {
		return BGPPrefixEnvelope{}, err
	}
	c.tag(b.Version)
	return BGPPrefixEnvelope{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: bgpPrefixOut(d.Prefix, b)}, nil
}

// CreateAccountBGPPrefix is G2: the new BGP prefix is withdrawn.
func (h *handlers) CreateAccountBGPPrefix(ctx context.Context, r CreateAccountBGPPrefixRequestObject) (CreateAccountBGPPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cidr, err := parsePrefix(r.Body.Cidr)
	if err != nil {
		return nil, err
	}
	b, cs, err := reg.CreateBGPPrefix(ctx, c.request(nil), r.PrefixID, cidr)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	out, err := h.bgpEnvelope(ctx, b)
	return CreateAccountBGPPrefix200JSONResponse{Body: out}, err
}

// GetAccountBGPPrefix is G3.
func (h *handlers) GetAccountBGPPrefix(ctx context.Context, r GetAccountBGPPrefixRequestObject) (GetAccountBGPPrefixResponseObject, error) {
	b, err := h.reading(ctx).BGPPrefix(ctx, callIn(ctx).scope, r.PrefixID, r.BgpPrefixID)
	if err != nil {
		return nil, err
	}
	out, err := h.bgpEnvelope(ctx, b)
	if err != nil {
		return nil, err
	}
	return GetAccountBGPPrefix200JSONResponse{Body: out}, nil
}

// EditAccountBGPPrefix is G4, the toggle. What the body does not name is left
// alone: an empty patch changes nothing.
func (h *handlers) EditAccountBGPPrefix(ctx context.Context, r EditAccountBGPPrefixRequestObject) (EditAccountBGPPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	patch := addressing.BGPPrefixPatch{Prepend: r.Body.AsnPrependCount, AutoAdvertiseWithdraw: r.Body.AutoAdvertiseWithdraw}
	if r.Body.OnDemand != nil {
		patch.Advertised = r.Body.OnDemand.Advertised
	}
	b, cs, err := reg.EditBGPPrefix(ctx, c.request(nil), r.PrefixID, r.BgpPrefixID, patch)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	out, err := h.bgpEnvelope(ctx, b)
	return EditAccountBGPPrefix200JSONResponse{Body: out}, err
}

// DeleteAccountBGPPrefix is G5: only when withdrawn.
func (h *handlers) DeleteAccountBGPPrefix(ctx context.Context, r DeleteAccountBGPPrefixRequestObject) (DeleteAccountBGPPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cs, err := reg.DeleteBGPPrefix(ctx, c.request(nil), r.PrefixID, r.BgpPrefixID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return DeleteAccountBGPPrefix200JSONResponse{Body: emptyEnvelope(ctx)}, nil
}

func (h *handlers) statusEnvelope(ctx context.Context, d addressing.PrefixDetail) StatusEnvelope {
	on, at := advertisedOut(d)
	callIn(ctx).tag(d.Version)
	return StatusEnvelope{Success: true, Errors: noMessages(), Messages: notes(ctx),
		Result: AdvertisementStatus{Advertised: on, AdvertisedModifiedAt: at}}
}

// GetAccountStatus is X1.
func (h *handlers) GetAccountStatus(ctx context.Context, r GetAccountStatusRequestObject) (GetAccountStatusResponseObject, error) {
	d, err := h.reading(ctx).Prefix(ctx, callIn(ctx).scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	return GetAccountStatus200JSONResponse{Body: h.statusEnvelope(ctx, d)}, nil
}

// EditAccountStatus is X2: all BGP prefixes of the prefix, so that the status
// read back is the one that was asked for.
func (h *handlers) EditAccountStatus(ctx context.Context, r EditAccountStatusRequestObject) (EditAccountStatusResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	toggle := reg.WithdrawPrefix
	if r.Body.Advertised {
		toggle = reg.AdvertisePrefix
	}
	d, cs, err := toggle(ctx, c.request(nil), r.PrefixID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return EditAccountStatus200JSONResponse{Body: h.statusEnvelope(ctx, d)}, nil
}
