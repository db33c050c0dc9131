package rpki

import (
	"fmt"
	"slices"
)

// MaxASPAs bounds a set: one per AS number in use, with room.
const MaxASPAs = 1_000_000

// ASPA says who the providers of an AS are: all of them. The one provider 0
// says that it has none (draft-ietf-sidrops-aspa-profile section 3).
type ASPA struct {
	Customer  uint32
	Providers []uint32
}

// Attestation is what a set says about a hop. The zero value is that nothing
// is said.
type Attestation uint8

// Attestations (draft-ietf-sidrops-aspa-verification section 4).
const (
	NoAttestation Attestation = iota
	NotProvider
	Provider
)

// PathValidity is the outcome of verifying an AS path. The zero value is no
// outcome.
type PathValidity uint8

// Outcomes.
const (
	PathUnknown PathValidity = iota + 1
	PathValid
	PathInvalid
)

// String is the draft's word for it.
func (v PathValidity) String() string {
	switch v {
	case PathUnknown:
		return "unknown"
	case PathValid:
		return "valid"
	case PathInvalid:
		return "invalid"
	}
	return "not verified"
}

// Direction is which way a path came to whoever verifies it. The zero value is
// upstream, which is the stricter of the two.
type Direction uint8

// Directions: from a provider a path has come downstream; from a customer, a
// peer, an RS-client or through an RS it has come upstream.
const (
	Upstream Direction = iota
	Downstream
)

// ASPAs is a set of ASPAs to verify against. It does not change once made. The
// nil set attests nothing.
type ASPAs struct{ providers map[uint32][]uint32 }

// NewASPAs makes a set; several ASPAs of one customer are united (profile
// draft section 5).
func NewASPAs(list []ASPA) (*ASPAs, error) {
	if len(list) > MaxASPAs {
		return nil, fmt.Errorf("aspa: %d are more than the %d that are taken", len(list), MaxASPAs)
	}
	s := &ASPAs{providers: make(map[uint32][]uint32, len(list))}
	for i, a := range list {
		if a.Customer == 0 {
			return nil, fmt.Errorf("aspa: entry %d: customer: AS 0 is nobody", i)
		}
		s.providers[a.Customer] = append(s.providers[a.Customer], a.Providers...)
	}
	for customer, providers := range s.providers {
		slices.Sort(providers)
		s.providers[customer] = slices.Compact(providers)
	}
	return s, nil
}

// Len is how many customers have attested.
func (s *ASPAs) Len() int {
	if s == nil {
		return 0
	}
	return len(s.providers)
}

// Of gives the providers that a customer attests, sorted; ok is false if it
// attests nothing.
func (s *ASPAs) Of(customer uint32) (providers []uint32, ok bool) {
	if s == nil {
		return nil, false
	}
	providers, ok = s.providers[customer]
	return slices.Clone(providers), ok
}

// Hop is what the set says of provider being a provider of customer.
func (s *ASPAs) Hop(customer, provider uint32) Attestation {
	if s == nil {
		return NoAttestation
	}
	providers, ok := s.providers[customer]
	if !ok {
		return NoAttestation
	}
	if _, found := slices.BinarySearch(providers, provider); found && provider != 0 {
		return Provider
	}
	return NotProvider
}

// Verify verifies a path, the neighbor's AS first, the origin's last, without
// repetitions (draft-ietf-sidrops-aspa-verification section 5). A path that has
// an AS_SET is invalid and not for Verify; that the first AS is the neighbor's
// is for the caller to see. The empty path is invalid.
func (s *ASPAs) Verify(path []uint32, d Direction) PathValidity {
	n := len(path)
	switch {
	case n == 0:
		return PathInvalid
	case n == 1:
		return PathValid
	case d == Upstream:
		return s.upstream(path)
	}
	return s.downstream(path)
}

// upstream: every AS up to the neighbor must have been a customer of the next
// (section 5.4).
func (s *ASPAs) upstream(path []uint32) PathValidity {
	out := PathValid
	for i := len(path) - 1; i > 0; i-- {
		switch s.Hop(path[i], path[i-1]) {
		case NotProvider:
			return PathInvalid
		case NoAttestation:
			out = PathUnknown
		}
	}
	return out
}

// Gap is the index of the AS at which an invalid path breaks: the first
// beyond the longest ramp up from the origin, so never the origin itself. It
// means nothing for other paths.
func (s *ASPAs) Gap(path []uint32) int {
	n := len(path)
	up, _ := ramp(n, func(i int) Attestation { return s.Hop(path[n-i], path[n-i-1]) })
	return max(0, n-up-1) // n-up-1 is negative for a path that is valid
}

// downstream: up from the origin, at most one hop to the side, and down to the
// neighbor (section 5.5). The longest ramps allow what is not attested, the
// shortest ones do not; two ramps that do not meet leave a valley between.
func (s *ASPAs) downstream(path []uint32) PathValidity {
	n := len(path)
	maxUp, minUp := ramp(n, func(i int) Attestation { return s.Hop(path[n-i], path[n-i-1]) })
	maxDown, minDown := ramp(n, func(i int) Attestation { return s.Hop(path[i-1], path[i]) })
	switch {
	case maxUp+maxDown < n:
		return PathInvalid
	case minUp+minDown < n:
		return PathUnknown
	}
	return PathValid
}

// ramp measures how many of n ASes a ramp can have at most and at least; hop(i)
// attests the step from its i-th AS, counted from 1, to the next.
func ramp(n int, hop func(i int) Attestation) (longest, shortest int) {
	shortest = n
	for i := 1; i < n; i++ {
		switch hop(i) {
		case NotProvider:
			return i, min(shortest, i)
		case NoAttestation:
			shortest = min(shortest, i)
		}
	}
	return n, shortest
}
