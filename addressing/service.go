package addressing

import "time"

// Service is what a binding points traffic at (CDN, Spectrum, ...).
type Service struct {
	ID        string
	Name      string
	MinSites  int // a prefix on fewer sites than this counts as lost; 0 means 1
	CreatedAt time.Time
	Version   int64
}
