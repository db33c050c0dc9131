package bird_test

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// Both evaluators walk the same terms: a route of the set that must be accepted
// is, one of the set that may not be is not, and each program has at least one
// of the two unless it is not followed at all.
func TestSymbolic(t *testing.T) {
	for name, tt := range filterCases() {
		cfg := parse(with(tt.before, tt.export))
		out := cfg.SessionsFor("out", device.IPv4)[0]
		up := cfg.SessionsFor("up", device.IPv4)[0]
		u, err := symbolic.New(symbolic.Inputs{
			Sources: []symbolic.Source{
				{Route: device.Source{Protocol: device.EBGP, Name: "up", Neighbor: up.Neighbor, ASN: up.PeerAS}, Session: up},
				{Route: device.Source{Protocol: device.Static, Name: "static"}},
			},
			Exports: []*device.Session{out}, Loops: true,
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		dec, err := u.Export(out)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := 0
		for want, set := range map[device.Verdict]bdd.Node{device.Accept: dec.Must, device.Reject: u.Diff(u.Family(device.IPv4), dec.May)} {
			w, ok := u.Witness(set)
			if !ok {
				continue
			}
			found++
			r := w.Route
			if w.Source == 0 {
				in := concrete.Session(up, concrete.Import, r)
				if in.Verdict != device.Accept {
					if want == device.Accept {
						t.Errorf("%s: %+v is not imported", name, r)
					}
					continue
				}
				r = in.Route
			}
			if got := concrete.Session(out, concrete.Export, r); got.Verdict != want {
				t.Errorf("%s: %s %v %v: %s, want %s\n%+v", name, r.Prefix, r.ASPath, r.Communities, got.Verdict, want, got.Trace)
			}
		}
		if found == 0 {
			t.Errorf("%s: neither a route that is accepted nor one that is not", name)
		}
	}
}
