package gate

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// A route that is replaced by one that carries it, on the wire already, is no
// loss; anything less is refused before the breaker is asked.
func TestReplaced(t *testing.T) {
	cover := netip.MustParsePrefix("10.0.0.0/20")
	with := func(change func(*snapshots.Route)) *snapshots.Snapshot {
		s := threeSites()
		r := snapshots.Route{CIDR: cover, Sites: addressing.AllSites(), Services: []string{"cdn", "dns"}}
		if change != nil {
			change(&r)
		}
		s.Accounts[0].Routes = slices.Insert(s.Accounts[0].Routes, 0, r)
		return s
	}
	for _, tt := range []struct {
		name string
		snap *snapshots.Snapshot
		by   string
		lack string
		want string // of the refusal; empty is none
	}{
		{"covered, bound, everywhere", with(nil), "10.0.0.0/20", "", ""},
		{"not at a neighbor yet", with(nil), "10.0.0.0/20", "ams0", "ams0 does not hold 10.0.0.0/20 yet"},
		{"not announced", threeSites(), "10.0.0.0/20", "", "is not announced for the same account"},
		{"no cover", with(nil), "10.16.0.0/20", "", "does not cover 10.0.0.0/24"},
		{"itself", with(nil), "10.0.0.0/24", "", "does not cover"},
		{"another service", with(func(r *snapshots.Route) { r.Services = []string{"dns"} }), "10.0.0.0/20", "", "not bound to every service"},
		{"fewer sites", with(func(r *snapshots.Route) { r.Sites = addressing.Sites{Names: []string{"ams"}} }), "10.0.0.0/20", "", "not announced at site fra"},
		{"it rests withdrawn", with(func(r *snapshots.Route) { r.Resting = addressing.RestingWithdrawn }), "10.0.0.0/20", "", "rests withdrawn"},
	} {
		g := newGate(t, tt.snap)
		b := g.breaker.(*breaker.Breaker)
		g.Lacking(func(netip.Prefix, addressing.Sites) string { return tt.lack })
		c := withdrawal(0, addressing.Actor{Kind: addressing.Operator, ID: "noc"})
		c.ReplacedBy = netip.MustParsePrefix(tt.by)
		_, err := g.Admit(t.Context(), c)
		class, charged := b.Admitted(nth(0))
		if tt.want == "" && (err != nil || !charged || class != breaker.AtRest) {
			t.Errorf("%s: %v, charged as %s", tt.name, err, class)
		}
		if tt.want != "" && (addressing.CodeOf(err) != addressing.CodeConflict || !strings.Contains(err.Error(), tt.want) || charged) {
			t.Errorf("%s: %v, want %q; charged %v", tt.name, err, tt.want, charged)
		}
	}
}
