package sqlite

import (
	"database/sql"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const serviceColumns = "id, name, min_sites, created_at, version"

func scanService(r *sql.Rows, s *addressing.Service) error {
	var created int64
	err := r.Scan(&s.ID, &s.Name, &s.MinSites, &created, &s.Version)
	s.CreatedAt = at(created)
	return err
}

func (t *tx) Service(id string) (addressing.Service, error) {
	return one(t, "service", id, scanService, "SELECT "+serviceColumns+" FROM services WHERE id = ?")
}

func (t *tx) Services() ([]addressing.Service, error) {
	return list(t, "service", scanService, "SELECT "+serviceColumns+" FROM services ORDER BY id")
}

func (t *tx) SaveService(s addressing.Service) error {
	if s.Version == 1 {
		return t.insert("service", "name", "INSERT INTO services ("+serviceColumns+") VALUES (?, ?, ?, ?, ?)",
			s.ID, s.Name, s.MinSites, nanos(s.CreatedAt), s.Version)
	}
	return t.swap("service", "name", s.ID, "services", "UPDATE services SET name = ?, min_sites = ?, version = ? WHERE id = ? AND version = ?",
		s.Name, s.MinSites, s.Version, s.ID, s.Version-1)
}
