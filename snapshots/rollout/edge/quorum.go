package edge

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Ready says at which of a route's sites it may be advertised: where a quorum
// of the live machines has every binding over it. A site without any machine
// that ever registered is ready. why names a site that is not, and is empty if
// all are. sites are all there are.
func (f *Fleet) Ready(account string, route netip.Prefix, services []string, at addressing.Sites, sites []string, now time.Time) (ready addressing.Sites, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	names := at.Names
	if at.All {
		names = sites
	}
	need := f.needs(account, route, services)
	byAgents := slices.ContainsFunc(services, func(s string) bool { return f.readiness(s) == Agents })
	var out []string
	for _, name := range names {
		if w := f.site(name, services, byAgents, need, now); w != "" {
			why = w
			continue
		}
		out = append(out, name)
	}
	if why == "" {
		return at, ""
	}
	return addressing.Sites{Names: out}, why
}

// readiness is by the id or the name of a service.
func (f *Fleet) readiness(service string) Readiness {
	for _, name := range []string{service, f.nameOf(service)} {
		if r := f.s.Readiness[name]; r != "" {
			return r
		}
	}
	return Agents
}

func (f *Fleet) nameOf(service string) string {
	for _, s := range []*snapshots.Snapshot{f.next, f.active} {
		if s == nil {
			continue
		}
		for _, one := range s.Network.Services {
			if one.ID == service {
				return one.Name
			}
		}
	}
	return service
}

// needs is the generation that has every binding of those services over a
// route; 0 if the feed has none of them yet.
func (f *Fleet) needs(account string, route netip.Prefix, services []string) uint64 {
	need := uint64(0)
	for _, s := range services {
		if f.readiness(s) != Agents {
			continue
		}
		found := uint64(0)
		for bits := route.Bits(); bits >= 0; bits-- {
			if g := f.since[binding{account, s, netip.PrefixFrom(route.Addr(), bits).Masked()}]; g > 0 {
				found = max(found, g)
			}
		}
		if found == 0 {
			return math.MaxUint64 // not offered yet: nobody can be ready
		}
		need = max(need, found)
	}
	return need
}

// site says why a site is not ready, empty if it is.
func (f *Fleet) site(name string, services []string, byAgents bool, need uint64, now time.Time) string {
	for _, s := range services {
		if r := f.readiness(s); (r == Probe || r == Prometheus) && (f.s.Alive == nil || !f.s.Alive(f.nameOf(s), name, now)) {
			return fmt.Sprintf("site %s: service %s does not answer its %s", name, s, r)
		}
	}
	if !byAgents {
		return ""
	}
	known, live, acked := f.tally(name, need, now)
	switch {
	case known == 0:
		return ""
	case live == 0:
		return fmt.Sprintf("site %s is dark: none of its %d machines was heard for %s", name, known, f.s.Silent)
	case float64(acked) < f.s.Quorum*float64(live):
		return fmt.Sprintf("site %s: %d of %d live machines are ready, %.0f %% are needed", name, acked, live, 100*f.s.Quorum)
	}
	return ""
}

func (f *Fleet) tally(site string, need uint64, now time.Time) (known, live, acked int) {
	for _, m := range f.machines {
		if m.Site != site {
			continue
		}
		known++
		if now.Sub(m.Seen) >= f.s.Silent {
			continue
		}
		live++
		if m.Acked >= need {
			acked++
		}
	}
	return known, live, acked
}

// Dark says why removals must hold: too many sites are dark. It is empty if
// they need not.
func (f *Fleet) Dark(now time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	live := map[string]bool{}
	for _, m := range f.machines {
		live[m.Site] = live[m.Site] || now.Sub(m.Seen) < f.s.Silent
	}
	dark := 0
	for _, alive := range live {
		if !alive {
			dark++
		}
	}
	if float64(dark) <= f.s.Dark*float64(len(live)) {
		return ""
	}
	return fmt.Sprintf("%d of %d sites are dark", dark, len(live))
}
