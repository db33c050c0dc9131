package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// DrainSpec names what to take out of service: a site or a neighbor, never
// both. What the network looks like is the caller's to say.
type DrainSpec struct {
	Site     string // of the neighbor, if it is one
	Neighbor string
	Sites    []string // that have neighbors
	// Covered says of a neighbor that another one of its site carries the same
	// routes: nothing is short of sites without it.
	Covered bool
	DownAt  *time.Time // when routes leave; nil is at once
	// Shutdown of a neighbor ends its session too, once the routes have left.
	Shutdown bool
	// AcceptBelow is the named risk of leaving prefixes with fewer sites than a
	// service of theirs needs.
	AcceptBelow bool
	// AcceptOver is the named risk of leaving more traffic to others than they
	// carry.
	AcceptOver bool
}

// Names of those risks.
const (
	RiskBelowMinSites = "below-min-sites"
	RiskOverCapacity  = "over-capacity"
)

// MaxDrained is how many of n sites may be drained at a time (DESIGN section 6).
func MaxDrained(n int) int { return max(1, n/10) }

// Drain takes a site or a neighbor out of service: a negative intent that
// rollback, restore and rebuild keep. Operators only. below are the prefixes
// that it leaves with fewer sites than a service of theirs needs; they are
// charged as losses, and refused unless the request accepts that.
func (r *Registry) Drain(ctx context.Context, req Request, spec DrainSpec) (out NegativeIntent, below []netip.Prefix, change ChangeSet, err error) {
	change, err = r.mutate(ctx, req, "drain", spec.verb("drain"), func(m *mutation) error {
		if err := req.onlyOperator("draining"); err != nil {
			return err
		}
		if req.Reason == "" {
			return &Error{Code: CodeInvalid, Field: "reason", Detail: "a drain needs a reason", Next: "say why, it is shown wherever the drain keeps something down"}
		}
		if spec.Shutdown && spec.Neighbor == "" {
			return &Error{Code: CodeInvalid, Field: "neighbor", Detail: "only a neighbor is shut down", Next: "drain the site"}
		}
		short, drained, err := m.drained(&spec)
		if err != nil {
			return err
		}
		for _, e := range short {
			below = append(below, e.CIDR)
		}
		if len(short) > 0 && !spec.AcceptBelow {
			return belowMinSites(below)
		}
		if out.ID, err = m.id(); err != nil {
			return err
		}
		out = NegativeIntent{ID: out.ID, Kind: IntentDrain, Author: req.Actor.Key(), Reason: req.Reason, CreatedAt: req.At.UTC(), DownAt: spec.DownAt, Shutdown: spec.Shutdown}
		if out.Neighbor = spec.Neighbor; out.Neighbor == "" {
			out.Site = spec.Site
		}
		m.more, m.inverse = short, spec.verb("undrain")
		if !drained {
			m.drains = &Drained{Site: spec.Site, Neighbor: spec.Neighbor, OverCapacity: spec.AcceptOver}
		}
		return m.insertIntent(out)
	})
	return out, below, change, err
}

// drained gives what the drain leaves short of sites. A neighbor that is drained
// already may still be shut down: its routes were charged then, and leave as
// they were told to.
func (m *mutation) drained(spec *DrainSpec) (short []Effect, drained bool, err error) {
	was, found, err := drainOf(m.tx, m.req.At, *spec)
	if err != nil || !found || !spec.Shutdown || was.Shutdown {
		if err == nil {
			short, err = m.short(*spec)
		}
		return short, false, err
	}
	spec.DownAt = was.DownAt
	return nil, true, m.deleteIntent(was)
}

// Short says what Drain would leave with too few sites, and whether it would be
// refused otherwise.
func (r *Registry) Short(ctx context.Context, at time.Time, spec DrainSpec) ([]netip.Prefix, error) {
	return read(ctx, r, "drain", func(tx ReadTx) ([]netip.Prefix, error) {
		short, err := shortOf(tx, at, spec)
		out := make([]netip.Prefix, len(short))
		for i, e := range short {
			out[i] = e.CIDR
		}
		return out, err
	})
}

// Undrain puts a site or a neighbor back into service.
func (r *Registry) Undrain(ctx context.Context, req Request, spec DrainSpec) (ChangeSet, error) {
	return r.mutate(ctx, req, "undrain", spec.verb("undrain"), func(m *mutation) error {
		if err := req.onlyOperator("draining"); err != nil {
			return err
		}
		n, found, err := drainOf(m.tx, req.At, spec)
		if err != nil {
			return err
		}
		if !found {
			return &Error{Code: CodeConflict, Detail: spec.String() + " is not drained", Next: "holdfast site list shows what is"}
		}
		if n.Shutdown != spec.Shutdown {
			return otherWay(spec, n)
		}
		m.inverse = spec.verb("drain")
		return m.deleteIntent(n)
	})
}

// otherWay refuses to undrain what is shut down, and to enable what is drained:
// whoever did the one did not mean the other.
func otherWay(spec DrainSpec, n NegativeIntent) error {
	if n.Shutdown {
		return &Error{Code: CodeConflict, Detail: spec.String() + " is shut down, not only drained", Next: "holdfast neighbor enable " + spec.Neighbor}
	}
	return &Error{Code: CodeConflict, Detail: spec.String() + " is drained, not shut down", Next: "holdfast neighbor undrain " + spec.Neighbor}
}

func (s DrainSpec) verb(what string) string {
	if s.Shutdown {
		what = map[string]string{"drain": "shutdown", "undrain": "enable"}[what]
	}
	if s.Neighbor != "" {
		return "neighbor." + what
	}
	return "site." + what
}

// String names what is meant.
func (s DrainSpec) String() string {
	if s.Neighbor != "" {
		return "neighbor " + s.Neighbor
	}
	return "site " + s.Site
}

func belowMinSites(below []netip.Prefix) error {
	const shown = 10
	var names []string
	for _, p := range below[:min(shown, len(below))] {
		names = append(names, p.String())
	}
	if len(below) > shown {
		names = append(names, fmt.Sprintf("and %d more", len(below)-shown))
	}
	return &Error{Code: CodeRefused, Field: "accept_risk", Detail: fmt.Sprintf("%d prefixes would have fewer sites than a service of theirs needs: %s", len(below), strings.Join(names, ", ")),
		Next: "advertise them from more sites first, or accept the risk by its name, " + RiskBelowMinSites}
}

// drainOf finds the drain of a site or a neighbor in force.
func drainOf(tx ReadTx, at time.Time, spec DrainSpec) (NegativeIntent, bool, error) {
	all, err := tx.Intents(EveryAccount())
	if err != nil {
		return NegativeIntent{}, false, err
	}
	for _, n := range all {
		if n.InForce(at) && n.Kind == IntentDrain && !n.CIDR.IsValid() && (spec.Neighbor != "" && n.Neighbor == spec.Neighbor || spec.Neighbor == "" && n.Site != "" && n.Site == spec.Site) {
			return n, true, nil
		}
	}
	return NegativeIntent{}, false, nil
}

func (m *mutation) short(spec DrainSpec) ([]Effect, error) { return shortOf(m.tx, m.req.At, spec) }

// shortOf are the routes that a drain leaves with fewer sites than a service of
// theirs needs. It refuses one site too many, and what is drained already.
func shortOf(tx ReadTx, at time.Time, spec DrainSpec) ([]Effect, error) {
	if _, twice, err := drainOf(tx, at, spec); err != nil || twice {
		return nil, orConflict(err, spec.String()+" is drained already")
	}
	intents, err := tx.Intents(EveryAccount())
	if err != nil {
		return nil, err
	}
	down := map[string]bool{}
	for _, n := range intents {
		if n.Site != "" && n.InForce(at) {
			down[n.Site] = true
		}
	}
	if most := MaxDrained(len(spec.Sites)); spec.Neighbor == "" && len(down) >= most {
		return nil, &Error{Code: CodeRefused, Detail: fmt.Sprintf("%d of %d sites are drained already, at most %d may be", len(down), len(spec.Sites), most),
			Next: "undrain one first"}
	}
	if spec.Covered {
		return nil, nil
	}
	services, err := tx.Services()
	if err != nil {
		return nil, err
	}
	least := make(map[string]int, len(services))
	for _, s := range services {
		least[s.ID] = s.MinSites
	}
	all, err := details(tx, EveryAccount(), nil)
	if err != nil {
		return nil, err
	}
	var out []Effect
	for _, d := range all {
		for _, b := range effective(d, at) {
			if left, needs := remaining(b.Sites, spec, down), mostOf(d.Services(b.CIDR), least); b.Sites.Has(spec.Site) && left < needs {
				out = append(out, effect(Weakened, d, b))
			}
		}
	}
	slices.SortFunc(out, func(a, b Effect) int { return ComparePrefix(a.CIDR, b.CIDR) })
	return out, nil
}

// remaining is how many sites in service a route has without the drained one.
func remaining(s Sites, spec DrainSpec, down map[string]bool) int {
	n := 0
	for _, site := range spec.Sites {
		if site != spec.Site && !down[site] && s.Has(site) {
			n++
		}
	}
	return n
}

func mostOf(services []string, least map[string]int) int {
	n := 1
	for _, id := range services {
		n = max(n, least[id])
	}
	return n
}

func orConflict(err error, why string) error {
	if err != nil {
		return err
	}
	return &Error{Code: CodeConflict, Detail: why, Next: "holdfast site list shows what is drained"}
}
