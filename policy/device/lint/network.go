package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// TagInvariant is what holds together the proofs of a network whose iBGP is
// trusted because routes of peers and providers carry tags: every ingress tags,
// nobody inside strips, every egress rejects. Each part is a question to one
// session, so that a changed file is judged without the others.
type TagInvariant struct {
	Routers  int // configurations with sessions that take part
	Ingress  int // external sessions whose import has to tag
	Internal int // internal sessions that have to keep the tags
	Egress   int // external sessions that have to reject them
	Broken   int // places where one of them fails or is not proved
}

// Holds reports whether all parts were proved on all routers.
func (t *TagInvariant) Holds() bool { return t.Broken == 0 && t.Ingress > 0 && t.Egress > 0 }

// tagRules are the findings that break the invariant.
var tagRules = []string{"RL501", "RL502", "RL503", "RL505", "RL507"}

// network sums the parts up over all configurations, whatever their languages.
// With ibgp: tagged the proofs of all routers rest on it, so that one router that
// breaks it is a finding about all of them (RL508).
func (d *Declaration) network(res *Result, parts []*analysis) {
	var whole *TagInvariant
	for _, a := range parts {
		if a.tagged == nil {
			continue
		}
		if whole == nil {
			whole = &TagInvariant{}
		}
		whole.Routers += a.tagged.Routers
		whole.Ingress, whole.Internal, whole.Egress = whole.Ingress+a.tagged.Ingress, whole.Internal+a.tagged.Internal, whole.Egress+a.tagged.Egress
	}
	if whole == nil {
		return
	}
	res.Tags = whole
	var places []Related
	var first Finding
	for i := range res.Findings {
		f := &res.Findings[i]
		if !slices.Contains(tagRules, f.Rule) && f.Rule != "RL903" {
			continue
		}
		if whole.Broken++; whole.Broken == 1 {
			first = *f
		}
		places = append(places, Related{f.Pos, f.Rule + " " + f.Message})
	}
	if whole.Broken == 0 || d.IBGP != Tagged {
		return
	}
	f := Finding{
		Rule: "RL508", Pos: first.Pos, Dialect: first.Dialect, Related: places[:min(len(places), maxPlaces)],
		Message: fmt.Sprintf("iBGP is declared tagged and %d places of %d routers break that: no proof that trusts a tag holds until they are mended", whole.Broken, whole.Routers),
		Fix:     "mend the places named, or declare ibgp: untrusted",
	}
	if s, ok := d.Severity[f.Rule]; ok {
		f.Severity = severities[s]
	}
	if f.Severity == off {
		return
	}
	f.Fingerprint = f.fingerprint()
	res.Findings = append(res.Findings, f)
}

// CompareAmong is Compare where the network has other configurations that the
// change does not touch: they are not judged again, and count for what holds
// across files.
func (d *Declaration) CompareAmong(before, after, untouched []*device.Config) *Result {
	for _, cfg := range untouched {
		d.assignRoles(cfg)
	}
	res := d.Compare(before, after)
	known := map[string]bool{}
	for _, f := range d.acrossFiles(slices.Concat(before, untouched)) {
		known[f.Fingerprint] = true
	}
	for _, f := range d.acrossFiles(slices.Concat(after, untouched)) {
		reported := slices.ContainsFunc(res.Findings, func(have Finding) bool { return have.Fingerprint == f.Fingerprint })
		if !known[f.Fingerprint] && !reported {
			res.Findings = append(res.Findings, f)
		}
	}
	sortFindings(res.Findings)
	return res
}
