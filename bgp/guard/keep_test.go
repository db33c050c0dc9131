package guard

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// What is kept is the Adj-RIB-Out as UPDATEs, and nothing that never left.
func TestKeep(t *testing.T) {
	o := &offers{}
	o.newPass()
	tb := newTable(o)
	a := set(t, 7)
	next := &target{}
	for i := range 2000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
		next.routes, next.sets = append(next.routes, snapshots.TargetRoute{Prefix: p}), append(next.sets, a)
		if i%2 == 0 {
			o.put(p, 0, wire.AttrSet{})
		}
	}
	tb.swap(next)
	tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
	if _, _, err := tb.fill(nil, wire.Encoding{}); err != nil {
		t.Fatal(err)
	}
	n := &neighbor{Neighbor: Neighbor{Neighbor: policy.Neighbor{Name: "transit-a"}}, table: tb}
	dir := filepath.Join(t.TempDir(), "adj-rib-out")
	for range 2 { // the second one replaces the first
		if err := n.keep(dir); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "transit-a.bgp")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	if len(raw) == 0 {
		t.Fatal("nothing was kept")
	}
	all, err := ReadKept(dir)
	if err != nil || len(all) != 1 || all[0].Neighbor != "transit-a" || all[0].Damage != nil {
		t.Fatalf("%+v, %v", all, err)
	}
	if len(all[0].Routes) != 1000 || !slices.EqualFunc(all[0].Routes, tb.routes(), func(a, b snapshots.TargetRoute) bool { return a.Prefix == b.Prefix }) {
		t.Fatalf("%d routes, want the 1000 that left", len(all[0].Routes))
	}
	for _, r := range all[0].Routes {
		if *r.Attrs.MED != 7 || r.Attrs != all[0].Routes[0].Attrs {
			t.Fatalf("%s: %+v", r.Prefix, r.Attrs)
		}
	}
	// A session that has not told its table yet, and one that is down, leave
	// what was kept alone.
	for _, change := range []func(){func() { tb.end() }, func() { tb.begin(wire.NewFamilySet(wire.IPv4Unicast), true) }} {
		change()
		if err := n.keep(dir); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%d octets were kept, %d now, %v", len(raw), len(again), err)
		}
	}
}

// Whatever has happened to a file: it is said, what can be read is given, and
// the others are whole.
func TestReadKeptAfterDamage(t *testing.T) {
	four, six := set(t, 1), set6(t)
	var gr groups
	for i := range 3000 {
		gr.add(four, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24))
	}
	gr.add(six, netip.MustParsePrefix("2001:db8::/32"))
	whole, err := gr.encode(nil, wire.Encoding{}, &sent{})
	if err != nil {
		t.Fatal(err)
	}
	first := int(whole[16])<<8 | int(whole[17])
	end := wire.AppendEndOfRIB(wire.AppendEndOfRIB(nil, wire.IPv4Unicast), wire.IPv6Unicast)
	withdrawal, _, err := wire.Encoding{}.AppendWithdraw(nil, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")})
	if err != nil {
		t.Fatal(err)
	}
	flipped := append(slices.Clone(whole), end...)
	flipped[first+5] = 0
	for _, c := range []struct {
		name   string
		raw    []byte
		damage string
		least  int
	}{
		{"whole", slices.Concat(whole, end), "", 3001},
		{"empty", nil, "End-of-RIB", 0},
		{"no end", whole, "End-of-RIB", 3001},
		{"cut off", whole[:first+100], "EOF", 900},
		{"a marker flipped", flipped, "message 2", 900},
		{"a table of nothing", end, "", 0},
		{"a message twice", slices.Concat(whole[:first], whole, end), "twice", 900},
		{"a withdrawal", slices.Concat(whole, withdrawal, end), "withdraws", 3001},
		{"a KEEPALIVE", slices.Concat(whole, wire.AppendKeepalive(nil), end), "KEEPALIVE", 3001},
		{"noise", []byte(strings.Repeat("noise", 100)), "message 1", 0},
	} {
		dir := t.TempDir()
		for name, raw := range map[string][]byte{"a.bgp": slices.Concat(whole, end), "b.bgp": c.raw, ".c.bgp": c.raw, "d.txt": nil} {
			if err := os.WriteFile(filepath.Join(dir, name), raw, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		all, err := ReadKept(dir)
		if err != nil || len(all) != 2 || len(all[0].Routes) != 3001 || all[0].Damage != nil {
			t.Fatalf("%s: %d kept, %v", c.name, len(all), err)
		}
		damage := ""
		if all[1].Damage != nil {
			damage = all[1].Damage.Error()
		}
		if !strings.Contains(damage, c.damage) || (damage == "") != (c.damage == "") || len(all[1].Routes) < c.least {
			t.Errorf("%s: %d routes, damage %q; want at least %d and %q", c.name, len(all[1].Routes), damage, c.least, c.damage)
		}
	}
	if all, err := ReadKept(filepath.Join(t.TempDir(), "none")); err != nil || all != nil {
		t.Errorf("a directory that is not there: %v, %v", all, err)
	}
}

// set6 is a set for IPv6, as over iBGP.
func set6(t testing.TB) wire.AttrSet {
	t.Helper()
	a := wire.Attributes{NextHop: netip.MustParseAddr("2001:db8::1"), LinkLocal: netip.MustParseAddr("fe80::1"), LocalPref: wire.MetricOf(200)}
	s, err := a.Intern()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// writeKept leaves a neighbor's file as an earlier process would.
func writeKept(t testing.TB, dir, name string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name+keptSuffix), raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
