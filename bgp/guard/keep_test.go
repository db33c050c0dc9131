package guard

import (
	"bytes"
	"errors"
	"fmt"
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
	file := filepath.Join(dir, "transit-a.bgp")
	for range 2 { // nothing has changed the second time
		if err := n.keep(file); err != nil {
			t.Fatal(err)
		}
	}
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
		if err := n.keep(file); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(raw, again) {
			t.Errorf("%d octets were kept, %d now, %v", len(raw), len(again), err)
		}
	}
}

// What changes on the wire is appended, the last of a session too, and the file
// is written anew once the changes have grown to its size.
func TestKeepWhatChanged(t *testing.T) {
	o := &offers{}
	o.newPass()
	tb := newTable(o)
	a, b := set(t, 7), set(t, 8)
	prefix := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
	}
	const routes = 3000
	for i := range routes {
		o.put(prefix(i), 0, wire.AttrSet{})
	}
	swap := func(from, to int, as wire.AttrSet) {
		next := &target{}
		for i := from; i < to; i++ {
			next.routes, next.sets = append(next.routes, snapshots.TargetRoute{Prefix: prefix(i)}), append(next.sets, as)
		}
		tb.swap(next)
		if !tb.live {
			tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
		}
		if _, _, err := tb.fill(nil, wire.Encoding{}); err != nil {
			t.Fatal(err)
		}
	}
	n := &neighbor{Neighbor: Neighbor{Neighbor: policy.Neighbor{Name: "transit-a"}}, table: tb}
	dir := t.TempDir()
	path := filepath.Join(dir, "transit-a.bgp")
	size := func() int64 {
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	same := func(what string) {
		t.Helper()
		want := tb.routes()
		if err := n.keep(path); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		all, err := ReadKept(dir)
		if err != nil || len(all) != 1 || all[0].Damage != nil {
			t.Fatalf("%s: %+v, %v", what, all, err)
		}
		if !slices.EqualFunc(all[0].Routes, want, func(a, b snapshots.TargetRoute) bool { return a.Prefix == b.Prefix }) {
			t.Fatalf("%s: %d routes kept, %d are on the wire", what, len(all[0].Routes), len(want))
		}
	}
	swap(0, routes, a)
	same("a whole table")
	base := size()
	swap(10, routes, a)
	same("ten withdrawn")
	if grown := size() - base; grown <= 0 || grown > 200 {
		t.Errorf("ten withdrawals took %d octets", grown)
	}
	swap(0, routes, a)
	swap(5, routes, a)
	same("announced again, and five withdrawn")
	for i := range 40 { // every route, many times
		swap(5, routes, []wire.AttrSet{b, a}[i%2])
		same("other attributes")
	}
	if got := size(); got > base+2*leastLog {
		t.Errorf("the file has grown to %d octets from %d", got, base)
	}
	swap(0, 100, a)
	want := len(tb.routes())
	tb.end() // before it was kept
	if err := n.keep(path); err != nil {
		t.Fatal(err)
	}
	all, err := ReadKept(dir)
	if err != nil || len(all[0].Routes) != want || all[0].Damage != nil {
		t.Errorf("%d routes kept of the session that ended, want %d: %v, %v", len(all[0].Routes), want, all[0].Damage, err)
	}
	// A file that somebody removed is written anew.
	swap(0, 100, b)
	if err := errors.Join(n.keep(path), os.Remove(path)); err != nil {
		t.Fatal(err)
	}
	swap(0, 99, b)
	if err := n.keep(path); err == nil {
		t.Fatal("appended to a file that is gone")
	}
	tb.forgetKept()
	same("a file that was gone")
}

// Keeping costs what changed, not what there is.
func BenchmarkKeep(b *testing.B) {
	for _, routes := range []int{10_000, 100_000} {
		for _, c := range []struct {
			name    string
			changed int
		}{{"one", 1}, {"thousand", 1000}, {"whole", 0}} {
			b.Run(fmt.Sprintf("%d/%s", routes, c.name), func(b *testing.B) { benchmarkKeep(b, routes, c.changed) })
		}
	}
}

func benchmarkKeep(b *testing.B, routes, changed int) {
	o := &offers{}
	o.newPass()
	tb, as := newTable(o), set(b, 7)
	next := &target{}
	for i := range routes {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(10 + i>>16), byte(i >> 8), byte(i), 0}), 24)
		o.put(p, 0, wire.AttrSet{})
		next.routes, next.sets = append(next.routes, snapshots.TargetRoute{Prefix: p}), append(next.sets, as)
	}
	tb.swap(next)
	tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
	for more := true; more; {
		_, s, err := tb.fill(nil, wire.Encoding{})
		if more = s.more; err != nil {
			b.Fatal(err)
		}
	}
	n := &neighbor{table: tb}
	path := filepath.Join(b.TempDir(), "a.bgp")
	if err := n.keep(path); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if changed == 0 {
			tb.forgetKept()
		}
		for i := range changed {
			tb.unkept = append(tb.unkept, next.routes[i].Prefix)
		}
		if err := n.keep(path); err != nil {
			b.Fatal(err)
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
		{"changes behind the end", slices.Concat(whole, end, withdrawal, whole[:first]), "", 3001},
		{"a withdrawal behind the end", slices.Concat(whole, end, withdrawal), "", 3000},
		{"a message cut off behind the end", slices.Concat(whole, end, withdrawal, whole[:first/2]), "", 3000},
		{"noise behind the end", slices.Concat(whole, end, []byte(strings.Repeat("noise", 100))), "message", 3001},
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
