package snapshots

import "github.com/holdfast-bgp/holdfast/addressing"

// Tally counts one account's routes per family: those advertised everywhere,
// and those of each named site. Neighbor counts are sums of tallies, so that
// nobody has to make a table per neighbor to count it.
type Tally struct {
	All  [2]int            // IPv4, IPv6; routes of all sites
	Site map[string][2]int // routes that name the site; nil if none does
}

// TallyOf counts the routes of a part.
func TallyOf(p *AccountPart) Tally {
	var t Tally
	for i := range p.Routes {
		r := &p.Routes[i]
		f := familyIndex(addressing.FamilyOf(r.CIDR))
		if r.Sites.All {
			t.All[f]++
			continue
		}
		for _, site := range r.Sites.Names {
			if t.Site == nil {
				t.Site = make(map[string][2]int)
			}
			n := t.Site[site]
			n[f]++
			t.Site[site] = n
		}
	}
	return t
}

// At is the number of routes of the family advertised at the site.
func (t Tally) At(site string, f addressing.Family) int {
	return t.All[familyIndex(f)] + t.Site[site][familyIndex(f)]
}

// Tally of the i-th account of the snapshot; computed if it is a draft.
func (s *Snapshot) Tally(i int) Tally {
	if s.seal != nil {
		return s.seal.tallies[i]
	}
	return TallyOf(&s.Accounts[i])
}

func familyIndex(f addressing.Family) int {
	if f == addressing.IPv6 {
		return 1
	}
	return 0
}
