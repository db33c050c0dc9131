package adoption

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Route is one route that was seen.
type Route struct {
	Prefix netip.Prefix
	Origin uint32 // 0: the path is empty, so it comes from where it was seen
	Set    bool   // the path ends in an AS_SET: its origin is nobody's in particular
	Where  string // who or what saw it: a peer, a line
	// Of a CSV alone; they win over the guesses.
	Account, Service string
}

// Rules say what is ours to adopt.
type Rules struct {
	// Origins are the AS numbers whose prefixes are adopted, and the first is
	// ours: a route with an empty path has it. There is no default.
	Origins      []uint32
	Account      string // of our own origin
	Service      string // of every prefix
	AllowSpecial bool   // special-purpose ranges too, for a lab
}

// Candidate is a prefix to adopt.
type Candidate struct {
	Prefix  netip.Prefix `json:"prefix"`
	Origin  uint32       `json:"origin"`
	Account string       `json:"account"` // by name
	Own     bool         `json:"own"`     // our origin: the account is first-party
	Service string       `json:"service"` // by name
	Seen    int          `json:"seen"`    // by how many
}

// Left is what was left out.
type Left struct {
	Prefix netip.Prefix `json:"prefix"` // the first of Count
	Origin uint32       `json:"origin"`
	Count  int          `json:"count"`
	Why    string       `json:"why"`
	Where  string       `json:"where"`
}

// Adoption collects routes.
type Adoption struct {
	rules    Rules
	origins  map[uint32]bool
	found    map[netip.Prefix]*found
	foreign  map[uint32]*Left // by origin: a full table has 80,000
	left     []Left
	overflow map[string]*Left // what does not fit in left, by reason
	routes   int
}

type found struct {
	Candidate
	where   map[string]bool
	origins []uint32
	account string // that a CSV gave
}

// maxLeft bounds the list of what was left out one by one; the rest is counted
// by reason.
const maxLeft = 5000

// New starts an adoption. The error says which rule is missing.
func New(r Rules) (*Adoption, error) {
	switch {
	case len(r.Origins) == 0:
		return nil, errors.New("origin: name the AS numbers whose prefixes are to be adopted, our own first; nothing is adopted by default")
	case r.Account == "":
		return nil, errors.New("account: name the account of our own prefixes")
	case r.Service == "":
		return nil, errors.New("service: name the service that the prefixes are bound to")
	}
	a := &Adoption{rules: r, origins: map[uint32]bool{}, found: map[netip.Prefix]*found{}, foreign: map[uint32]*Left{}, overflow: map[string]*Left{}}
	for _, asn := range r.Origins {
		if err := addressing.CheckASN(asn); err != nil {
			return nil, fmt.Errorf("origin: %w", err)
		}
		if a.origins[asn] {
			return nil, fmt.Errorf("origin: AS%d is named twice", asn)
		}
		a.origins[asn] = true
	}
	return a, nil
}

// Routes counts the routes that were added.
func (a *Adoption) Routes() int { return a.routes }

// Add takes in a route that was seen.
func (a *Adoption) Add(r Route) {
	a.routes++
	if r.Origin == 0 && !r.Set {
		r.Origin = a.rules.Origins[0]
	}
	if !a.origins[r.Origin] {
		a.stranger(r)
		return
	}
	if why := a.unfit(r); why != "" {
		a.leave(r, why)
		return
	}
	f := a.found[r.Prefix]
	if f == nil {
		f = &found{Candidate: a.candidate(r), where: map[string]bool{}, account: r.Account}
		a.found[r.Prefix] = f
	}
	switch {
	case r.Account != "" && f.account != r.Account:
		a.leave(r, fmt.Sprintf("repeated with another account: %s before, %s now", f.Account, r.Account))
	case f.where[r.Where]:
		a.leave(r, "repeated by the same source")
	}
	if !slices.Contains(f.origins, r.Origin) {
		f.origins = append(f.origins, r.Origin)
	}
	f.where[r.Where] = true
}

// Withdraw takes back what one source said of a prefix.
func (a *Adoption) Withdraw(p netip.Prefix, where string) {
	f := a.found[p]
	if f == nil || !f.where[where] {
		return
	}
	if delete(f.where, where); len(f.where) == 0 {
		delete(a.found, p)
		a.leave(Route{Prefix: p, Origin: f.Origin, Where: where}, "withdrawn by everybody at the end of the file")
	}
}

func (a *Adoption) candidate(r Route) Candidate {
	c := Candidate{Prefix: r.Prefix, Origin: r.Origin, Service: a.rules.Service, Own: r.Origin == a.rules.Origins[0]}
	switch {
	case r.Account != "":
		c.Account, c.Own = r.Account, r.Account == a.rules.Account
	case c.Own:
		c.Account = a.rules.Account
	default:
		c.Account = fmt.Sprintf("AS%d", r.Origin)
	}
	if r.Service != "" {
		c.Service = r.Service
	}
	return c
}

// unfit says why a route of a named origin cannot be adopted, or "".
func (a *Adoption) unfit(r Route) string {
	switch p := r.Prefix; {
	case p != p.Masked():
		return "host bits are set"
	case p.Bits() == 0:
		return "a default route is nobody's prefix"
	case !a.rules.AllowSpecial:
		if err := addressing.CheckGlobal(p); err != nil {
			return "bogon: " + err.Error()
		}
	}
	return ""
}

// stranger counts a route of an origin that was not named.
func (a *Adoption) stranger(r Route) {
	why := "foreign origin: name it with --origin to adopt it"
	if r.Set {
		why = "the path ends in an AS_SET: no origin"
	}
	l := a.foreign[r.Origin]
	if l == nil {
		l = &Left{Prefix: r.Prefix, Origin: r.Origin, Why: why, Where: r.Where}
		a.foreign[r.Origin] = l
	}
	l.Count++
}

func (a *Adoption) leave(r Route, why string) {
	if len(a.left) < maxLeft {
		a.left = append(a.left, Left{Prefix: r.Prefix, Origin: r.Origin, Count: 1, Why: why, Where: r.Where})
		return
	}
	l := a.overflow[why]
	if l == nil {
		l = &Left{Prefix: r.Prefix, Origin: r.Origin, Why: why, Where: r.Where}
		a.overflow[why] = l
	}
	l.Count++
}

// Result gives the candidates, sorted by prefix, and what was left out. A
// prefix with two of the named origins is left out: which is right is for a
// person, in a CSV.
func (a *Adoption) Result() (adopt []Candidate, left []Left) {
	adopt, left = []Candidate{}, append([]Left{}, a.left...)
	for _, f := range a.found {
		if len(f.origins) > 1 {
			slices.Sort(f.origins)
			left = append(left, Left{Prefix: f.Prefix, Origin: f.Origin, Count: len(f.where), Why: fmt.Sprintf("several of the named origins: %v", f.origins)})
			continue
		}
		c := f.Candidate
		c.Seen = len(f.where)
		adopt = append(adopt, c)
	}
	slices.SortFunc(adopt, func(x, y Candidate) int { return addressing.ComparePrefix(x.Prefix, y.Prefix) })
	adopt, apart := separate(adopt)
	left = append(left, apart...)
	for _, l := range a.overflow {
		left = append(left, *l)
	}
	for _, l := range a.foreign {
		left = append(left, *l)
	}
	slices.SortStableFunc(left, func(x, y Left) int {
		return cmp.Or(cmp.Compare(y.Count, x.Count), addressing.ComparePrefix(x.Prefix, y.Prefix), cmp.Compare(x.Why, y.Why))
	})
	return adopt, left
}

// separate leaves out what lies inside a prefix of another account: prefixes
// of two accounts never overlap. all is sorted, so that a cover comes before
// what it covers, and is cut in place.
func separate(all []Candidate) (apart []Candidate, left []Left) {
	var covers []Candidate // nested, outermost first
	for _, c := range all {
		for len(covers) > 0 && !within(c.Prefix, covers[len(covers)-1].Prefix) {
			covers = covers[:len(covers)-1]
		}
		if n := len(covers); n > 0 && covers[n-1].Account != c.Account {
			left = append(left, Left{Prefix: c.Prefix, Origin: c.Origin, Count: 1,
				Why: fmt.Sprintf("inside %s of account %s: delegate it there, or give both the same account in a CSV", covers[n-1].Prefix, covers[n-1].Account)})
			continue
		}
		covers = append(covers, c)
		apart = append(apart, c)
	}
	return apart, left
}

func within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}
