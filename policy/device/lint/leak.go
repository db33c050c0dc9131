package lint

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

func formatASN(a uint32) string { return strconv.FormatUint(uint64(a), 10) }

// preferred are the ASNs and prefixes examples are made of.
var (
	preferredASNs     = []uint32{64500, 64501, 64502, 65550, 65551}
	preferredPrefixes = []netip.Prefix{
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("2001:db8:100::/48"), netip.MustParsePrefix("2001:db8:f00::/48"),
	}
)

// leaks proves or disproves, for every external session of a configuration,
// that a route of a provider, a peer or a route server can be advertised on it.
func (a *analysis) leaks() {
	var sessions []*device.Session
	for _, s := range a.cfg.Sessions {
		if a.d.external(s) && (s.Carries(device.IPv4) || s.Carries(device.IPv6)) {
			sessions = append(sessions, s)
		}
	}
	if len(sessions) == 0 {
		return
	}
	a.evidence = a.d.evidenceOf(a.cfg)
	for batch := range slices.Chunk(sessions, together) {
		a.leaksTogether(batch)
	}
}

// together is how many sessions share a universe. Most dialects ask for the
// ASN of the neighbor, so that one universe for all would grow with their square.
const together = 32

func (a *analysis) leaksTogether(sessions []*device.Session) {
	u, err := a.universe(sessions, false)
	for err == nil && len(sessions) > 0 {
		if err = a.leaksOf(u, sessions[0]); err == nil {
			sessions = sessions[1:]
		}
	}
	// What is too large together is judged one at a time.
	for _, s := range sessions {
		u, err := a.universe([]*device.Session{s}, true)
		if err == nil {
			err = a.leaksOf(u, s)
		}
		if err != nil {
			a.tooLarge(s, err)
			a.judgedSessions = append(a.judgedSessions, s)
		}
	}
}

func (a *analysis) tooLarge(s *device.Session, err error) {
	a.add(a.onSession(s, Finding{
		Rule: "RL903", Pos: s.Pos, Undecided: true,
		Message: fmt.Sprintf("session with %s: %v; nothing was proved about it", s.Name, err),
		Fix:     "split the policies, or shorten the AS-path expressions",
	}))
}

// universe is made of the sources and the given sessions.
func (a *analysis) universe(sessions []*device.Session, exact bool) (*symbolic.Universe, error) {
	in := symbolic.Inputs{
		Sources: a.sources(), Exports: sessions, Own: a.own, Prefer: preferredASNs, Loops: exact,
		Communities: append(append([]device.Community(nil), a.evidence.markers...), a.d.tags.upstream()...),
		Patterns:    a.evidence.paths,
	}
	return symbolic.New(in)
}

// sources are the ways a route can have come into the table: one of each kind
// of external session whose routes go to customers only, iBGP, and the local
// protocols. Sessions that treat routes alike are told apart twice, so that one
// is left when a route would go back to where it came from.
func (a *analysis) sources() []symbolic.Source {
	var out []symbolic.Source
	seen := map[string]int{}
	external := 0
	internal := false
	for _, s := range a.cfg.Sessions {
		if s.Inactive {
			continue
		}
		internal = internal || a.isInternal(s)
		if !a.isInternal(s) && !a.d.external(s) {
			continue
		}
		if !a.isInternal(s) {
			external++
		}
		if k := a.importKey(s); seen[k] < 2 {
			seen[k]++
			out = append(out, symbolic.Source{Route: a.sourceOf(s), Session: s})
		}
	}
	if external == 1 {
		for _, s := range out {
			if s.Route.Protocol == device.EBGP {
				// A second neighbor that is configured like the only one.
				twin := s
				twin.Route.Neighbor, twin.Route.ASN, twin.Route.Name = netip.Addr{}, 0, "another neighbor like "+s.Route.Name
				out = append(out, twin)
			}
		}
	}
	if !internal {
		out = append(out, symbolic.Source{Route: device.Source{Protocol: device.IBGP, Role: device.Internal, Name: "iBGP"}})
	}
	for p := device.Static; p <= device.Kernel; p++ {
		out = append(out, symbolic.Source{Route: device.Source{Protocol: p, Name: p.String()}})
	}
	return out
}

func (a *analysis) isInternal(s *device.Session) bool {
	return s.Kind == device.InternalSession || s.Kind == device.Confederation
}

func (a *analysis) sourceOf(s *device.Session) device.Source {
	src := device.Source{Protocol: device.EBGP, Name: s.Name, Neighbor: s.Neighbor, ASN: s.PeerAS, Role: a.d.judged(s), Client: s.Facts.ReflectorClient}
	if a.isInternal(s) {
		src.Protocol, src.ASN, src.Role = device.IBGP, s.PeerAS, device.Internal
	}
	return src
}

// importKey is equal for sessions that make the same of what they learn.
func (a *analysis) importKey(s *device.Session) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v %d %v", a.d.judged(s), a.isInternal(s), s.LocalAS, s.Facts.ReflectorClient)
	for i := range s.Import.Steps {
		step := &s.Import.Steps[i]
		fmt.Fprintf(&b, "|%s %s %s", step.Kind, step.Name, step.Chain.Default)
		for _, p := range step.Chain.Policies {
			if p.BuiltIn {
				fmt.Fprintf(&b, " %s%d", p.Name, len(p.Terms))
				continue
			}
			fmt.Fprintf(&b, " %p", p)
		}
	}
	if a.asksSender {
		fmt.Fprintf(&b, "|%s %d", s.Name, s.PeerAS)
	}
	return b.String()
}

// forbidden is the set of received routes that must not be advertised on a
// session that is not a customer's.
func (a *analysis) forbidden(u *symbolic.Universe, s *device.Session) (external, internal bdd.Node) {
	ours := u.Within(a.evidence.prefixes...)
	for _, l := range a.evidence.lists {
		ours = u.Or(ours, u.Matched(l))
	}
	paths := bdd.False
	for _, p := range a.evidence.paths {
		if n, ok := u.PathIn(p); ok {
			paths = u.Or(paths, n)
		}
	}
	rest := u.Diff(carried(u, s), ours)
	external = u.From(func(_ int, src symbolic.Source) bool {
		return src.Route.Protocol == device.EBGP && src.Route.Role != device.Customer
	})
	// A neighbor that sends communities in our name is another matter (RL504).
	forged := u.Received(func(c device.Community) bool { return adminIn(c, a.own) })
	external = u.And(external, rest, u.Not(paths), u.Not(forged))
	if a.pathProves() {
		paths = u.Or(paths, u.EmptyPath())
	} else {
		paths = u.Diff(paths, u.EmptyPath())
	}

	internal = u.And(rest, u.Not(paths), u.From(func(_ int, src symbolic.Source) bool { return src.Route.Protocol == device.IBGP }))
	switch a.d.IBGP {
	case OwnOnly:
		internal = bdd.False
	case Tagged:
		up := a.d.tags.upstream()
		internal = u.And(internal, u.Received(func(c device.Community) bool { return slices.Contains(up, c) }))
	default:
		marked := u.Received(func(c device.Community) bool { return slices.Contains(a.evidence.markers, c) })
		internal = u.And(internal, u.Not(marked))
	}
	return external, internal
}

// pathProves reports whether an empty AS path makes a route learned over iBGP
// ours. A router originates with an empty path (RFC 4271 section 5.1.2), but a
// policy of another router may have cleared it, so that it proves nothing where
// iBGP is not trusted. A configuration without internal sessions has no such
// router.
func (a *analysis) pathProves() bool {
	return a.d.IBGP != Untrusted || !slices.ContainsFunc(a.cfg.Sessions, func(s *device.Session) bool { return !s.Inactive && a.isInternal(s) })
}

// carried is the set of routes of the families a session carries.
func carried(u *symbolic.Universe, s *device.Session) bdd.Node {
	family := bdd.False
	for _, f := range []device.Family{device.IPv4, device.IPv6} {
		if s.Carries(f) {
			family = u.Or(family, u.Family(f))
		}
	}
	return family
}

// leaksOf judges one session: for each place that accepts, the worst that goes
// out there.
func (a *analysis) leaksOf(u *symbolic.Universe, s *device.Session) error {
	dec, err := u.Export(s)
	if err != nil {
		return err
	}
	external, internal := a.forbidden(u, s)
	a.judgedSessions = append(a.judgedSessions, s)
	a.originated(s)
	proved := false
	step := judgedStep(s)
	sites := mergeSites(u, dec.Sites, step)
	for i := range sites {
		site := &sites[i]
		if found, err := a.leakAt(u, s, dec, site, external, internal); err != nil {
			return err
		} else if found {
			proved = true
			continue
		}
		a.hygiene(u, s, dec, site)
	}
	may := u.And(dec.May, u.Or(external, internal))
	if !proved && !u.Empty(may) {
		a.doubt(u, s, sites, dec, may)
	}
	return nil
}

// judgedStep is the step whose terms are to blame: the configured policies, or
// the lists where there are none.
func judgedStep(s *device.Session) int {
	at := -1
	for i, st := range s.Export.Steps {
		if st.Kind == device.PolicyStep || st.Kind == device.DefaultStep {
			at = i
		}
	}
	for i, st := range s.Export.Steps {
		if at < 0 && st.Kind == device.FilterStep {
			at = i
		}
	}
	if at < 0 {
		at = len(s.Export.Steps) - 1
	}
	return at
}

// mergeSites joins what one term accepts on different ways through.
func mergeSites(u *symbolic.Universe, all []symbolic.Site, step int) []symbolic.Site {
	var out []symbolic.Site
	for _, s := range all {
		if s.Step != step {
			continue
		}
		same := slices.IndexFunc(out, func(o symbolic.Site) bool { return o.Term == s.Term && o.Pos == s.Pos })
		if same < 0 {
			out = append(out, s)
			continue
		}
		out[same].Must, out[same].May = u.Or(out[same].Must, s.Must), u.Or(out[same].May, s.May)
	}
	return out
}

// leakAt reports a leak at one place, with its proof.
func (a *analysis) leakAt(u *symbolic.Universe, s *device.Session, dec *symbolic.Decision, site *symbolic.Site, external, internal bdd.Node) (bool, error) {
	for _, from := range []struct {
		set  bdd.Node
		rule string
	}{{external, "RL100"}, {internal, "RL102"}} {
		set := u.And(dec.Must, site.Must, from.set)
		if u.Empty(set) {
			continue
		}
		w, ok := a.witness(u, s, set)
		if !ok {
			var err error
			if w, ok, err = a.exactWitness(s, site, from.rule == "RL100"); err != nil {
				return false, err
			}
		}
		if !ok {
			continue
		}
		a.reportLeak(s, site, from.rule, w)
		return true, nil
	}
	return false, nil
}

// witness extracts a route and replays it through the import and export
// pipelines with the other evaluator.
func (a *analysis) witness(u *symbolic.Universe, s *device.Session, set bdd.Node) (*Witness, bool) {
	prefer := []bdd.Node{u.From(func(_ int, src symbolic.Source) bool { return src.Session != s })}
	for _, p := range preferredPrefixes {
		prefer = append(prefer, u.Prefix(p))
	}
	prefer = append(prefer, u.Within(
		device.PrefixRange{Net: netip.MustParsePrefix("2001:db8::/32"), Min: 32, Max: 48},
		device.PrefixRange{Net: netip.MustParsePrefix("0.0.0.0/0"), Min: 8, Max: 24},
		device.PrefixRange{Net: netip.MustParsePrefix("2000::/3"), Min: 19, Max: 48},
	))
	got, ok := u.Witness(set, prefer...)
	if !ok {
		return nil, false
	}
	w := a.replay(u.Sources()[got.Source], s, got.Route)
	// Undecided is a doubt, not a contradiction: the concrete evaluator sees
	// less far where something is unknown.
	w.contradicted = w.verdict == device.Reject
	return w.Witness, w.verdict == device.Accept
}

type replayed struct {
	*Witness
	verdict  device.Verdict
	blockers []concrete.Blocker
}

func (a *analysis) replay(src symbolic.Source, s *device.Session, r device.Route) replayed {
	w := &Witness{Received: r, From: src.Route.Name, FromRole: src.Route.Role, Type: leakType(src.Route.Role, a.d.judged(s))}
	in := concrete.Result{Verdict: device.Accept, Route: r}
	if src.Session != nil && len(src.Session.Import.Steps) > 0 {
		in = concrete.Pipeline(src.Session, &src.Session.Import, r)
	}
	w.Trace = in.Trace
	if in.Verdict == device.Reject {
		return replayed{w, in.Verdict, in.Blockers}
	}
	out := concrete.Session(s, concrete.Export, in.Route)
	w.Advertised = out.Route
	w.Trace = append(slices.Clip(w.Trace), out.Trace...)
	if in.Verdict == device.Undecided && out.Verdict == device.Accept {
		return replayed{w, device.Undecided, in.Blockers}
	}
	return replayed{w, out.Verdict, append(in.Blockers, out.Blockers...)}
}

// exactWitness looks again in a universe of the session alone, with its loop
// checks. What still does not replay is a fault of this program and said so.
func (a *analysis) exactWitness(s *device.Session, site *symbolic.Site, external bool) (*Witness, bool, error) {
	u, err := a.universe([]*device.Session{s}, true)
	if err != nil {
		return nil, false, err
	}
	dec, err := u.Export(s)
	if err != nil {
		return nil, false, err
	}
	set, internal := a.forbidden(u, s)
	if !external {
		set = internal
	}
	for _, x := range mergeSites(u, dec.Sites, site.Step) {
		if x.Term == site.Term && x.Pos == site.Pos {
			set = u.And(set, x.Must, dec.Must)
		}
	}
	if u.Empty(set) {
		return nil, false, nil
	}
	w, ok := a.witness(u, s, set)
	if !ok && w.contradicted {
		f := a.onSite(s, site, Finding{Rule: "RL904", Undecided: true, Witness: w})
		f.Message = fmt.Sprintf("the two evaluators of leaklint do not agree about session %s: a fault of leaklint; nothing was proved", s.Name)
		f.Fix = "report it with the configuration"
		a.add(f)
	}
	return w, ok, nil
}

func (a *analysis) reportLeak(s *device.Session, site *symbolic.Site, rule string, w *Witness) {
	f := a.onSite(s, site, Finding{Rule: rule, Witness: w})
	switch {
	case !site.Default():
		if guardFree(site.Term.Match) {
			f.Also = append(f.Also, "RL101")
		}
		f.Message = fmt.Sprintf("policy %s term %s advertises %s %s", site.Policy, site.Term.Name, a.describeSource(w), a.towards(s))
		f.Fix = "restore a prefix-list or community guard in this term, or reject the routes of peers and providers before it"
		if w.FromRole == device.Internal && len(w.Received.ASPath) == 0 {
			f.Fix = "add a prefix-list or community guard: another router may have cleared the path; where none does, declare ibgp: tagged or own-only"
		}
	case s.Facts.NoExportPolicy || len(s.Export.Named()) == 0:
		f.Rule, f.Also = "RL401", []string{rule}
		f.Message = fmt.Sprintf("no export policy is in force %s: %s goes out (%s)", a.towards(s), a.describeSource(w), site.Why)
		f.Fix = "configure an export policy that ends in a reject (RFC 8212)"
	default:
		f.Rule, f.Also = "RL404", []string{rule}
		f.Message = fmt.Sprintf("no term of %s decides and the default accepts: %s goes out %s (%s)", strings.Join(s.Export.Named(), ", "), a.describeSource(w), a.towards(s), site.Why)
		f.Fix = "end the chain with a term that rejects"
	}
	if f.Pos.IsZero() {
		f.Pos = s.Pos
	}
	a.add(f)
}

func (a *analysis) describeSource(w *Witness) string {
	switch {
	case w.FromRole == device.Internal:
		return "a route learned over iBGP"
	case w.FromRole == device.UnknownRole:
		return "a route of " + w.From
	}
	return "a route of a " + w.FromRole.String()
}

func (a *analysis) towards(s *device.Session) string {
	role := a.d.judged(s).String()
	switch s.RoleSource {
	case device.RoleNotKnown:
		role += " (role not declared)"
	case device.RoleInferred:
		role += " (role inferred)"
	}
	out := "towards " + role
	if s.PeerAS != 0 {
		out += " AS" + formatASN(s.PeerAS)
	}
	var where []string
	if s.Group != "" {
		where = append(where, "group "+s.Group)
	}
	return out + " (" + strings.Join(append(where, "neighbor "+s.Name), ", ") + ")"
}

// doubt reports that a session could not be decided, with what stands in the
// way.
func (a *analysis) doubt(u *symbolic.Universe, s *device.Session, sites []symbolic.Site, dec *symbolic.Decision, may bdd.Node) {
	for i := range sites {
		set := u.And(may, sites[i].May)
		if u.Empty(set) {
			continue
		}
		got, ok := u.Witness(set)
		if !ok {
			continue
		}
		r := a.replay(u.Sources()[got.Source], s, got.Route)
		if r.verdict == device.Accept {
			rule := "RL100"
			if r.FromRole == device.Internal {
				rule = "RL102"
			}
			a.reportLeak(s, &sites[i], rule, r.Witness)
			return
		}
		a.reportDoubt(s, &sites[i], r)
		return
	}
}

func (a *analysis) reportDoubt(s *device.Session, site *symbolic.Site, r replayed) {
	f := a.onSite(s, site, Finding{Rule: "RL108", Undecided: true, Witness: r.Witness, Blockers: r.blockers})
	if len(f.Blockers) == 0 {
		f.Blockers = unmodelled(&s.Export)
	}
	var names []string
	for _, b := range f.Blockers {
		names = append(names, strings.TrimSpace(fmt.Sprintf("%s: %s %s", b.Pos, b.Text, b.Why)))
	}
	f.Message = fmt.Sprintf("cannot decide whether %s may leave %s", a.describeSource(r.Witness), a.towards(s))
	if len(names) > 0 {
		f.Message += ": " + strings.Join(names, "; ")
	}
	f.Fix = "replace the construct, or reject the routes of peers and providers before it"
	if f.Pos.IsZero() {
		f.Pos = s.Pos
	}
	a.add(f)
}

// unmodelled lists what is written in a pipeline and not modelled.
func unmodelled(p *device.Pipeline) []concrete.Blocker {
	var out []concrete.Blocker
	walkTerms(p, func(_ *device.Policy, t *device.Term) {
		device.Walk(t.Match, func(x device.Expr) bool {
			if n, ok := x.(*device.Unknown); ok {
				out = append(out, concrete.Blocker{Pos: n.Pos, Text: n.Text, Why: n.Why})
			}
			return true
		})
		for _, act := range t.Actions {
			if n, ok := act.(*device.UnknownAction); ok {
				out = append(out, concrete.Blocker{Pos: n.Pos, Text: n.Text, Why: "what it changes is not modelled"})
			}
		}
	})
	return out
}
