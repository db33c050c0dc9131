package addressing

import "slices"

// Sites is a set of site names a route is advertised from. The zero value is
// no site at all: all sites must be said (AllSites), never implied by absence.
type Sites struct {
	All   bool     `json:"all,omitempty"`
	Names []string `json:"names,omitempty"` // sorted, distinct; empty when All
}

// AllSites is every site there is.
func AllSites() Sites { return Sites{All: true} }

// Has reports whether the set contains the site.
func (s Sites) Has(site string) bool {
	if s.All {
		return true
	}
	_, found := slices.BinarySearch(s.Names, site)
	return found
}

// Empty reports whether the set names no site.
func (s Sites) Empty() bool { return !s.All && len(s.Names) == 0 }
