package gate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// said is what was said of loads, in Gbit/s.
type said struct{ sites, neighbors map[string]float64 }

func (s said) Site(name string) (float64, bool) { n, ok := s.sites[name]; return 1e9 * n, ok }

func (s said) Neighbor(name string) (float64, bool) { n, ok := s.neighbors[name]; return 1e9 * n, ok }

// threeSites is a network with two neighbors a site and 100 routes everywhere.
func threeSites() *snapshots.Snapshot {
	s := fullTable(100)
	s.Network.Sites, s.Network.Neighbors = []string{"ams", "fra", "lon"}, nil
	for _, site := range s.Network.Sites {
		for i := range 2 {
			s.Network.Neighbors = append(s.Network.Neighbors, policy.Neighbor{Name: fmt.Sprint(site, i), Site: site, Families: []addressing.Family{addressing.IPv4}})
		}
	}
	return s
}

func waysOf(s *snapshots.Snapshot, l said, site, neighbor float64) Ways {
	return Ways{Loads: l,
		Sites: func() map[string]float64 {
			return map[string]float64{"ams": 1e9 * site, "fra": 1e9 * site, "lon": 1e9 * site}
		},
		Neighbors: func() []Way {
			var out []Way
			for _, n := range s.Network.Neighbors {
				out = append(out, Way{Name: n.Name, Site: n.Site, Capacity: 1e9 * neighbor})
			}
			return out
		}}
}

// Drains, and sites taken off prefixes, against the capacity that is left.
func TestCapacity(t *testing.T) {
	even := said{sites: map[string]float64{"ams": 50, "fra": 40, "lon": 40}, neighbors: map[string]float64{"ams0": 30, "ams1": 20}}
	drain := func(site, neighbor string) addressing.ChangeSet {
		return addressing.ChangeSet{Verb: "site.drain", Drains: &addressing.Drained{Site: site, Neighbor: neighbor}}
	}
	sites := func(n int, left ...string) addressing.ChangeSet {
		c := addressing.ChangeSet{Verb: "prefix.edit"}
		for i := range n {
			c.Effects = append(c.Effects, addressing.Effect{Kind: addressing.Modified, CIDR: nth(i), AccountID: fmt.Sprintf("account-%02d", i%40), SitesLeft: left})
		}
		return c
	}
	accepted := drain("ams", "")
	accepted.Drains.OverCapacity = true
	for _, tt := range []struct {
		name   string
		loads  said
		room   [2]float64 // of a site, of a neighbor; Gbit/s
		duty   *snapshots.NegativeIntent
		change addressing.ChangeSet
		want   string // of the refusal; empty is none
	}{
		{"a site that fits", even, [2]float64{100, 0}, nil, drain("ams", ""), ""},
		{"a site that does not", even, [2]float64{80, 0}, nil, drain("ams", ""), "what is left without site ams would be loaded to 81 %, the limit is 80 %: site fra from 40 Gbit/s to 65 Gbit/s of 80 Gbit/s"},
		{"the risk is accepted", even, [2]float64{80, 0}, nil, accepted, ""},
		{"two are enough, one is being drained", even, [2]float64{100, 0}, &snapshots.NegativeIntent{ID: "i", Site: "fra", Draining: true}, drain("ams", ""), "site lon from 40 Gbit/s to 130 Gbit/s"},
		{"a drained one counts no more", even, [2]float64{100, 0}, &snapshots.NegativeIntent{ID: "i", Site: "fra"}, drain("ams", ""), "site lon from 40 Gbit/s to 90 Gbit/s"},
		{"nobody says", said{}, [2]float64{1, 0}, nil, drain("ams", ""), ""},
		{"one does not say", said{sites: map[string]float64{"ams": 500, "fra": 40}}, [2]float64{1, 0}, nil, drain("ams", ""), ""},
		{"no capacity", even, [2]float64{}, nil, drain("ams", ""), ""},
		{"a neighbor, to the one beside it", even, [2]float64{1000, 60}, nil, drain("ams", "ams0"), "neighbor ams1 from 20 Gbit/s to 50 Gbit/s of 60 Gbit/s"},
		{"a neighbor that fits", even, [2]float64{1000, 100}, nil, drain("ams", "ams0"), ""},
		{"the last neighbor, to other sites", even, [2]float64{80, 100}, &snapshots.NegativeIntent{ID: "i", Neighbor: "ams1"}, drain("ams", "ams0"), "site fra from 40 Gbit/s to 65 Gbit/s"},
		{"a tenth of the routes", even, [2]float64{60, 0}, nil, sites(10, "fra", "lon"), ""},
		{"all routes", even, [2]float64{80, 0}, nil, sites(100, "fra", "lon"), "would be loaded to 81 %"},
		{"many routes where nobody says", said{}, [2]float64{80, 0}, nil, sites(40, "fra", "lon"), ""},
		{"on one path", said{}, [2]float64{}, nil, sites(1, "fra"), "would be left on 1 path,"},
		{"to where it is already", said{}, [2]float64{}, nil, sites(1, "ams", "fra", "lon"), ""},
		{"to a site that there is not", said{}, [2]float64{}, nil, sites(1, "ams", "mars"), "there is no site mars"},
	} {
		s := threeSites()
		if tt.duty != nil {
			s.Network.Negative = append(s.Network.Negative, *tt.duty)
		}
		g := newGate(t, s)
		g.Carried(waysOf(s, tt.loads, tt.room[0], tt.room[1]))
		c := tt.change
		c.ID, c.At, c.Actor, c.Reason = "c", noon, addressing.Actor{Kind: addressing.Operator, ID: "noc"}, "r"
		_, err := g.Admit(t.Context(), c)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: refused: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

// A site of which nothing is told is the sum of its neighbors, if all of them
// are told.
func TestSiteIsItsNeighbors(t *testing.T) {
	s := threeSites()
	w := waysOf(s, said{sites: map[string]float64{"lon": 7}, neighbors: map[string]float64{"ams0": 3, "ams1": 4, "fra0": 1}}, 0, 10)
	for site, want := range map[string]breaker.Path{
		"ams": {Name: "site ams", Load: 7e9, Fresh: true, Capacity: 20e9},
		"fra": {Name: "site fra", Capacity: 20e9},
		"lon": {Name: "site lon", Load: 7e9, Fresh: true, Capacity: 20e9},
		"nix": {Name: "site nix"},
	} {
		if got := w.Site(site); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
