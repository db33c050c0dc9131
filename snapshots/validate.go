package snapshots

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Bounds of single fields.
const (
	maxText         = 4096 // bytes of a name, description or reason
	maxID           = 64
	maxPrepend      = 3
	maxNeighborPads = 10
	maxCommunities  = 64
	maxExact        = 1 << 53 // integers above are not exact in RFC 8785
)

// Validate judges a snapshot as hostile input. Build, load, apply, the API and
// the CLI call this one function, so that no two of them can disagree. The
// error is an *Invalid.
func Validate(s *Snapshot, want Expect) error { return validate(s, want, trust{}) }

// validate leaves out what is trusted.
func validate(s *Snapshot, want Expect, known trust) error {
	limits := want.Limits.orDefault()
	var bad Invalid
	if want.Environment == "" {
		bad.add("environment", "", "", "no environment is expected: name one")
	} else if s.Environment != want.Environment {
		bad.add("environment", "", "", "snapshot is of environment %q, this one is %q", s.Environment, want.Environment)
	}
	checkNetwork(&bad, &s.Network, limits)
	scope := scopeOf(&s.Network)
	checkOrder(&bad, s, limits)
	found := make([]Invalid, len(s.Accounts))
	_ = each(len(s.Accounts), func(i int) error {
		if len(known.parts) == 0 || !known.parts[i] {
			checkPart(&found[i], &s.Accounts[i], scope)
		}
		return nil
	})
	for i := range found {
		bad.merge(&found[i])
	}
	if len(bad.Problems) == 0 && !known.apart {
		all := known.land
		if all == nil {
			all = landOf(s.Accounts)
		}
		all.check(&bad)
	}
	checkPrevious(&bad, s, want)
	return bad.refusal()
}

// checkOrder wants accounts sorted and distinct and the totals within limits.
func checkOrder(bad *Invalid, s *Snapshot, limits Limits) {
	if s.Accounts == nil {
		bad.add("shape.null", "", "", "accounts are missing")
	}
	if len(s.Accounts) > limits.Accounts {
		bad.add("size.accounts", "", "", "%d accounts, the limit is %d", len(s.Accounts), limits.Accounts)
	}
	prefixes, routes := 0, 0
	for i := range s.Accounts {
		prefixes += len(s.Accounts[i].Prefixes)
		routes += len(s.Accounts[i].Routes)
		if i > 0 && s.Accounts[i-1].Account >= s.Accounts[i].Account {
			bad.add("order.accounts", s.Accounts[i].Account, "", "account is there twice or out of order")
		}
	}
	if prefixes > limits.Prefixes {
		bad.add("size.prefixes", "", "", "%d prefixes, the limit is %d", prefixes, limits.Prefixes)
	}
	if routes > limits.Routes {
		bad.add("size.routes", "", "", "%d routes, the limit is %d", routes, limits.Routes)
	}
}

func checkPrevious(bad *Invalid, s *Snapshot, want Expect) {
	if want.Previous == nil || want.MaxRemoved <= 0 {
		return
	}
	if removed := want.Previous.Routes() - s.RouteCount(); removed > want.MaxRemoved {
		bad.add("size.removed", "", "", "%d routes fewer than before, the limit is %d", removed, want.MaxRemoved)
	}
}

// scope is what account parts refer to.
type scope struct {
	sites    map[string]bool
	services map[string]bool
}

func scopeOf(n *NetworkPart) scope {
	sc := scope{make(map[string]bool, len(n.Sites)), make(map[string]bool, len(n.Services))}
	for _, s := range n.Sites {
		sc.sites[s] = true
	}
	for _, s := range n.Services {
		sc.services[s.ID] = true
	}
	return sc
}

func checkPart(bad *Invalid, p *AccountPart, sc scope) {
	if !validID(p.Account) {
		bad.add("id.account", p.Account, "", "account id is not 1 to %d letters, digits, '-', '_' or '.'", maxID)
		return
	}
	if p.Kind != addressing.Customer && p.Kind != addressing.FirstParty {
		bad.add("kind.account", p.Account, "", "account kind %q is unknown", p.Kind)
	}
	checkText(bad, p.Account, "", "name", p.Name)
	if p.Prefixes == nil || p.Routes == nil || p.Negative == nil {
		bad.add("shape.null", p.Account, "", "a list is null, not empty")
	}
	ids := make(map[string]bool, len(p.Prefixes))
	for i := range p.Prefixes {
		rec := &p.Prefixes[i]
		if i > 0 && addressing.ComparePrefix(p.Prefixes[i-1].CIDR, rec.CIDR) >= 0 {
			bad.add("order.prefixes", p.Account, rec.CIDR.String(), "prefix is there twice or out of order")
		}
		if ids[rec.ID] {
			bad.add("duplicate.id", p.Account, rec.CIDR.String(), "prefix id %s is there twice", rec.ID)
		}
		ids[rec.ID] = true
		checkRecord(bad, p.Account, rec, sc)
	}
	checkIntents(bad, p.Account, p.Negative)
	for _, n := range p.Negative {
		if n.Site != "" || n.CIDR == "" {
			bad.add("intent.scope", p.Account, n.CIDR, "negative intent %s of an account names no prefix", n.ID)
		}
		if n.Shutdown {
			bad.add("intent.shutdown", p.Account, n.CIDR, "negative intent %s of a prefix shuts a session down", n.ID)
		}
	}
	if len(bad.Problems) == 0 {
		checkRoutes(bad, p)
	}
}

func checkRecord(bad *Invalid, account string, rec *PrefixRecord, sc scope) {
	at := rec.CIDR.String()
	if !validID(rec.ID) {
		bad.add("id.prefix", account, at, "prefix id %q", rec.ID)
	}
	if err := addressing.CheckPrefix(rec.CIDR); err != nil {
		bad.add("cidr.prefix", account, at, "%v", err)
		return
	}
	if rec.ASN == 0 {
		bad.add("origin", account, at, "origin ASN is 0 (RFC 7607)")
	}
	switch rec.State {
	case addressing.Pending, addressing.Approved, addressing.PendingDelete:
	default:
		bad.add("state.prefix", account, at, "state %q is unknown", rec.State)
	}
	if rec.Control != addressing.ControlAPI && rec.Control != addressing.ControlBGP {
		bad.add("control.prefix", account, at, "control %q is unknown", rec.Control)
	}
	if rec.Description != nil {
		checkText(bad, account, at, "description", *rec.Description)
	}
	if rec.BGP == nil || rec.Bindings == nil {
		bad.add("shape.null", account, at, "a list is null, not empty")
	}
	for i := range rec.BGP {
		b := &rec.BGP[i]
		if i > 0 && addressing.ComparePrefix(rec.BGP[i-1].CIDR, b.CIDR) >= 0 {
			bad.add("order.bgp", account, b.CIDR.String(), "BGP prefix is there twice or out of order")
		}
		checkBGP(bad, account, rec, b, sc)
	}
	for i := range rec.Bindings {
		b := &rec.Bindings[i]
		if i > 0 && rec.Bindings[i-1].ID >= b.ID {
			bad.add("order.bindings", account, b.CIDR.String(), "binding %s is there twice or out of order", b.ID)
		}
		checkBinding(bad, account, rec, b, sc)
	}
}

func checkBGP(bad *Invalid, account string, rec *PrefixRecord, b *BGPRecord, sc scope) {
	at := b.CIDR.String()
	if !validID(b.ID) {
		bad.add("id.bgp", account, at, "BGP prefix id %q", b.ID)
	}
	if err := addressing.CheckPrefix(b.CIDR); err != nil {
		bad.add("cidr.bgp", account, at, "%v", err)
		return
	}
	if !within(b.CIDR, rec.CIDR) {
		bad.add("inside.bgp", account, at, "BGP prefix is outside its prefix %s", rec.CIDR)
	}
	if b.Prepend < 0 || b.Prepend > maxPrepend {
		bad.add("prepend", account, at, "prepend %d is outside 0 to %d", b.Prepend, maxPrepend)
	}
	if b.Resting != addressing.RestingAdvertised && b.Resting != addressing.RestingWithdrawn {
		bad.add("resting", account, at, "resting state %q is unknown", b.Resting)
	}
	if b.DownAt < 0 || b.DownAt > 0 && b.Advertised {
		bad.add("down_at", account, at, "a time at which it leaves is for what is withdrawn")
	}
	checkSites(bad, account, at, b.Sites, sc)
}

func checkSites(bad *Invalid, account, at string, s addressing.Sites, sc scope) {
	if s.All && len(s.Names) > 0 {
		bad.add("sites", account, at, "all sites and a list of sites exclude one another")
	}
	for i, name := range s.Names {
		if i > 0 && s.Names[i-1] >= name {
			bad.add("sites", account, at, "site %q is there twice or out of order", name)
		}
		if !sc.sites[name] {
			bad.add("reference.site", account, at, "site %q does not exist", name)
		}
	}
}

func checkBinding(bad *Invalid, account string, rec *PrefixRecord, b *Binding, sc scope) {
	at := b.CIDR.String()
	if !validID(b.ID) {
		bad.add("id.binding", account, at, "binding id %q", b.ID)
	}
	// A binding may be smaller than what can be advertised: only host bits
	// and the place inside its prefix matter.
	if !b.CIDR.IsValid() || b.CIDR != b.CIDR.Masked() {
		bad.add("cidr.binding", account, at, "host bits are set or the prefix is invalid")
		return
	}
	if !within(b.CIDR, rec.CIDR) {
		bad.add("inside.binding", account, at, "binding is outside its prefix %s", rec.CIDR)
	}
	if !sc.services[b.Service] {
		bad.add("reference.service", account, at, "service %q does not exist", b.Service)
	}
}

// checkRoutes derives the routes again from the records. Anything else than
// exactly those is refused: advertised but unbound, unapproved, blocked,
// missing, doubled, out of order or with another origin.
func checkRoutes(bad *Invalid, p *AccountPart) {
	want := Routes(p)
	i := 0
	for j := range p.Routes {
		r := &p.Routes[j]
		at := r.CIDR.String()
		if j > 0 && addressing.ComparePrefix(p.Routes[j-1].CIDR, r.CIDR) >= 0 {
			bad.add("order.routes", p.Account, at, "route is there twice or out of order")
			continue
		}
		for i < len(want) && addressing.ComparePrefix(want[i].CIDR, r.CIDR) < 0 {
			bad.add("route.missing", p.Account, want[i].CIDR.String(), "approved, bound and desired, but not among the routes")
			i++
		}
		if i == len(want) || want[i].CIDR != r.CIDR {
			bad.add("route.unfounded", p.Account, at, "route is not approved, not desired, not bound or down on purpose")
			continue
		}
		checkRoute(bad, p.Account, r, &want[i])
		i++
	}
	for ; i < len(want); i++ {
		bad.add("route.missing", p.Account, want[i].CIDR.String(), "approved, bound and desired, but not among the routes")
	}
}

func checkRoute(bad *Invalid, account string, r, want *Route) {
	at := r.CIDR.String()
	if !slices.Equal(r.Services, want.Services) {
		bad.add("route.services", account, at, "services %v, the bindings say %v", r.Services, want.Services)
	}
	bare := *r
	bare.Services, bare.Communities, bare.LargeCommunities, bare.MED, bare.LocalPref = want.Services, nil, nil, nil, nil
	if !bare.SameAttributes(*want) {
		bad.add("route.differs", account, at, "origin, prepend, sites or prefix differ from the record")
	}
	if len(r.Communities)+len(r.LargeCommunities) > maxCommunities {
		bad.add("size.communities", account, at, "more than %d communities", maxCommunities)
	}
	if !increasing(r.Communities, cmp.Compare) || !increasing(r.LargeCommunities, compareLarge) {
		bad.add("order.communities", account, at, "a community is there twice or out of order")
	}
}

func checkNetwork(bad *Invalid, n *NetworkPart, limits Limits) {
	if n.ASN == 0 {
		bad.add("network.asn", "", "", "our ASN is 0")
	}
	if n.Sites == nil || n.Services == nil || n.Neighbors == nil || n.Negative == nil {
		bad.add("shape.null", "", "", "a list of the network part is null, not empty")
	}
	if len(n.Sites) == 0 {
		bad.add("network.sites", "", "", "there is no site")
	}
	for i, s := range n.Sites {
		if !validID(s) || i > 0 && n.Sites[i-1] >= s {
			bad.add("network.sites", "", "", "site %q is not a name, there twice or out of order", s)
		}
	}
	for i, s := range n.Services {
		if !validID(s.ID) || i > 0 && n.Services[i-1].ID >= s.ID {
			bad.add("network.services", "", "", "service id %q is not an id, there twice or out of order", s.ID)
		}
		if s.MinSites < 1 {
			bad.add("network.services", "", "", "service %s: min_sites is below 1", s.ID)
		}
		checkText(bad, "", "", "service name", s.Name)
	}
	if len(n.Neighbors) > limits.Neighbors {
		bad.add("size.neighbors", "", "", "%d neighbors, the limit is %d", len(n.Neighbors), limits.Neighbors)
	}
	sites := scopeOf(n).sites
	for i := range n.Neighbors {
		if i > 0 && n.Neighbors[i-1].Name >= n.Neighbors[i].Name {
			bad.add("order.neighbors", "", "", "neighbor %q is there twice or out of order", n.Neighbors[i].Name)
		}
		checkNeighbor(bad, &n.Neighbors[i], n.ASN, sites)
	}
	checkTransits(bad, n, sites)
	checkLimitsInForce(bad, n.Limits)
	checkIntents(bad, "", n.Negative)
	for _, i := range n.Negative {
		// A neighbor that is gone may still be down on purpose: it is so again when it comes back.
		if i.CIDR != "" || (i.Site == "") == (i.Neighbor == "") || i.Site != "" && !sites[i.Site] {
			bad.add("intent.scope", "", "", "negative intent %s of the network names no site that exists, and no neighbor", i.ID)
		}
		if i.Shutdown && i.Neighbor == "" {
			bad.add("intent.shutdown", "", "", "negative intent %s shuts a session down and names no neighbor", i.ID)
		}
	}
}

// ValidateNetwork judges what a configuration declares, with the same rules
// that every snapshot meets. Services and negative intents come from desired
// state and may be absent. The error is an *Invalid.
func ValidateNetwork(n NetworkPart) error {
	var bad Invalid
	n = normalNetwork(n)
	checkNetwork(&bad, &n, DefaultLimits())
	return bad.refusal()
}

func checkNeighbor(bad *Invalid, n *policy.Neighbor, asn uint32, sites map[string]bool) {
	refuse := func(rule, format string, args ...any) {
		bad.add(rule, "", "", "neighbor %q: "+format, append([]any{n.Name}, args...)...)
	}
	if !validID(n.Name) {
		refuse("neighbor.name", "the name is not 1 to %d letters, digits, '-', '_' or '.'", maxID)
	}
	if n.Kind != policy.EBGP && n.Kind != policy.Edge {
		refuse("neighbor.kind", "kind %q is unknown", n.Kind)
	}
	if n.Kind == policy.Edge && n.Role != policy.NoRole {
		refuse("neighbor.role", "an edge neighbor has no role")
	}
	if n.Receive != policy.ReceiveNone && n.Receive != policy.ReceiveControl {
		refuse("neighbor.receive", "receive %q is unknown", n.Receive)
	}
	if n.Limit.IPv4 < 0 || n.Limit.IPv6 < 0 {
		refuse("neighbor.max_prefix", "max_prefix is below 0")
	}
	if n.ASN == 0 || n.Kind == policy.EBGP && n.ASN == cmp.Or(n.LocalASN, asn) {
		refuse("neighbor.asn", "ASN %d: an eBGP neighbor needs an ASN that is not ours", n.ASN)
	}
	if !sites[n.Site] {
		refuse("reference.site", "site %q does not exist", n.Site)
	}
	checkMetrics(refuse, policy.Metrics{Standard: n.Standard, Large: n.Large, Prepend: n.Prepend})
	for _, m := range []*policy.Metrics{n.IPv4, n.IPv6} {
		if m != nil {
			checkMetrics(refuse, *m)
		}
	}
	if n.Families == nil {
		refuse("shape.null", "families are missing")
	}
	if !increasing(n.Families, cmp.Compare) {
		refuse("neighbor.families", "a family is there twice or out of order")
	}
	for _, f := range n.Families {
		if f != addressing.IPv4 && f != addressing.IPv6 {
			refuse("neighbor.families", "unknown family %d", uint8(f))
		} else if !hasNextHop(n, f) {
			refuse("neighbor.next_hop", "carries %s but has no next hop for it: set next_hop.%s", f, shortFamily(f))
		}
	}
}

func checkMetrics(refuse func(rule, format string, args ...any), m policy.Metrics) {
	if m.Prepend < 0 || m.Prepend > maxNeighborPads {
		refuse("prepend", "prepend %d is outside 0 to %d", m.Prepend, maxNeighborPads)
	}
	if len(m.Standard)+len(m.Large) > maxCommunities {
		refuse("size.communities", "more than %d communities", maxCommunities)
	}
	if !increasing(m.Standard, cmp.Compare) || !increasing(m.Large, compareLarge) {
		refuse("order.communities", "a community is there twice or out of order")
	}
}

// nextHop is what routes of the family get towards n, invalid if it cannot be
// used: never a wrong next hop.
func nextHop(n *policy.Neighbor, f addressing.Family) netip.Addr {
	a := n.NextHop4
	if f == addressing.IPv6 {
		a = n.NextHop6
	}
	switch {
	case !a.IsValid(), a.IsUnspecified(), a.IsMulticast(), a.IsLoopback() && f == addressing.IPv6, a.Zone() != "", a.Is4In6():
		return netip.Addr{}
	case a.Is4() != (f == addressing.IPv4):
		return netip.Addr{}
	}
	return a
}

func hasNextHop(n *policy.Neighbor, f addressing.Family) bool { return nextHop(n, f).IsValid() }

func shortFamily(f addressing.Family) string {
	if f == addressing.IPv6 {
		return "ipv6"
	}
	return "ipv4"
}

func checkIntents(bad *Invalid, account string, intents []NegativeIntent) {
	for i := range intents {
		n := &intents[i]
		if !validID(n.ID) || i > 0 && intents[i-1].ID >= n.ID {
			bad.add("order.intents", account, n.CIDR, "negative intent %q is not an id, there twice or out of order", n.ID)
		}
		switch n.Kind {
		case addressing.IntentEmergency, addressing.IntentDrain, addressing.IntentBlock, addressing.IntentOwner:
		default:
			bad.add("kind.intent", account, n.CIDR, "negative intent %s: kind %q is unknown", n.ID, n.Kind)
		}
		if n.CIDR != "" {
			if p, err := addressing.ParsePrefix(n.CIDR); err != nil || p.String() != n.CIDR {
				bad.add("cidr.intent", account, n.CIDR, "negative intent %s: not a prefix in its usual form", n.ID)
			}
		}
		checkText(bad, account, n.CIDR, "author", n.Author)
		checkText(bad, account, n.CIDR, "reason", n.Reason)
		if n.Author == "" {
			bad.add("intent.author", account, n.CIDR, "negative intent %s has no author", n.ID)
		}
		for _, t := range []int64{n.CreatedAt, n.ExpiresAt, n.DownAt} {
			if t < -maxExact || t > maxExact {
				bad.add("number", account, n.CIDR, "negative intent %s: time %s is out of range", n.ID, strconv.FormatInt(t, 10))
			}
		}
	}
}

func checkText(bad *Invalid, account, prefix, what, s string) {
	if len(s) > maxText || !utf8.ValidString(s) {
		bad.add("text", account, prefix, "%s is not UTF-8 or longer than %d bytes", what, maxText)
	}
}

func validID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for _, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_', c == '.':
		default:
			return false
		}
	}
	return true
}

// within reports whether inner is outer or inside it.
func within(inner, outer netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

func compareLarge(a, b policy.LargeCommunity) int {
	return cmp.Or(cmp.Compare(a.Global, b.Global), cmp.Compare(a.Local1, b.Local1), cmp.Compare(a.Local2, b.Local2))
}

// increasing reports whether s is sorted and without duplicates.
func increasing[T any](s []T, compare func(a, b T) int) bool {
	for i := 1; i < len(s); i++ {
		if compare(s[i-1], s[i]) >= 0 {
			return false
		}
	}
	return true
}

// checkManifest judges a manifest before any part it names is read.
func checkManifest(m Manifest, want Expect) error {
	limits := want.Limits.orDefault()
	var bad Invalid
	if m.Version != Version {
		bad.add("version", "", "", "manifest version %d is unknown, this program reads %d: install one that does", m.Version, Version)
	}
	if want.Environment == "" || m.Environment != want.Environment {
		bad.add("environment", "", "", "snapshot is of environment %q, this one is %q", m.Environment, want.Environment)
	}
	if m.Accounts == nil {
		bad.add("shape.null", "", "", "accounts are missing")
	}
	if len(m.Accounts) > limits.Accounts {
		bad.add("size.accounts", "", "", "%d accounts, the limit is %d", len(m.Accounts), limits.Accounts)
	}
	checkRef(&bad, "", m.Network, limits)
	routes, prefixes := 0, 0
	for i, a := range m.Accounts {
		if !validID(a.Account) || i > 0 && m.Accounts[i-1].Account >= a.Account {
			bad.add("order.accounts", a.Account, "", "account is not an id, there twice or out of order")
		}
		checkRef(&bad, a.Account, a.Part(), limits)
		if a.RoutesIPv4 < 0 || a.RoutesIPv6 < 0 || a.Prefixes < 0 || a.RoutesIPv4 > limits.Routes || a.RoutesIPv6 > limits.Routes || a.Prefixes > limits.Prefixes {
			bad.add("number", a.Account, "", "a count is out of range")
			continue
		}
		routes += a.RoutesIPv4 + a.RoutesIPv6
		prefixes += a.Prefixes
	}
	if routes > limits.Routes {
		bad.add("size.routes", "", "", "%d routes, the limit is %d", routes, limits.Routes)
	}
	if prefixes > limits.Prefixes {
		bad.add("size.prefixes", "", "", "%d prefixes, the limit is %d", prefixes, limits.Prefixes)
	}
	return bad.refusal()
}

func checkRef(bad *Invalid, account string, r PartRef, limits Limits) {
	if !r.SHA256.valid() {
		bad.add("hash", account, "", "part hash %q is not a sha256", r.SHA256)
	}
	if r.Size <= 0 || r.Size > limits.PartBytes {
		bad.add("size.part", account, "", "part of %d bytes, the limit is %d", r.Size, limits.PartBytes)
	}
}
