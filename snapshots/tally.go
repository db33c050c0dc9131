package snapshots

import "github.com/holdfast-bgp/holdfast/addressing"

// Tally counts one account's routes per family: those advertised everywhere,
// and those of each named site. Neighbor counts are sums of tallies, so that
// nobody has to make a table per neighbor to count it.
type Tally struct {
	All  [2]int            // IPv4, IPv6; routes of all sites
	Site map[string][2]int // routes that name the site; nil if none does
	// Next is when time alone changes what the part advertises, in Unix seconds;
	// 0 is never.
	Next int64
	turn int64 // when it changes the part, be it only a record without a route
}

// TallyOf counts the routes of a part.
func TallyOf(p *AccountPart) Tally {
	t := Tally{Next: nextIntent(p.Negative)}
	t.turn = t.Next
	for i := range p.Prefixes {
		for j := range p.Prefixes[i].BGP {
			t.turn = sooner(t.turn, p.Prefixes[i].BGP[j].DownAt)
		}
	}
	for i := range p.Routes {
		r := &p.Routes[i]
		t.Next = sooner(t.Next, r.DownAt)
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

// nextIntent is when a negative intent expires, or takes down what it drains; 0
// if none does.
func nextIntent(list []NegativeIntent) (first int64) {
	for _, n := range list {
		first = sooner(first, n.ExpiresAt)
		if n.Draining {
			first = sooner(first, n.DownAt)
		}
	}
	return first
}

// sooner is the earlier of two moments, of which 0 is never.
func sooner(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
