package addressing_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// table is desired state of n advertised prefixes, /24s from 11.0.0.0 up, of
// one account in ten.
func table(n int) addressing.State {
	st := addressing.State{Services: []addressing.Service{{ID: id(3, 0), Name: "CDN", MinSites: 1, CreatedAt: epoch, Version: 1}}}
	for i := range max(1, n/10) {
		st.Accounts = append(st.Accounts, addressing.Account{ID: id(4, i), Name: fmt.Sprint("account ", i), Kind: addressing.Customer, CreatedAt: epoch, Version: 1})
	}
	for i := range n {
		cidr := netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 11<<24+uint32(i)<<8))), 24)
		st.Prefixes = append(st.Prefixes, addressing.Prefix{ID: id(5, i), AccountID: st.Accounts[i%len(st.Accounts)].ID, CIDR: cidr, ASN: 64500, State: addressing.Approved,
			Control: addressing.ControlAPI, OnDemandEnabled: true, CreatedAt: epoch})
		st.BGPPrefixes = append(st.BGPPrefixes, addressing.BGPPrefix{ID: id(6, i), PrefixID: id(5, i), CIDR: cidr, Advertised: true, Resting: addressing.RestingAdvertised, Sites: addressing.AllSites()})
		st.Bindings = append(st.Bindings, addressing.Binding{ID: id(7, i), PrefixID: id(5, i), CIDR: cidr, ServiceID: id(3, 0), Active: true})
	}
	return st
}

func id(kind, n int) string { return fmt.Sprintf("%016x%016x", kind, n) }

func filled(b *testing.B, n int) *rig {
	b.Helper()
	x := emptyRig(b)
	x.t = b
	must(x.r.Restore(context.Background(), addressing.RestoreRequest{Request: x.operator(), Want: table(n)}))(b)
	return x
}

func BenchmarkList4306(b *testing.B) {
	x := filled(b, 4306)
	b.ReportAllocs()
	for b.Loop() {
		all, err := x.r.Prefixes(b.Context(), addressing.EveryAccount())
		if err != nil || len(all) != 4306 {
			b.Fatal(len(all), err)
		}
	}
}

func BenchmarkListOneAccount(b *testing.B) {
	x := filled(b, 4306)
	for b.Loop() {
		if all, err := x.r.Prefixes(b.Context(), addressing.OneAccount(id(4, 1))); err != nil || len(all) != 11 {
			b.Fatal(len(all), err)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	x := filled(b, 4306)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := x.r.Prefix(b.Context(), addressing.EveryAccount(), id(5, 77)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkToggle(b *testing.B) {
	x := filled(b, 4306)
	b.ReportAllocs()
	on := true
	for b.Loop() {
		on = !on
		if _, _, err := x.r.EditBGPPrefix(b.Context(), x.operator(), id(5, 77), id(6, 77), toggle(on)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkToggleParallel: writers that wait together share an fsync.
func BenchmarkToggleParallel(b *testing.B) {
	x := filled(b, 4306)
	req := x.operator()
	b.SetParallelism(32)
	var next = make(chan int, 4306)
	for i := range 4306 {
		next <- i
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := <-next
			d, err := x.r.Prefix(b.Context(), addressing.EveryAccount(), id(5, i))
			if err == nil {
				_, _, err = x.r.EditBGPPrefix(b.Context(), req, id(5, i), id(6, i), toggle(!d.BGP[0].Advertised))
			}
			if err != nil {
				b.Error(err)
			}
			next <- i
		}
	})
}

func BenchmarkState(b *testing.B) {
	for _, n := range []int{6500, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := filled(b, n)
			b.ReportAllocs()
			for b.Loop() {
				if st, err := x.r.State(b.Context()); err != nil || len(st.Prefixes) != n {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRestore6500(b *testing.B) {
	want := table(6500)
	for b.Loop() {
		b.StopTimer()
		x := emptyRig(b)
		b.StartTimer()
		must(x.r.Restore(b.Context(), addressing.RestoreRequest{Request: x.operator(), Want: want}))(b)
	}
}
