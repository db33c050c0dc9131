package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// ListAccountBindings is B1.
func (h *handlers) ListAccountBindings(ctx context.Context, r ListAccountBindingsRequestObject) (ListAccountBindingsResponseObject, error) {
	all, err := h.reading(ctx).Bindings(ctx, callIn(ctx).scope, r.PrefixID)
	if err != nil {
		return nil, err
	}
	names, err := h.serviceNames(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]AccountBinding, 0, len(all))
	for _, b := range all {
		out = append(out, bindingOut(b, names))
	}
	return ListAccountBindings200JSONResponse{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: out}, nil
}

// CreateAccountBinding is B2.
func (h *handlers) CreateAccountBinding(ctx context.Context, r CreateAccountBindingRequestObject) (CreateAccountBindingResponseObject, error) {
	b, _, err := h.bind(ctx, r.PrefixID, r.Body.Cidr, r.Body.ServiceID, nil)
	if err != nil {
		return nil, err
	}
	out, err := h.bindingEnvelope(ctx, b)
	return CreateAccountBinding201JSONResponse{Body: out}, err
}

// bind creates a binding for either surface.
func (h *handlers) bind(ctx context.Context, prefixID, cidr, serviceID string, reason *string) (addressing.Binding, *string, error) {
	reg, err := h.intent()
	if err != nil {
		return addressing.Binding{}, nil, err
	}
	c := callIn(ctx)
	p, err := parseRange(cidr)
	if err != nil {
		return addressing.Binding{}, nil, err
	}
	b, cs, err := reg.CreateBinding(ctx, c.request(reason), addressing.NewBinding{PrefixID: prefixID, CIDR: p, ServiceID: serviceID})
	return b, c.changed(cs), err
}

func (h *handlers) bindingEnvelope(ctx context.Context, b addressing.Binding) (BindingEnvelope, error) {
	names, err := h.serviceNames(ctx)
	return BindingEnvelope{Success: true, Errors: noMessages(), Messages: notes(ctx), Result: bindingOut(b, names)}, err
}

// GetAccountBinding is B3.
func (h *handlers) GetAccountBinding(ctx context.Context, r GetAccountBindingRequestObject) (GetAccountBindingResponseObject, error) {
	b, err := h.reading(ctx).Binding(ctx, callIn(ctx).scope, r.PrefixID, r.BindingID)
	if err != nil {
		return nil, err
	}
	out, err := h.bindingEnvelope(ctx, b)
	if err != nil {
		return nil, err
	}
	return GetAccountBinding200JSONResponse(out), nil
}

// DeleteAccountBinding is B4. The last binding of something advertised stays
// (invariant 1).
func (h *handlers) DeleteAccountBinding(ctx context.Context, r DeleteAccountBindingRequestObject) (DeleteAccountBindingResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	cs, err := reg.DeleteBinding(ctx, c.request(nil), r.PrefixID, r.BindingID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return DeleteAccountBinding200JSONResponse{Body: emptyEnvelope(ctx)}, nil
}
