package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// fill gives the account n approved, bound and advertised prefixes.
func (w *world) fill(n int) []addressing.PrefixDetail {
	w.t.Helper()
	out := make([]addressing.PrefixDetail, 0, n)
	for i := range n {
		out = append(out, w.prefix(w.account, fmt.Sprintf("%d.%d.%d.0/24", 20+i>>16, i>>8&255, i&255), true))
	}
	return out
}

func benchWorld(b *testing.B, n int) (*world, []addressing.PrefixDetail) {
	b.Helper()
	w := newWorld(b)
	all := w.fill(n)
	w.build()
	b.ResetTimer()
	return w, all
}

func (w *world) bench(b *testing.B, method string, target func(i int) string, body func(i int) string) {
	header := http.Header{"Authorization": {"Bearer " + w.tokens["admin"]}, "Content-Type": {"application/json"}}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r, ok := w.send(mutant{method: method, target: target(i), body: body(i), header: header}); !ok || r.status >= 300 {
			b.Fatalf("%d %s", r.status, r.body)
		}
	}
}

func nothing(int) string { return "" }

func BenchmarkList4306(b *testing.B) {
	w, _ := benchWorld(b, 4306)
	w.bench(b, "GET", func(int) string { return w.at("/prefixes") }, nothing)
}

func BenchmarkGet(b *testing.B) {
	w, all := benchWorld(b, 400)
	w.bench(b, "GET", func(i int) string { return w.at("/prefixes/" + all[i%len(all)].ID) }, nothing)
}

func BenchmarkGetStatus(b *testing.B) {
	w, all := benchWorld(b, 400)
	w.bench(b, "GET", func(i int) string { return "/v1/prefixes/" + all[i%len(all)].ID }, nothing)
}

func BenchmarkToggle(b *testing.B) {
	w, all := benchWorld(b, 400)
	w.bench(b, "PATCH", func(i int) string {
		d := all[i%len(all)]
		return w.at("/prefixes/" + d.ID + "/bgp/prefixes/" + d.BGP[0].ID)
	}, func(i int) string { return fmt.Sprintf(`{"on_demand":{"advertised":%v}}`, i/len(all)%2 == 1) })
}

func BenchmarkGateRefuses(b *testing.B) {
	w := newWorld(b)
	b.ReportAllocs()
	for b.Loop() {
		if r, _ := w.send(mutant{method: "GET", target: w.at("/prefixes?pending_delete"), header: http.Header{}}); r.status != 400 {
			b.Fatal(r.status)
		}
	}
}

// BenchmarkHistory is the history of one prefix in a log of 10,000 changes of
// others.
func BenchmarkHistory(b *testing.B) {
	w, all := benchWorld(b, 400)
	for i := range 10_000 {
		d := all[i%(len(all)-1)+1]
		text := fmt.Sprint(i)
		if _, _, err := w.reg.EditPrefix(b.Context(), w.operatorRequest, d.ID, addressing.PrefixPatch{SetDescription: true, Description: &text}); err != nil {
			b.Fatal(err)
		}
	}
	b.ResetTimer()
	w.bench(b, "GET", func(int) string { return "/v1/prefixes/" + all[0].ID + "/history" }, nothing)
}
