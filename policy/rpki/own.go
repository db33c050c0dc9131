package rpki

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
)

// Network is what we advertise and to whom we are a customer.
type Network struct {
	ASNs      []uint32 // ours
	Providers []uint32 // networks that we are a customer of
	Routes    []VRP    // prefix, its own length, origin: what is, or may at any time be, advertised
}

// Objects are the objects to publish for a network.
type Objects struct {
	ASPAs []ASPA
	ROAs  []VRP
}

// Publish gives the objects that say what the network does and no more: ROAs
// without a longer maximum length (RFC 9319 section 3), one ASPA per ASN. With
// no provider there is no ASPA: that we have none is for a person to say.
func (n Network) Publish() Objects {
	var out Objects
	providers := slices.Compact(slices.Sorted(slices.Values(n.Providers)))
	for _, asn := range slices.Compact(slices.Sorted(slices.Values(n.ASNs))) {
		if len(providers) > 0 {
			out.ASPAs = append(out.ASPAs, ASPA{Customer: asn, Providers: providers})
		}
	}
	out.ROAs = slices.Clone(n.Routes)
	slices.SortFunc(out.ROAs, compareVRPs)
	out.ROAs = slices.Compact(out.ROAs)
	return out
}

func compareVRPs(a, b VRP) int {
	return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.ASN, b.ASN), cmp.Compare(a.MaxLen, b.MaxLen))
}

// Rules of our own objects; their ids are in the catalogue of leaklint.
const (
	RuleASPAMissing      = "RL607"
	RuleASPAInconsistent = "RL608"
	RuleROAMissing       = "RL609"
	RuleROAContradicts   = "RL610"
	RuleROAUnused        = "RL611"
)

// Discrepancy is one difference between what is published and what is done.
type Discrepancy struct {
	Rule      string
	Prefix    netip.Prefix // of the rules about ROAs
	ASN       uint32       // the AS that the object speaks of
	Statement string
	Fix       string
}

// Compare says what is missing from what is published, and what contradicts
// the network. The result is sorted by rule, prefix and AS.
func (n Network) Compare(published Payload) ([]Discrepancy, error) {
	aspas, err := NewASPAs(published.ASPAs)
	if err != nil {
		return nil, err
	}
	vrps, err := NewSet(published.VRPs)
	if err != nil {
		return nil, err
	}
	want := n.Publish()
	out := n.compareASPAs(aspas)
	for _, r := range want.ROAs {
		switch vrps.Validate(r.Prefix, r.ASN) {
		case NotFound:
			out = append(out, Discrepancy{Rule: RuleROAMissing, Prefix: r.Prefix, ASN: r.ASN,
				Statement: fmt.Sprintf("%s of AS%d has no ROA", r.Prefix, r.ASN), Fix: "publish " + r.String()})
		case InvalidASN, InvalidLength:
			out = append(out, Discrepancy{Rule: RuleROAContradicts, Prefix: r.Prefix, ASN: r.ASN,
				Statement: fmt.Sprintf("%s of AS%d is invalid by the ROAs that cover it", r.Prefix, r.ASN), Fix: "publish " + r.String()})
		}
	}
	out = append(out, n.unused(published.VRPs, want.ROAs)...)
	slices.SortStableFunc(out, func(a, b Discrepancy) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()), cmp.Compare(a.ASN, b.ASN))
	})
	return out, nil
}

func (n Network) compareASPAs(have *ASPAs) (out []Discrepancy) {
	providers := slices.Compact(slices.Sorted(slices.Values(n.Providers)))
	if len(providers) == 0 {
		return nil
	}
	for _, own := range slices.Compact(slices.Sorted(slices.Values(n.ASNs))) {
		attested, ok := have.Of(own)
		if !ok {
			out = append(out, Discrepancy{Rule: RuleASPAMissing, ASN: own, Statement: fmt.Sprintf("AS%d has no ASPA", own), Fix: fmt.Sprintf("publish one that names %v", providers)})
			continue
		}
		for _, p := range providers {
			if have.Hop(own, p) != Provider {
				out = append(out, Discrepancy{Rule: RuleASPAMissing, ASN: own, Statement: fmt.Sprintf("the ASPA of AS%d lacks its provider AS%d", own, p), Fix: fmt.Sprintf("add AS%d", p)})
			}
		}
		for _, p := range attested {
			switch {
			case p == 0:
				out = append(out, Discrepancy{Rule: RuleASPAInconsistent, ASN: own, Statement: fmt.Sprintf("the ASPA of AS%d says that it has no provider (AS 0)", own), Fix: "replace AS 0 by the providers"})
			case !slices.Contains(providers, p):
				out = append(out, Discrepancy{Rule: RuleASPAInconsistent, ASN: own, Statement: fmt.Sprintf("the ASPA of AS%d names AS%d, which is no provider of it", own, p), Fix: fmt.Sprintf("remove AS%d, or name it with --provider", p)})
			}
		}
	}
	return out
}

// unused reports VRPs of our ASNs that allow more than is done.
func (n Network) unused(have, want []VRP) (out []Discrepancy) {
	exact := map[netip.Prefix]map[uint32]bool{}
	for _, v := range want {
		if exact[v.Prefix] == nil {
			exact[v.Prefix] = map[uint32]bool{}
		}
		exact[v.Prefix][v.ASN] = true
	}
	seen := map[VRP]bool{}
	for _, v := range have {
		if seen[v] || !slices.Contains(n.ASNs, v.ASN) {
			continue
		}
		seen[v] = true
		switch {
		case !exact[v.Prefix][v.ASN] && int(v.MaxLen) == v.Prefix.Bits():
			out = append(out, Discrepancy{Rule: RuleROAUnused, Prefix: v.Prefix, ASN: v.ASN,
				Statement: v.String() + " covers nothing that is advertised", Fix: "withdraw it unless it is kept on purpose"})
		case int(v.MaxLen) > v.Prefix.Bits():
			out = append(out, Discrepancy{Rule: RuleROAUnused, Prefix: v.Prefix, ASN: v.ASN,
				Statement: v.String() + " allows more-specifics", Fix: "publish ROAs of the lengths that are advertised instead (RFC 9319)"})
		}
	}
	return out
}

// String writes "192.0.2.0/24 max /24 AS64500".
func (v VRP) String() string { return fmt.Sprintf("%s max /%d AS%d", v.Prefix, v.MaxLen, v.ASN) }
