package rpki

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
)

// maxSLURM bounds a file of local exceptions, which people write.
const maxSLURM = 16 << 20

// SLURM is local exceptions (RFC 8416): what a filter matches is removed, then
// the assertions are added. The zero SLURM changes nothing.
type SLURM struct {
	origins    map[uint32]bool           // filtered whatever the prefix
	under      *bart.Table[[]filteredAS] // filtered at and below a prefix; nil: none
	assertions []VRP

	customers map[uint32]bool // whose ASPAs are filtered
	aspas     []ASPA          // asserted
}

// filteredAS is whose VRPs a prefix filter removes.
type filteredAS struct {
	asn   uint32
	every bool
}

// filter matches by prefix, by ASN, or by both; never everything.
type filter struct {
	prefix netip.Prefix // invalid: any
	asn    *uint32      // nil: any
}

type slurmFile struct {
	Version *int `json:"slurmVersion"`
	Filters *struct {
		Prefix *[]slurmEntry    `json:"prefixFilters"`
		BGPsec *json.RawMessage `json:"bgpsecFilters"`
		ASPA   *[]slurmASPA     `json:"aspaFilters"`
	} `json:"validationOutputFilters"`
	Assertions *struct {
		Prefix *[]slurmEntry    `json:"prefixAssertions"`
		BGPsec *json.RawMessage `json:"bgpsecAssertions"`
		ASPA   *[]slurmASPA     `json:"aspaAssertions"`
	} `json:"locallyAddedAssertions"`
}

type slurmEntry struct {
	Prefix  *string `json:"prefix"`
	ASN     *uint32 `json:"asn"`
	MaxLen  *uint8  `json:"maxPrefixLength"`
	Comment *string `json:"comment"`
}

// slurmASPA is an exception about the providers of an AS, with the names that
// the drafts of SLURM version 2 have used for its fields.
type slurmASPA struct {
	CustomerASN  *uint32   `json:"customerAsn"`
	CustomerASID *uint32   `json:"customerAsid"`
	ProviderASNs *[]uint32 `json:"providerAsns"`
	ProviderSet  *[]uint32 `json:"providerSet"`
	Providers    *[]uint32 `json:"providers"`
	Comment      *string   `json:"comment"`
}

// ReadSLURM reads a file of local exceptions, version 1 or 2. An unknown
// member is an error (RFC 8416 section 3.2), and so is a filter that would
// match everything. BGPsec exceptions are passed over.
func ReadSLURM(r io.Reader) (SLURM, error) {
	raw, err := io.ReadAll(io.LimitReader(r, maxSLURM+1))
	if err != nil {
		return SLURM{}, fmt.Errorf("slurm: %w", err)
	}
	if len(raw) > maxSLURM {
		return SLURM{}, fmt.Errorf("slurm: larger than %d bytes", maxSLURM)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	var f slurmFile
	if err := d.Decode(&f); err != nil {
		return SLURM{}, fmt.Errorf("slurm: at byte %d: %w", d.InputOffset(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return SLURM{}, errors.New("slurm: something follows the end")
	}
	return f.judge()
}

func (f slurmFile) judge() (SLURM, error) {
	var out SLURM
	switch {
	case f.Version == nil || *f.Version != 1 && *f.Version != 2:
		return out, errors.New("slurm: slurmVersion: missing or neither 1 nor 2")
	case f.Filters == nil || f.Filters.Prefix == nil:
		return out, errors.New("slurm: validationOutputFilters.prefixFilters: missing; an empty list filters nothing")
	case f.Assertions == nil || f.Assertions.Prefix == nil:
		return out, errors.New("slurm: locallyAddedAssertions.prefixAssertions: missing; an empty list adds nothing")
	}
	for i, e := range *f.Filters.Prefix {
		have, err := e.filter()
		if err != nil {
			return SLURM{}, fmt.Errorf("slurm: prefixFilters[%d]: %w", i, err)
		}
		out.filter(have)
	}
	for i, e := range *f.Assertions.Prefix {
		v, err := e.assertion()
		if err != nil {
			return SLURM{}, fmt.Errorf("slurm: prefixAssertions[%d]: %w", i, err)
		}
		out.assertions = append(out.assertions, v)
	}
	return out, f.judgeASPAs(&out)
}

// judgeASPAs reads the exceptions of version 2 about providers
// (draft-ietf-sidrops-aspa-slurm).
func (f slurmFile) judgeASPAs(out *SLURM) error {
	if (f.Filters.ASPA != nil || f.Assertions.ASPA != nil) && *f.Version != 2 {
		return errors.New("slurm: slurmVersion: ASPA exceptions need version 2")
	}
	if f.Filters.ASPA != nil {
		for i, e := range *f.Filters.ASPA {
			a, providers, err := e.read()
			if err == nil && providers {
				err = errors.New("providers: have no place in a filter")
			}
			if err != nil {
				return fmt.Errorf("slurm: aspaFilters[%d]: %w", i, err)
			}
			if out.customers == nil {
				out.customers = map[uint32]bool{}
			}
			out.customers[a.Customer] = true
		}
	}
	if f.Assertions.ASPA != nil {
		for i, e := range *f.Assertions.ASPA {
			a, providers, err := e.read()
			if err == nil && !providers {
				err = errors.New("providerAsns: missing")
			}
			if err != nil {
				return fmt.Errorf("slurm: aspaAssertions[%d]: %w", i, err)
			}
			out.aspas = append(out.aspas, a)
		}
	}
	return nil
}

func (e slurmASPA) read() (a ASPA, providers bool, err error) {
	customer := e.CustomerASN
	if customer == nil {
		customer = e.CustomerASID
	}
	if customer == nil || *customer == 0 {
		return a, false, errors.New("customerAsn: missing")
	}
	a.Customer = *customer
	for _, list := range []*[]uint32{e.ProviderASNs, e.ProviderSet, e.Providers} {
		if list != nil {
			a.Providers, providers = append(a.Providers, *list...), true
		}
	}
	return a, providers, nil
}

// filter is RFC 8416 section 3.3.1.
func (e slurmEntry) filter() (filter, error) {
	out := filter{asn: e.ASN}
	if e.MaxLen != nil {
		return out, errors.New("maxPrefixLength: has no place in a filter")
	}
	if e.Prefix != nil {
		p, err := netip.ParsePrefix(*e.Prefix)
		if err != nil || p != p.Masked() {
			return out, fmt.Errorf("prefix: %q is none", *e.Prefix)
		}
		out.prefix = p
	}
	if !out.prefix.IsValid() && out.asn == nil {
		return out, errors.New("neither prefix nor asn: it would remove every VRP")
	}
	return out, nil
}

// assertion is RFC 8416 section 3.4.1; without a maximum length it is the
// prefix's own.
func (e slurmEntry) assertion() (VRP, error) {
	if e.Prefix == nil || e.ASN == nil {
		return VRP{}, errors.New("prefix and asn are both needed")
	}
	p, err := netip.ParsePrefix(*e.Prefix)
	if err != nil {
		return VRP{}, fmt.Errorf("prefix: %q is none", *e.Prefix)
	}
	v := VRP{Prefix: p, MaxLen: uint8(p.Bits()), ASN: *e.ASN}
	if e.MaxLen != nil {
		v.MaxLen = *e.MaxLen
	}
	return v, v.Check()
}

// filter files a filter by what it asks for, so that a table of VRPs costs one
// look-up each, however many filters there are.
func (s *SLURM) filter(f filter) {
	if !f.prefix.IsValid() {
		if s.origins == nil {
			s.origins = map[uint32]bool{}
		}
		s.origins[*f.asn] = true
		return
	}
	who := filteredAS{every: f.asn == nil}
	if f.asn != nil {
		who.asn = *f.asn
	}
	if s.under == nil {
		s.under = new(bart.Table[[]filteredAS])
	}
	s.under.Modify(f.prefix, func(have []filteredAS, _ bool) ([]filteredAS, bool) { return append(have, who), false })
}

func (s SLURM) removes(v VRP) bool {
	if s.origins[v.ASN] {
		return true
	}
	if s.under == nil {
		return false
	}
	for _, who := range s.under.Supernets(v.Prefix) {
		if slices.ContainsFunc(who, func(f filteredAS) bool { return f.every || f.asn == v.ASN }) {
			return true
		}
	}
	return false
}

// Apply returns the VRPs with the exceptions in force. What it is given stays
// as it is.
func (s SLURM) Apply(vrps []VRP) []VRP {
	out := make([]VRP, 0, len(vrps)+len(s.assertions))
	for _, v := range vrps {
		if !s.removes(v) {
			out = append(out, v)
		}
	}
	return append(out, s.assertions...)
}

// ApplyASPAs returns the ASPAs with the exceptions in force.
func (s SLURM) ApplyASPAs(list []ASPA) []ASPA {
	out := make([]ASPA, 0, len(list)+len(s.aspas))
	for _, a := range list {
		if !s.customers[a.Customer] {
			out = append(out, a)
		}
	}
	return append(out, s.aspas...)
}
