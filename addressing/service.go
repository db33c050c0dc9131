package addressing

import "time"

// Service is what a binding points traffic at (CDN, Spectrum, ...).
type Service struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	MinSites  int       `json:"min_sites"` // a prefix on fewer sites than this counts as lost; 0 means 1
	CreatedAt time.Time `json:"created_at"`
	Version   int64     `json:"version"`
}
