package addressing

import (
	"context"
	"slices"
	"strings"
)

// NewService is what CreateService takes.
type NewService struct {
	Name     string
	MinSites int // 0 means 1
}

// CreateService adds a service. Its name must be new. Operators only.
func (r *Registry) CreateService(ctx context.Context, req Request, in NewService) (Service, ChangeSet, error) {
	var out Service
	change, err := r.mutate(ctx, req, "create service", "service.create", func(m *mutation) error {
		if err := req.onlyOperator("creating services"); err != nil {
			return err
		}
		if err := checkName(in.Name); err != nil {
			return err
		}
		if in.MinSites < 0 {
			return &Error{Code: CodeInvalid, Field: "min_sites", Detail: "less than 0"}
		}
		id, err := m.id()
		if err != nil {
			return err
		}
		out = Service{ID: id, Name: in.Name, MinSites: max(1, in.MinSites), CreatedAt: req.At.UTC(), Version: 1}
		return m.saveService(nil, out)
	})
	return out, change, err
}

// Services lists all services, sorted by name.
func (r *Registry) Services(ctx context.Context) ([]Service, error) {
	return read(ctx, r, "list services", func(tx ReadTx) ([]Service, error) {
		all, err := tx.Services()
		slices.SortFunc(all, func(a, b Service) int { return strings.Compare(a.Name, b.Name) })
		return all, err
	})
}
