//go:build linux

package main

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

func scopeOf(name string) client.BreakerScope { return client.BreakerScope{Scope: name, State: "open"} }

// fixed is a neighbor that has seen what it is given.
type fixed struct {
	log    []neighbor.Change
	routes []neighbor.Route
}

func (f fixed) Addr() netip.AddrPort        { return netip.MustParseAddrPort("127.0.0.2:1790") }
func (f fixed) Counters() neighbor.Counters { return neighbor.Counters{Updates: len(f.log)} }
func (f fixed) Log() []neighbor.Change      { return f.log }
func (f fixed) Routes() []neighbor.Route    { return f.routes }

// What the neighbor's process writes is what the harness reads.
func TestNeighborProtocol(t *testing.T) {
	row := table.Row{Prefix: netip.MustParsePrefix("2001:db8::/32"), Origin: 4200000001}
	attrs := &neighbor.Attributes{Attributes: snapshots.Attributes{ASPath: []uint32{ourASN, row.Origin}, NextHop: nextHop6}}
	n := fixed{
		log: []neighbor.Change{
			{At: at(1), What: "up"},
			{At: at(2), What: "update", Announced: 1, Held: 1},
			{At: at(3), What: "down", Held: 1},
		},
		routes: []neighbor.Route{{Prefix: row.Prefix, Attrs: attrs}},
	}
	questions, ask := io.Pipe()
	answers, tellTo := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- tell(n, questions, tellTo)
		tellTo.Close()
	}()
	f := newFeed(ask)
	listening := make(chan netip.AddrPort, 1)
	go f.read(answers, listening)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()

	if got := <-listening; got != n.Addr() {
		t.Errorf("listens on %s, want %s", got, n.Addr())
	}
	if since, err := f.await(ctx, 1, time.Time{}); err != nil || !since.Equal(at(2)) {
		t.Errorf("one prefix since %s (%v), want %s", since, err, at(2))
	}
	held, err := f.table(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if diff := firstDifference([]table.Row{row}, held); diff != "" {
		t.Error(diff)
	}
	if got := f.sessionsLost(); got != 1 {
		t.Errorf("%d sessions lost, want 1", got)
	}
	if err := ask.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("the neighbor ended with %v", err)
	}
	<-f.ended
	if _, err := f.await(ctx, 2, time.Time{}); err == nil {
		t.Error("waiting at a neighbor that has ended succeeds")
	}
}

func TestFirstDifference(t *testing.T) {
	row := table.Row{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Origin: ourASN}
	right := heldRoute{Prefix: row.Prefix, ASPath: []uint32{ourASN}, NextHop: nextHop4}
	change := func(f func(*heldRoute)) []heldRoute {
		h := right
		f(&h)
		return []heldRoute{h}
	}
	for want, held := range map[string][]heldRoute{
		"":                           {right},
		"198.51.100.0/24 is missing": nil,
		"198.51.100.0/24 has AS path [64500 1], want [64500]":    change(func(h *heldRoute) { h.ASPath = []uint32{ourASN, 1} }),
		"198.51.100.0/24 has next hop 127.0.0.1, want 192.0.2.1": change(func(h *heldRoute) { h.NextHop = ourAddress }),
		"198.51.100.0/24 has origin 2, want IGP":                 change(func(h *heldRoute) { h.Origin = 2 }),
		"203.0.113.0/24 should not be there":                     {right, {Prefix: netip.MustParsePrefix("203.0.113.0/24")}},
	} {
		if got := firstDifference([]table.Row{row}, held); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
