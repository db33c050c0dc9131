package snapshots

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Build makes a snapshot of desired state. It is pure: the same state, network
// and moment give the same ID whatever the order of the records. Negative
// intents that expired by at are left out; everything else is carried.
//
// network says what the configuration declares; its Services and Negative are
// replaced by those of the state. The error is an *Invalid if the state does
// not make a snapshot that a speaker would accept.
func Build(state addressing.State, network NetworkPart, environment string, at time.Time) (*Snapshot, error) {
	return new(Builder).Build(state, network, environment, at)
}

// BuildOver is Build on the shoulders of a snapshot that is known already.
func BuildOver(base *Snapshot, state addressing.State, network NetworkPart, environment string, at time.Time, limits Limits) (*Snapshot, error) {
	return NewBuilder(base, limits).Build(state, network, environment, at)
}

// Seal validates a draft and gives it its ID, for snapshots that are composed
// and not built. Parts that base has too are shared with it; base may be nil.
func Seal(draft *Snapshot, base *Snapshot, want Expect) (*Snapshot, error) {
	return sealOver(draft, base, want)
}

// sealOver validates the draft, hashes what base does not have and returns a
// sealed snapshot. The draft is not changed.
func sealOver(draft, base *Snapshot, want Expect) (*Snapshot, error) {
	return sealOn(draft, base, nil, want)
}

// sealOn is sealOver with the draft's land, if it is known.
func sealOn(draft, base *Snapshot, all land, want Expect) (*Snapshot, error) {
	s := &Snapshot{Environment: draft.Environment, Accounts: slices.Clone(draft.Accounts), Network: draft.Network}
	if s.Accounts == nil {
		s.Accounts = []AccountPart{}
	}
	s.Network = normalNetwork(s.Network)
	refs := make([]AccountRef, len(s.Accounts))
	lines := make([][]byte, len(s.Accounts))
	tallies := make([]Tally, len(s.Accounts))
	known := make([]bool, len(s.Accounts))
	if base != nil && base.seal != nil {
		for i := range s.Accounts {
			j, found := base.find(s.Accounts[i].Account)
			if !found || !equalPart(&s.Accounts[i], &base.Accounts[j]) {
				continue
			}
			s.Accounts[i], refs[i], tallies[i], known[i] = base.Accounts[j], base.seal.manifest.Accounts[j], base.seal.tallies[j], true
			if base.seal.lines != nil {
				lines[i] = base.seal.lines[j]
			}
		}
	}
	trust := trusted(base, s, known)
	trust.land = all
	if err := validate(s, want, trust); err != nil {
		return nil, err
	}
	net, err := canonical(s.Network)
	if err != nil {
		return nil, fmt.Errorf("network part: %w", err)
	}
	if err := each(len(s.Accounts), func(i int) (err error) {
		if !known[i] {
			raw, err := canonical(&s.Accounts[i])
			if err != nil {
				return fmt.Errorf("account %s: %w", s.Accounts[i].Account, err)
			}
			refs[i], tallies[i] = refOf(&s.Accounts[i], raw), TallyOf(&s.Accounts[i])
		}
		if lines[i] == nil {
			lines[i], err = canonical(refs[i])
		}
		return err
	}); err != nil {
		return nil, err
	}
	m := Manifest{Version: Version, Environment: s.Environment, Network: PartRef{sumOf(net), int64(len(net))}, Accounts: refs}
	if err := checkManifest(m, want); err != nil {
		return nil, err
	}
	raw, err := m.canonicalOf(lines)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	s.seal = &seal{id: ID(sumOf(raw)), manifest: m, raw: raw, lines: lines, tallies: tallies}
	return s, nil
}

// trust is what need not be validated again: nothing it depends on has changed
// since it was. The zero trust is none.
type trust struct {
	parts []bool // beside Snapshot.Accounts
	apart bool   // no account's prefixes overlap another's
	land  land   // all prefixes, in order; nil if they are still to be sorted
}

// trusted says what was validated before in base, under the same sites and
// services. known marks the parts that are base's own.
func trusted(base, s *Snapshot, known []bool) trust {
	if base == nil || base.seal == nil || base.Environment != s.Environment || base.Network.ASN != s.Network.ASN ||
		!slices.Equal(base.Network.Sites, s.Network.Sites) || !slices.Equal(base.Network.Services, s.Network.Services) {
		return trust{}
	}
	t := trust{parts: known, apart: len(base.Accounts) == len(s.Accounts)}
	for i := range s.Accounts {
		t.apart = t.apart && (known[i] || sameCIDRs(&s.Accounts[i], &base.Accounts[i]))
	}
	return t
}

func sameCIDRs(a, b *AccountPart) bool {
	return a.Account == b.Account && slices.EqualFunc(a.Prefixes, b.Prefixes, func(x, y PrefixRecord) bool { return x.CIDR == y.CIDR })
}

// each runs f for 0 to n-1 on all processors and returns the first error.
func each(n int, f func(int) error) error {
	if n == 1 {
		return f(0)
	}
	var g errgroup.Group
	workers := min(n, runtime.GOMAXPROCS(0))
	for w := range workers {
		g.Go(func() error {
			for i := w; i < n; i += workers {
				if err := f(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// assemble groups the state by account, sorts everything and derives routes.
// An account that base has in the same form is taken from there.
func assemble(state addressing.State, network NetworkPart, at time.Time, base *Snapshot) ([]AccountPart, NetworkPart, error) {
	network.Services, network.Negative = nil, nil
	for _, s := range state.Services {
		network.Services = append(network.Services, Service{ID: s.ID, Name: text(s.Name), MinSites: max(s.MinSites, 1)})
	}
	parts := make([]AccountPart, 0, len(state.Accounts))
	for _, a := range state.Accounts {
		kind := a.Kind
		if kind == "" {
			kind = addressing.Customer
		}
		parts = append(parts, AccountPart{Account: a.ID, Name: text(a.Name), Kind: kind})
	}
	slices.SortFunc(parts, func(a, b AccountPart) int { return compareString(a.Account, b.Account) })
	owner := make(map[string]int, len(parts))
	for i := range parts {
		owner[parts[i].Account] = i
	}
	if err := addPrefixes(parts, owner, state, at); err != nil {
		return nil, network, err
	}
	for _, n := range state.Negative {
		if n.ExpiresAt != nil && !n.ExpiresAt.After(at) {
			continue
		}
		if n.Site != "" || n.Neighbor != "" {
			network.Negative = append(network.Negative, intentAt(n, at))
			continue
		}
		i, found := owner[n.AccountID]
		if !found {
			return nil, network, invalid("reference.account", n.AccountID, n.CIDR.String(), "negative intent "+n.ID+" belongs to an account that does not exist")
		}
		parts[i].Negative = append(parts[i].Negative, intentAt(n, at))
	}
	if err := each(len(parts), func(i int) error {
		normalPart(&parts[i])
		if old, found := base.Account(parts[i].Account); found && base.seal != nil && sameDesire(&parts[i], old) {
			parts[i] = *old
			return nil
		}
		parts[i].Routes = Routes(&parts[i])
		return nil
	}); err != nil {
		return nil, network, err
	}
	return parts, normalNetwork(network), nil
}

func addPrefixes(parts []AccountPart, owner map[string]int, state addressing.State, moment time.Time) error {
	type place struct{ part, record int }
	where := make(map[string]place, len(state.Prefixes))
	for i := range state.Prefixes {
		p := &state.Prefixes[i]
		if p.State == addressing.Tombstone {
			continue
		}
		at, found := owner[p.AccountID]
		if !found {
			return invalid("reference.account", p.AccountID, p.CIDR.String(), "prefix "+p.ID+" belongs to an account that does not exist")
		}
		if _, twice := where[p.ID]; twice {
			return invalid("duplicate.id", p.AccountID, p.CIDR.String(), "prefix id "+p.ID+" is there twice")
		}
		where[p.ID] = place{at, len(parts[at].Prefixes)}
		parts[at].Prefixes = append(parts[at].Prefixes, recordOf(p))
	}
	for i := range state.BGPPrefixes {
		b := &state.BGPPrefixes[i]
		w, found := where[b.PrefixID]
		if !found {
			return invalid("reference.prefix", "", b.CIDR.String(), "BGP prefix "+b.ID+" belongs to a prefix that does not exist")
		}
		rec := &parts[w.part].Prefixes[w.record]
		rec.BGP = append(rec.BGP, bgpOf(b, moment))
	}
	for _, b := range state.Bindings {
		w, found := where[b.PrefixID]
		if !found {
			return invalid("reference.prefix", "", b.CIDR.String(), "binding "+b.ID+" belongs to a prefix that does not exist")
		}
		rec := &parts[w.part].Prefixes[w.record]
		rec.Bindings = append(rec.Bindings, Binding{ID: b.ID, CIDR: b.CIDR, Service: b.ServiceID, Active: b.Active})
	}
	return nil
}

func recordOf(p *addressing.Prefix) PrefixRecord {
	rec := PrefixRecord{
		ID: p.ID, CIDR: p.CIDR, ASN: p.ASN, State: p.State,
		OnDemand: p.OnDemandEnabled, Locked: p.OnDemandLocked, Control: p.Control,
	}
	if rec.Control == "" {
		rec.Control = addressing.ControlAPI
	}
	if p.Description != nil {
		d := text(*p.Description)
		rec.Description = &d
	}
	return rec
}

func bgpOf(b *addressing.BGPPrefix, at time.Time) BGPRecord {
	rec := BGPRecord{ID: b.ID, CIDR: b.CIDR, Advertised: b.Advertised, Prepend: b.Prepend, Resting: b.Resting, Sites: b.Sites}
	if rec.Resting == "" {
		rec.Resting = addressing.RestingAdvertised
	}
	if b.Draining(at) && at.Unix() < b.DownAt.Unix() {
		rec.DownAt = b.DownAt.Unix()
	}
	return rec
}

func intentOf(n addressing.NegativeIntent) NegativeIntent {
	out := NegativeIntent{
		ID: n.ID, Site: n.Site, Neighbor: n.Neighbor, Kind: n.Kind, Author: text(n.Author), Reason: text(n.Reason), CreatedAt: n.CreatedAt.Unix(),
		Shutdown: n.Shutdown,
	}
	if n.CIDR.IsValid() {
		out.CIDR = n.CIDR.String()
	}
	if n.ExpiresAt != nil {
		out.ExpiresAt = n.ExpiresAt.Unix()
	}
	return out
}

// intentAt is intentOf with the phase that a drain is in.
func intentAt(n addressing.NegativeIntent, at time.Time) NegativeIntent {
	out := intentOf(n)
	if n.DownAt != nil {
		out.DownAt, out.Draining = n.DownAt.Unix(), at.Before(n.DownAt.Truncate(time.Second))
	}
	return out
}

// text makes a string that JSON can carry unchanged.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

// normalPart sorts a part in place and makes its empty lists empty, not null:
// the canonical form must not depend on how a part came about.
func normalPart(p *AccountPart) {
	slices.SortFunc(p.Prefixes, func(a, b PrefixRecord) int {
		if c := addressing.ComparePrefix(a.CIDR, b.CIDR); c != 0 {
			return c
		}
		return compareString(a.ID, b.ID)
	})
	for i := range p.Prefixes {
		rec := &p.Prefixes[i]
		slices.SortFunc(rec.BGP, func(a, b BGPRecord) int {
			if c := addressing.ComparePrefix(a.CIDR, b.CIDR); c != 0 {
				return c
			}
			return compareString(a.ID, b.ID)
		})
		slices.SortFunc(rec.Bindings, func(a, b Binding) int { return compareString(a.ID, b.ID) })
		rec.BGP, rec.Bindings = orEmpty(rec.BGP), orEmpty(rec.Bindings)
	}
	slices.SortFunc(p.Negative, func(a, b NegativeIntent) int { return compareString(a.ID, b.ID) })
	p.Prefixes, p.Routes, p.Negative = orEmpty(p.Prefixes), orEmpty(p.Routes), orEmpty(p.Negative)
}

// NormalNetwork is the form that a network part has in a snapshot.
func NormalNetwork(n NetworkPart) NetworkPart { return normalNetwork(n) }

// normalNetwork is the network part sorted and without null lists. The input
// is not changed.
func normalNetwork(n NetworkPart) NetworkPart {
	n.Sites = slices.Clone(n.Sites)
	slices.Sort(n.Sites)
	n.Services = slices.Clone(n.Services)
	slices.SortFunc(n.Services, func(a, b Service) int { return compareString(a.ID, b.ID) })
	n.Neighbors = slices.Clone(n.Neighbors)
	for i := range n.Neighbors {
		n.Neighbors[i] = normalNeighbor(n.Neighbors[i])
	}
	slices.SortFunc(n.Neighbors, func(a, b policy.Neighbor) int { return compareString(a.Name, b.Name) })
	n.Negative = slices.Clone(n.Negative)
	slices.SortFunc(n.Negative, func(a, b NegativeIntent) int { return compareString(a.ID, b.ID) })
	n.Transits = slices.Clone(n.Transits)
	slices.SortFunc(n.Transits, compareTransit)
	n.Limits = NormalLimits(n.Limits)
	if len(n.Sites) == 0 {
		n.Sites = []string{DefaultSite}
	}
	n.Services, n.Neighbors, n.Negative = orEmpty(n.Services), orEmpty(n.Neighbors), orEmpty(n.Negative)
	return n
}

// DefaultSite is the one site of a network that configures none.
const DefaultSite = "default"

func normalNeighbor(n policy.Neighbor) policy.Neighbor {
	if n.Kind == "" {
		n.Kind = policy.EBGP
	}
	if n.Receive == "" {
		n.Receive = policy.ReceiveNone
	}
	if n.Site == "" {
		n.Site = DefaultSite
	}
	n.Families = orEmpty(slices.Clone(n.Families))
	slices.Sort(n.Families)
	n.Standard, n.Large = sortedCommunities(n.Standard, n.Large)
	n.IPv4, n.IPv6 = normalMetrics(n.IPv4), normalMetrics(n.IPv6)
	return n
}

func normalMetrics(m *policy.Metrics) *policy.Metrics {
	if m == nil {
		return nil
	}
	out := *m
	out.Standard, out.Large = sortedCommunities(m.Standard, m.Large)
	return &out
}

func sortedCommunities(standard []policy.Community, large []policy.LargeCommunity) ([]policy.Community, []policy.LargeCommunity) {
	standard, large = slices.Clone(standard), slices.Clone(large)
	slices.Sort(standard)
	slices.SortFunc(large, compareLarge)
	return standard, large
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// equalPart reports whether two parts have the same canonical form.
func equalPart(a, b *AccountPart) bool {
	return sameDesire(a, b) && (sameSlice(a.Routes, b.Routes) || slices.EqualFunc(a.Routes, b.Routes, Route.Equal))
}

// sameDesire is equalPart without the routes, which follow from the rest.
func sameDesire(a, b *AccountPart) bool {
	return a.Account == b.Account && a.Name == b.Name && a.Kind == b.Kind && slices.Equal(a.Negative, b.Negative) &&
		(sameSlice(a.Prefixes, b.Prefixes) || slices.EqualFunc(a.Prefixes, b.Prefixes, equalRecord))
}

// sameSlice reports whether two slices are one and the same.
func sameSlice[T any](a, b []T) bool {
	return len(a) == len(b) && len(a) > 0 && &a[0] == &b[0]
}

func equalRecord(a, b PrefixRecord) bool {
	return a.ID == b.ID && a.CIDR == b.CIDR && a.ASN == b.ASN && a.State == b.State && equalValue(a.Description, b.Description) &&
		a.OnDemand == b.OnDemand && a.Locked == b.Locked && a.Control == b.Control &&
		slices.EqualFunc(a.BGP, b.BGP, equalBGP) && slices.Equal(a.Bindings, b.Bindings)
}

func equalBGP(a, b BGPRecord) bool {
	return a.ID == b.ID && a.CIDR == b.CIDR && a.Advertised == b.Advertised && a.DownAt == b.DownAt && a.Prepend == b.Prepend &&
		a.Resting == b.Resting && equalSites(a.Sites, b.Sites)
}
