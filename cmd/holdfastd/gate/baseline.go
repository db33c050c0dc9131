package gate

import (
	"net/netip"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// baseline keeps the denominators of the breaker's limits: what the active
// snapshot advertises. It is counted once per generation.
type baseline struct {
	active func() (*snapshots.Snapshot, snapshots.Head)

	mu         sync.Mutex
	generation uint64
	counted    bool
	counts     breaker.Baseline
	loads      []snapshots.Load
	routes     map[string]int   // by site
	shares     map[string]share // by account, as counted last
}

// room is how full the tables of the active snapshot are at far ends that have
// a limit.
func (b *baseline) room() []snapshots.Load {
	b.get()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.loads
}

// get returns the counts of the active snapshot; before the first one there
// are none.
func (b *baseline) get() (breaker.Baseline, uint64) {
	snap, head := b.active()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follow(snap, head.Generation)
	return b.counts, head.Generation
}

// routesAt is how many routes a site has.
func (b *baseline) routesAt(site string) int {
	snap, head := b.active()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.follow(snap, head.Generation)
	return b.routes[site]
}

// follow counts a generation, once.
func (b *baseline) follow(snap *snapshots.Snapshot, generation uint64) {
	if b.counted && b.generation == generation {
		return
	}
	b.routes, b.generation, b.counted = map[string]int{}, generation, true
	b.counts, b.shares = countSnapshot(snap, b.shares)
	b.loads = snap.Loads()
	if snap == nil {
		return
	}
	for i := range snap.Accounts {
		tally := snap.Tally(i)
		for _, site := range snap.Network.Sites {
			b.routes[site] += tally.At(site, addressing.IPv4) + tally.At(site, addressing.IPv6)
		}
	}
}

// share is what one account adds to the counts. Its part says whether it must
// be counted again.
type share struct {
	part     snapshots.Sum
	bindings int
	routes   breaker.Count
	space    breaker.Count
	services map[string]breaker.Count
}

// countSnapshot counts every advertised prefix once. Prefixes that rest
// withdrawn are outside the baselines but in the neighbors' tables (DESIGN
// section 4). known are the shares of an earlier snapshot.
func countSnapshot(s *snapshots.Snapshot, known map[string]share) (breaker.Baseline, map[string]share) {
	out := breaker.Baseline{
		Accounts:  map[string]breaker.Count{},
		Neighbors: map[string]breaker.Count{},
		Services:  map[string]breaker.Count{},
	}
	shares := map[string]share{}
	if s == nil {
		return out, shares
	}
	for i := range s.Accounts {
		part := &s.Accounts[i]
		sum := s.PartSum(part.Account)
		one, found := known[part.Account]
		if !found || sum == "" || one.part != sum {
			one = countAccount(part)
			one.part = sum
		}
		shares[part.Account] = one
		one.addTo(&out, part)
	}
	countNeighbors(&out, s)
	return out, shares
}

func countNeighbors(out *breaker.Baseline, s *snapshots.Snapshot) {
	for _, n := range s.Network.Neighbors {
		if s.Network.DutyOf(&n) == snapshots.Drained {
			continue // it holds nothing on purpose: there is no floor under it
		}
		var c breaker.Count
		for i := range s.Accounts {
			tally := s.Tally(i)
			if n.Carries(addressing.IPv4) {
				c.IPv4 += tally.At(n.Site, addressing.IPv4)
			}
			if n.Carries(addressing.IPv6) {
				c.IPv6 += tally.At(n.Site, addressing.IPv6)
			}
		}
		out.Neighbors[n.Name] = c
	}
}

func (s share) addTo(out *breaker.Baseline, part *snapshots.AccountPart) {
	out.Bindings += s.bindings
	if s.routes == (breaker.Count{}) {
		return
	}
	out.Accounts[part.Account] = s.routes
	for id, n := range s.services {
		out.Services[id] = add(out.Services[id], n)
	}
	if part.Kind != addressing.FirstParty {
		out.Customer = add(out.Customer, s.routes)
		out.Space = add(out.Space, s.space)
	}
}

func countAccount(part *snapshots.AccountPart) share {
	out := share{services: map[string]breaker.Count{}}
	for i := range part.Prefixes {
		for _, b := range part.Prefixes[i].Bindings {
			if b.Active {
				out.bindings++
			}
		}
	}
	for i := range part.Routes {
		r := &part.Routes[i]
		if r.Resting == addressing.RestingWithdrawn {
			continue
		}
		one := countOne(r.CIDR)
		out.routes, out.space = add(out.routes, one), add(out.space, space(r.CIDR))
		for _, id := range r.Services {
			out.services[id] = add(out.services[id], one)
		}
	}
	return out
}

func add(a, b breaker.Count) breaker.Count {
	return breaker.Count{IPv4: a.IPv4 + b.IPv4, IPv6: a.IPv6 + b.IPv6}
}

func countOne(p netip.Prefix) breaker.Count {
	if addressing.FamilyOf(p) == addressing.IPv6 {
		return breaker.Count{IPv6: 1}
	}
	return breaker.Count{IPv4: 1}
}

// space counts IPv4 in /24s and IPv6 in /48s, the smallest sizes that can be held.
func space(p netip.Prefix) breaker.Count {
	if addressing.FamilyOf(p) == addressing.IPv6 {
		return breaker.Count{IPv6: 1 << (addressing.MaxBitsIPv6 - p.Bits())}
	}
	return breaker.Count{IPv4: 1 << (addressing.MaxBitsIPv4 - p.Bits())}
}
