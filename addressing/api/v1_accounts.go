package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func accountOut(a addressing.Account) Account {
	return Account{ID: a.ID, Name: a.Name, Kind: AccountKind(a.Kind), CreatedAt: micro(a.CreatedAt), Version: a.Version}
}

// ListAccounts lists the accounts.
func (h *handlers) ListAccounts(ctx context.Context, _ ListAccountsRequestObject) (ListAccountsResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(nil)
	all, err := reg.Accounts(ctx, l.scope)
	if err != nil {
		return nil, err
	}
	out := make([]Account, 0, len(all))
	for _, a := range all {
		out = append(out, accountOut(a))
	}
	return ListAccounts200JSONResponse{Items: out, Scope: l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// CreateAccount creates an account; customer unless told.
func (h *handlers) CreateAccount(ctx context.Context, r CreateAccountRequestObject) (CreateAccountResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	in := addressing.NewAccount{Name: r.Body.Name, Kind: addressing.Customer}
	if r.Body.Kind != nil {
		in.Kind = addressing.AccountKind(*r.Body.Kind)
	}
	a, cs, err := reg.CreateAccount(ctx, c.request(r.Body.Reason), in)
	if err != nil {
		return nil, err
	}
	c.tag(a.Version)
	out := accountOut(a)
	out.ChangeID = c.changed(cs)
	return CreateAccount201JSONResponse{Body: out}, nil
}

// GetAccount shows one account.
func (h *handlers) GetAccount(ctx context.Context, r GetAccountRequestObject) (GetAccountResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	a, err := reg.Account(ctx, c.scope, r.AccountID)
	if err != nil {
		return nil, err
	}
	c.tag(a.Version)
	return GetAccount200JSONResponse{Body: accountOut(a)}, nil
}

func serviceOut(s addressing.Service) Service {
	return Service{ID: s.ID, Name: s.Name, MinSites: s.MinSites, CreatedAt: micro(s.CreatedAt), Version: s.Version}
}

// ListServices lists the services. They belong to no account.
func (h *handlers) ListServices(ctx context.Context, _ ListServicesRequestObject) (ListServicesResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	all, err := reg.Services(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Service, 0, len(all))
	for _, s := range all {
		out = append(out, serviceOut(s))
	}
	return ListServices200JSONResponse{Items: out, Scope: "all-services", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// CreateService creates a service.
func (h *handlers) CreateService(ctx context.Context, r CreateServiceRequestObject) (CreateServiceResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	in := addressing.NewService{Name: r.Body.Name}
	if r.Body.MinSites != nil {
		in.MinSites = *r.Body.MinSites
	}
	s, cs, err := reg.CreateService(ctx, c.request(r.Body.Reason), in)
	if err != nil {
		return nil, err
	}
	c.tag(s.Version)
	out := serviceOut(s)
	out.ChangeID = c.changed(cs)
	return CreateService201JSONResponse{Body: out}, nil
}
