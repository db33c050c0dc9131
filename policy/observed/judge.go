package observed

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/gaissmai/bart"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// Knowledge is what routes are judged with. What is not there is not judged.
type Knowledge struct {
	Relations Relations
	VRPs      *rpki.Set
	ASPAs     *rpki.ASPAs
	Direction rpki.Direction // in which ASPAs verify; paths of collectors are verified downstream
	Own       []uint32       // our ASNs
	OwnSpace  []netip.Prefix // our prefixes, as they are to be advertised
	Tier1     []uint32       // networks without a provider, for RL704
	Adjacent  *Adjacencies   // known neighbors of our ASNs, for RL706
}

// Judge judges routes one after the other. It is for one goroutine.
type Judge struct {
	know  Knowledge
	space *bart.Table[struct{}]
	hops  []uint32
	found []Finding
	dips  []valley
}

// NewJudge makes a judge. The knowledge must not be changed after.
func NewJudge(k Knowledge) *Judge {
	j := &Judge{know: k}
	if len(k.OwnSpace) > 0 {
		j.space = new(bart.Table[struct{}])
		for _, p := range k.OwnSpace {
			j.space.Insert(p, struct{}{})
		}
	}
	return j
}

// Hops are the ASes of the route judged last, without repetitions; 0 stands
// for an AS_SET. They are valid until the next call of Route.
func (j *Judge) Hops() []uint32 { return j.hops }

// Route says what is wrong with a route, the worst first. The findings are
// valid until the next call.
func (j *Judge) Route(r *Route) []Finding {
	var set bool
	j.hops, set = hops(j.hops[:0], r.Path)
	j.found = j.found[:0]
	if len(j.hops) == 0 {
		return nil
	}
	if !loop(j.hops) {
		j.valley()
		j.transit()
		j.peerlock()
		j.otc(r)
	}
	j.aspa(set)
	j.origin(r.Prefix)
	j.ownSpace(r.Prefix)
	j.adjacency()
	return j.found
}

// valley is RL701.
func (j *Judge) valley() {
	if j.know.Relations.Len() == 0 {
		return
	}
	j.dips = valleys(j.dips[:0], j.hops, &j.know.Relations)
	for _, v := range j.dips {
		f := Finding{
			Rule: RuleValley, Leak: v.leak, Leaker: j.hops[v.leaker],
			From: j.hops[v.leaker+1], To: j.hops[v.sent],
		}
		for i := v.leaker + 1; i <= v.leaker+v.doubtful; i++ {
			f.Suspects = append(f.Suspects, j.hops[i])
		}
		f.FromIs, f.ToIs = j.know.Relations.Of(f.Leaker, f.From), j.know.Relations.Of(f.Leaker, f.To)
		f.describe()
		if len(f.Suspects) > 0 {
			f.Statement += fmt.Sprintf("; it came down or across at AS%d, and links after it are unknown", j.hops[v.learned])
		}
		j.found = append(j.found, f)
	}
}

// transit is RL702: one of our ASNs between two networks of which neither is
// our customer. It needs no relationship of anybody else.
func (j *Judge) transit() {
	for i := 1; i+1 < len(j.hops); i++ {
		own := j.hops[i]
		if own == 0 || !slices.Contains(j.know.Own, own) {
			continue
		}
		to, from := j.hops[i-1], j.hops[i+1]
		if to == 0 || from == 0 || slices.Contains(j.know.Own, to) || slices.Contains(j.know.Own, from) {
			continue
		}
		toIs, fromIs := j.know.Relations.Of(own, to), j.know.Relations.Of(own, from)
		if toIs == Customer || fromIs == Customer {
			continue
		}
		f := Finding{Rule: RuleTransit, Leaker: own, From: from, To: to, FromIs: fromIs, ToIs: toIs}
		if fromIs != Unknown && toIs != Unknown {
			f.Leak = leakType(fromIs, toIs)
		}
		f.describe()
		j.merge(f)
	}
}

// merge adds a finding, or its rule to one that says the same.
func (j *Judge) merge(f Finding) {
	for i := range j.found {
		if g := &j.found[i]; g.Leaker == f.Leaker && g.From == f.From && g.To == f.To {
			g.Also = append(g.Also, f.Rule)
			return
		}
	}
	j.found = append(j.found, f)
}

// peerlock is RL704: a network without a provider between a tier-1 network and
// another one has either leaked or been made up.
func (j *Judge) peerlock() {
	if len(j.know.Tier1) == 0 {
		return
	}
	last := -1 // the tier-1 network nearest to the collector so far
	for i, asn := range j.hops {
		if !slices.Contains(j.know.Tier1, asn) {
			continue
		}
		if last >= 0 && i > last+1 && !slices.Contains(j.hops[last:i], 0) {
			f := Finding{Rule: RulePeerlock, Leaker: j.hops[last+1], From: j.hops[last+2], To: j.hops[last]}
			f.FromIs, f.ToIs = j.know.Relations.Of(f.Leaker, f.From), j.know.Relations.Of(f.Leaker, f.To)
			f.describe()
			f.Statement += fmt.Sprintf("; behind it is AS%d, which has no provider", asn)
			j.merge(f)
		}
		last = i
	}
}

// otc is RL705. RFC 9234 section 5: once OTC is set, the route goes down alone.
// The AS that is named set it when it sent the route down or across, or its
// neighbor did on receipt; from that neighbor on every step has to be down.
func (j *Judge) otc(r *Route) {
	if !r.OTC.Present || j.know.Relations.Len() == 0 {
		return
	}
	set := slices.Index(j.hops, r.OTC.AS)
	for i := set - 1; i > 0; i-- {
		leaker, to := j.hops[i], j.hops[i-1]
		if leaker == 0 || to == 0 {
			continue
		}
		toIs := j.know.Relations.Of(leaker, to)
		if toIs != Provider && toIs != Peer {
			continue
		}
		f := Finding{Rule: RuleOTC, Leaker: leaker, From: j.hops[i+1], To: to, ToIs: toIs}
		f.FromIs = j.know.Relations.Of(leaker, f.From)
		if f.FromIs == Provider || f.FromIs == Peer {
			f.Leak = leakType(f.FromIs, toIs)
		}
		f.describe()
		f.Statement += fmt.Sprintf("; OTC %d said that it may only go to customers", r.OTC.AS)
		j.merge(f)
		return
	}
}

// aspa is RL703. A path with an AS_SET is invalid.
func (j *Judge) aspa(set bool) {
	if j.know.ASPAs.Len() == 0 {
		return
	}
	if set {
		j.found = append(j.found, Finding{Rule: RuleASPA, Statement: "the path has an AS_SET, which no ASPA can verify"})
		return
	}
	if j.know.ASPAs.Verify(j.hops, j.know.Direction) != rpki.PathInvalid {
		return
	}
	f := Finding{Rule: RuleASPA}
	at := j.know.ASPAs.Gap(j.hops)
	f.Leaker, f.From = j.hops[at], j.hops[at+1]
	if at > 0 {
		f.To = j.hops[at-1]
	}
	f.FromIs, f.ToIs = j.know.Relations.Of(f.Leaker, f.From), j.know.Relations.Of(f.Leaker, f.To)
	f.Statement = fmt.Sprintf("the path is invalid by ASPA: AS%d says that AS%d is not its provider", f.From, f.Leaker)
	j.merge(f)
}

// origin is RL707 (RFC 6811).
func (j *Judge) origin(prefix netip.Prefix) {
	if j.know.VRPs.Len() == 0 {
		return
	}
	who := origin(j.hops)
	switch v := j.know.VRPs.Validate(prefix, who); v {
	case rpki.InvalidASN:
		// RFC 7908 section 3.5: re-originated by somebody who had it from another.
		j.found = append(j.found, Finding{Rule: RuleOrigin, Leak: policy.ReoriginationLeak, Leaker: who,
			Statement: fmt.Sprintf("no ROA lets AS%d originate %s, and others cover it", who, prefix)})
	case rpki.InvalidLength:
		// RFC 7908 section 3.6: a more-specific that was meant for the inside.
		j.found = append(j.found, Finding{Rule: RuleOrigin, Leak: policy.InternalLeak, Leaker: who,
			Statement: fmt.Sprintf("%s is more specific than the ROA of AS%d allows", prefix, who)})
	}
}

// ownSpace is RL708: our prefixes from another origin, or more specific than
// we mean to advertise.
func (j *Judge) ownSpace(prefix netip.Prefix) {
	if j.space == nil || !prefix.IsValid() {
		return
	}
	cover, _, ok := j.space.LookupPrefixLPM(prefix)
	if !ok {
		return
	}
	who := origin(j.hops)
	switch ours := slices.Contains(j.know.Own, who); {
	case !ours:
		j.found = append(j.found, Finding{Rule: RuleOwnPrefix, Leak: policy.ReoriginationLeak, Leaker: who,
			Statement: fmt.Sprintf("AS%d originates %s, which is ours (%s)", who, prefix, cover)})
	case cover != prefix:
		j.found = append(j.found, Finding{Rule: RuleOwnPrefix, Leak: policy.InternalLeak, Leaker: who,
			Statement: fmt.Sprintf("%s is visible outside; of ours only %s is to be", prefix, cover)})
	}
}

// adjacency is RL706.
func (j *Judge) adjacency() {
	if j.know.Adjacent == nil {
		return
	}
	for i, own := range j.hops {
		if own == 0 || !slices.Contains(j.know.Own, own) {
			continue
		}
		for _, at := range [2]int{i - 1, i + 1} {
			if at < 0 || at >= len(j.hops) {
				continue
			}
			if other := j.hops[at]; other != 0 && !slices.Contains(j.know.Own, other) && !j.know.Adjacent.Has(own, other) {
				j.found = append(j.found, Finding{Rule: RuleAdjacency, Leaker: own, To: other,
					Statement: fmt.Sprintf("AS%d has not been seen next to AS%d before", other, own)})
			}
		}
	}
}
