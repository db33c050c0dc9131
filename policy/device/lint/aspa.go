package lint

import (
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// Against makes Check compare our ASPAs with the providers that are configured
// (RL607, RL608). Without it they are not judged.
func (d *Declaration) Against(aspas *rpki.ASPAs) { d.aspas = aspas }

// againstASPA reports providers that our ASPA lacks, and those it names that no
// session is with. Several routers are one network: what one of them is
// connected to, the object has to name.
func (d *Declaration) againstASPA(cfgs []*device.Config) []Finding {
	if d.aspas.Len() == 0 {
		return nil
	}
	var out []Finding
	add := func(s *device.Session, cfg *device.Config, rule, message, fix string) {
		f := Finding{
			Rule: rule, Severity: device.Warning, Pos: s.Pos, Dialect: cfg.Dialect, Session: s.Name, Group: s.Group,
			Role: d.judged(s), RoleFrom: s.RoleSource, PeerAS: s.PeerAS, Message: message, Fix: fix,
		}
		f.Fingerprint = f.fingerprint()
		out = append(out, f)
	}
	type ours struct {
		session   *device.Session
		cfg       *device.Config
		providers []uint32
	}
	networks := map[uint32]*ours{}
	var order []uint32
	for _, cfg := range cfgs {
		for _, s := range cfg.Sessions {
			if s.Inactive || !d.external(s) || d.judged(s) != device.Provider || s.PeerAS == 0 || s.LocalAS == 0 {
				continue
			}
			n := networks[s.LocalAS]
			if n == nil {
				n = &ours{session: s, cfg: cfg}
				networks[s.LocalAS], order = n, append(order, s.LocalAS)
			}
			n.providers = append(n.providers, s.PeerAS)
			if d.aspas.Hop(s.LocalAS, s.PeerAS) == rpki.NotProvider {
				add(s, cfg, "RL607", fmt.Sprintf("AS%d is a provider here, and the ASPA of AS%d does not name it", s.PeerAS, s.LocalAS),
					fmt.Sprintf("add AS%d to the ASPA before routes are advertised to it", s.PeerAS))
			}
		}
	}
	for _, asn := range order {
		n := networks[asn]
		attested, ok := d.aspas.Of(asn)
		if !ok {
			add(n.session, n.cfg, "RL607", fmt.Sprintf("AS%d has no ASPA", asn), fmt.Sprintf("publish one that names all providers: %v", slices.Compact(slices.Sorted(slices.Values(n.providers)))))
			continue
		}
		for _, provider := range attested {
			if !slices.Contains(n.providers, provider) {
				add(n.session, n.cfg, "RL608", fmt.Sprintf("the ASPA of AS%d names AS%d, and no session with it as a provider is configured", asn, provider),
					"remove it from the ASPA, or give leaklint the router that has the session")
			}
		}
	}
	return out
}
