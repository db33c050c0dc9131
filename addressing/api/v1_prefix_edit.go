package api

import (
	"context"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// ControlPrefix says who signals a prefix, and whether its owner may toggle it.
func (h *handlers) ControlPrefix(ctx context.Context, r ControlPrefixRequestObject) (ControlPrefixResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	patch := addressing.PrefixPatch{Locked: r.Body.OnDemandLocked}
	if r.Body.Control != nil {
		control := addressing.Control(*r.Body.Control)
		patch.Control = &control
	}
	if patch.Locked == nil && patch.Control == nil {
		return nil, &addressing.Error{Code: addressing.CodeInvalid, Field: "control", Detail: "nothing to change: a reason alone changes nothing", Next: "send control or on_demand_locked"}
	}
	d, cs, err := reg.EditPrefix(ctx, callIn(ctx).request(r.Body.Reason), r.PrefixID, patch)
	if err != nil {
		return nil, err
	}
	return ControlPrefix200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

// EditRoute sets the resting state and the sites of one route.
func (h *handlers) EditRoute(ctx context.Context, r EditRouteRequestObject) (EditRouteResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	patch, err := routePatch(r.Body)
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	_, cs, err := reg.EditBGPPrefix(ctx, c.request(r.Body.Reason), r.PrefixID, r.BgpPrefixID, patch)
	if err != nil {
		return nil, err
	}
	d, err := reg.Prefix(ctx, c.scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	return EditRoute200JSONResponse{Body: h.changedPrefix(ctx, d, cs)}, nil
}

func routePatch(in *RouteEdit) (addressing.BGPPrefixPatch, error) {
	var out addressing.BGPPrefixPatch
	invalid := func(field, detail, next string) (addressing.BGPPrefixPatch, error) {
		return addressing.BGPPrefixPatch{}, &addressing.Error{Code: addressing.CodeInvalid, Field: field, Detail: detail, Next: next}
	}
	if in.Resting != nil {
		resting := addressing.Resting(*in.Resting)
		out.Resting = &resting
	}
	switch {
	case in.Sites != nil && in.AllSites != nil:
		return invalid("sites", "stands beside all_sites, which means every site", "send one of the two")
	case in.AllSites != nil && !*in.AllSites:
		return invalid("all_sites", "false names no site", "name them in sites")
	case in.AllSites != nil:
		out.Sites = &addressing.Sites{All: true}
	case in.Sites != nil:
		names := slices.Sorted(slices.Values(*in.Sites))
		if len(slices.Compact(slices.Clone(names))) != len(names) {
			return invalid("sites", "names a site twice", "name each site once")
		}
		out.Sites = &addressing.Sites{Names: names}
	case in.Resting == nil:
		return invalid("resting", "nothing to change: a reason alone changes nothing", "send resting, sites or all_sites")
	}
	return out, nil
}
