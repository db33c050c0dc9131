package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// NewBinding is what CreateBinding takes.
type NewBinding struct {
	PrefixID  string
	CIDR      netip.Prefix
	ServiceID string
}

// CreateBinding binds a range of an approved prefix to a service. The first
// must equal the prefix and creates its default BGP prefix, withdrawn, in the
// same transaction. With no edge machine registered the binding is active at
// once.
func (r *Registry) CreateBinding(ctx context.Context, req Request, in NewBinding) (Binding, ChangeSet, error) {
	var out Binding
	change, err := r.mutate(ctx, req, "create binding", "binding.create", func(m *mutation) error {
		d, err := m.own(in.PrefixID)
		if err != nil {
			return err
		}
		service, err := m.tx.Service(in.ServiceID)
		if CodeOf(err) == CodeNotFound {
			return &Error{Code: CodeInvalid, Field: "service_id", Detail: "no service with id " + quoted(in.ServiceID), Number: 1003, Next: "list the services"}
		}
		if err != nil {
			return err
		}
		if err := bindable(d, in, service); err != nil {
			return err
		}
		out, err = m.bind(d, in)
		return err
	})
	return out, change, err
}

func (m *mutation) bind(d PrefixDetail, in NewBinding) (Binding, error) {
	id, err := m.id()
	if err != nil {
		return Binding{}, err
	}
	b := Binding{ID: id, PrefixID: d.ID, CIDR: in.CIDR, ServiceID: in.ServiceID, Active: true, CreatedAt: m.req.At.UTC()}
	m.inverse = "binding.delete"
	if err := m.insertBinding(b); err != nil {
		return Binding{}, err
	}
	hasDefault := slices.ContainsFunc(d.BGP, func(g BGPPrefix) bool { return g.CIDR == d.CIDR })
	if in.CIDR != d.CIDR || hasDefault {
		return b, nil
	}
	_, err = m.newBGPPrefix(d, d.CIDR)
	return b, err
}

// magicTransit can only be the default of a whole prefix, in Cloudflare's
// rules; upgrades of a range are CDN, Spectrum and the like.
const magicTransit = "Magic Transit"

// bindable are the rules of a new binding (api-contract section 4.3).
func bindable(d PrefixDetail, in NewBinding, service Service) error {
	if err := CheckRange(in.CIDR); err != nil {
		return &Error{Code: CodeInvalid, Field: "cidr", Detail: err.Error(), Number: 1001, Message: "invalid_network_cidr"}
	}
	if d.State != Approved {
		return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is %s, not approved", d.CIDR, d.State), Number: 1003, Message: "prefix_not_approved",
			Next: "wait for its approval"}
	}
	if !contains(d.CIDR, in.CIDR) {
		return &Error{Code: CodeInvalid, Field: "cidr", Detail: fmt.Sprintf("%s is not inside %s", in.CIDR, d.CIDR), Number: 1003, Message: "unsupported_binding_configuration"}
	}
	if len(d.Bindings) == 0 && in.CIDR != d.CIDR {
		return &Error{Code: CodeInvalid, Field: "cidr", Detail: fmt.Sprintf("the first binding must be of the whole prefix, %s", d.CIDR), Number: 1003, Message: "unsupported_binding_configuration"}
	}
	for _, b := range d.Bindings {
		if b.CIDR == in.CIDR {
			return &Error{Code: CodeConflict, Field: "cidr", Detail: fmt.Sprintf("%s is bound already, by binding %s", in.CIDR, b.ID), Number: 1003, Message: "unsupported_binding_configuration",
				Next: "remove that binding first; bindings cannot be changed"}
		}
	}
	if service.Name == magicTransit && in.CIDR != d.CIDR {
		return &Error{Code: CodeInvalid, Field: "service_id", Detail: magicTransit + " can only be bound to the whole prefix", Number: 1003, Message: "unsupported_binding_configuration"}
	}
	return nil
}

// Bindings lists the bindings of a prefix, sorted by CIDR.
func (r *Registry) Bindings(ctx context.Context, s Scope, prefixID string) ([]Binding, error) {
	return read(ctx, r, "list bindings", func(tx ReadTx) ([]Binding, error) {
		d, err := inScope(tx, s, prefixID)
		return d.Bindings, err
	})
}

// Binding finds a binding of a prefix; an empty prefixID is any prefix in scope.
func (r *Registry) Binding(ctx context.Context, s Scope, prefixID, id string) (Binding, error) {
	return read(ctx, r, "find binding", func(tx ReadTx) (Binding, error) {
		_, b, err := bindingIn(tx, s, prefixID, id)
		return b, err
	})
}

func bindingIn(tx ReadTx, s Scope, prefixID, id string) (PrefixDetail, Binding, error) {
	if prefixID == "" {
		b, err := tx.Binding(id)
		if err != nil {
			return PrefixDetail{}, Binding{}, err
		}
		prefixID = b.PrefixID
	}
	d, err := inScope(tx, s, prefixID)
	if err != nil {
		return PrefixDetail{}, Binding{}, err
	}
	for _, b := range d.Bindings {
		if b.ID == id {
			return d, b, nil
		}
	}
	return PrefixDetail{}, Binding{}, missing("binding", id)
}

// DeleteBinding removes a binding, unless something advertised would be left
// without one (invariant 1), or the default would go before the bindings
// inside it. An empty prefixID is any prefix in scope.
func (r *Registry) DeleteBinding(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return r.mutate(ctx, req, "delete binding", "binding.delete", func(m *mutation) error {
		d, b, err := bindingIn(m.tx, req.Scope, prefixID, id)
		if err != nil {
			return err
		}
		m.account, m.inverse = d.AccountID, "binding.create"
		if err := req.match(d.Version); err != nil {
			return err
		}
		if err := unbindable(d, b, m.req.At); err != nil {
			return err
		}
		return m.deleteBinding(b)
	})
}

func unbindable(d PrefixDetail, b Binding, at time.Time) error {
	rest := d
	rest.Bindings = slices.DeleteFunc(slices.Clone(d.Bindings), func(o Binding) bool { return o.ID == b.ID })
	bound := rest.coverage()
	for _, g := range d.BGP {
		if g.Advertised && !bound.has(g.CIDR) {
			return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("it is the last binding over %s, which is advertised", g.CIDR), Number: 1003, Message: "last_binding_of_advertised_prefix",
				Next: "withdraw first, then unbind"}
		}
		if g.Draining(at) && !bound.has(g.CIDR) {
			return onItsWayOut(g)
		}
	}
	if b.CIDR == d.CIDR && len(rest.Bindings) > 0 {
		return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("it is the default of %d more specific bindings", len(rest.Bindings)), Number: 1003, Message: "unsupported_binding_configuration",
			Next: "remove those first"}
	}
	return nil
}
