package lint

import (
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// privateSpace is address space that is never reachable from outside (RFC 1918,
// RFC 6598, RFC 3927, RFC 4193, RFC 4291).
var privateSpace = func() []device.PrefixRange {
	var out []device.PrefixRange
	for _, s := range []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10"} {
		out = append(out, orLonger(netip.MustParsePrefix(s)))
	}
	return out
}()

// originated reports RL103 for the default route a session sends past every
// filter (default-originate; FRR-51 of the oracle).
func (a *analysis) originated(s *device.Session) {
	for i := range s.Originate {
		o := &s.Originate[i]
		if o.Prefix.Bits() != 0 {
			continue
		}
		f := a.onSession(s, Finding{Rule: "RL103", Pos: o.Pos, Fix: "remove it: only customers are sent a default route"})
		f.Message = fmt.Sprintf("%s is sent %s, past the export policy", o.Prefix, a.towards(s))
		if o.Chain != nil {
			f.Message += " when a route of the table passes its own policy"
		}
		a.add(f)
	}
}

// hygiene reports what goes out at a place that does not leak and is still
// nothing to advertise: RL103 to RL105 and RL107.
func (a *analysis) hygiene(u *symbolic.Universe, s *device.Session, dec *symbolic.Decision, site *symbolic.Site) {
	if site.Default() {
		return
	}
	sent := u.And(dec.Must, site.Must, carried(u, s))
	if u.Empty(sent) {
		return
	}
	local := u.From(func(_ int, src symbolic.Source) bool {
		switch src.Route.Protocol {
		case device.OSPF, device.ISIS, device.RIP, device.Direct, device.Static, device.Kernel:
			return true
		}
		return false
	})
	ours := u.Within(a.evidence.prefixes...)
	for _, l := range a.evidence.lists {
		ours = u.Or(ours, u.Matched(l))
	}
	long := u.Within(
		device.PrefixRange{Net: netip.MustParsePrefix("0.0.0.0/0"), Min: 25, Max: 32},
		device.PrefixRange{Net: netip.MustParsePrefix("::/0"), Min: 49, Max: 128},
	)
	fallback := u.Within(device.Exact(netip.MustParsePrefix("0.0.0.0/0")), device.Exact(netip.MustParsePrefix("::/0")))
	for _, c := range []struct {
		rule, what, fix string
		set             bdd.Node
		asks            bool
	}{
		{"RL103", "the default route", "reject 0.0.0.0/0 and ::/0 first", fallback, true},
		{"RL104", "a route longer than /24 or /48", "bound the length of the prefix list", long, true},
		{"RL105", "private address space", "list only space that is yours", u.Within(privateSpace...), true},
		{"RL107", "a route of an IGP, static or connected", "add a prefix list to the term", u.Diff(local, ours), asksProtocol(site.Term)},
	} {
		w, ok := u.Witness(u.And(sent, c.set))
		if !ok || !c.asks {
			continue
		}
		f := a.onSite(s, site, Finding{Rule: c.rule, Set: site.Term.Name, Fix: c.fix})
		f.Message = fmt.Sprintf("term %s of %s advertises %s, e.g. %s, %s", site.Term.Name, site.Policy, c.what, w.Route.Prefix, a.towards(s))
		a.add(f)
	}
}

// asksProtocol reports whether a term names a protocol other than BGP.
func asksProtocol(t *device.Term) bool {
	found := false
	device.Walk(t.Match, func(x device.Expr) bool {
		if m, ok := x.(*device.ProtocolMatch); ok {
			for _, p := range m.Protocols {
				found = found || p != device.EBGP && p != device.IBGP
			}
		}
		return !found
	})
	return found
}
