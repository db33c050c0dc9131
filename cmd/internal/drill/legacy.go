package drill

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// legacy is the run without any layer: a table in front of a speaker, as it was
// on that day. It must reproduce the outage, or nothing else here means much.
func (d *d1) legacy(ctx context.Context) error {
	d.o.say("none (legacy)")
	dir := filepath.Join(d.o.Dir, "legacy")
	defer os.RemoveAll(dir)
	wire, err := neighbor.New(neighbor.Config{ASN: theirASN, PeerASN: ourASN, RouterID: netip.AddrFrom4([4]byte{192, 0, 2, 2}),
		Listen: netip.AddrPortFrom(loopback, 0), Peer: loopback, Families: families, LogLimit: 1 << 20})
	if err != nil {
		return err
	}
	defer wire.Close()
	hop4, hop6 := netip.AddrFrom4([4]byte{192, 0, 2, 1}), netip.MustParseAddr("2001:db8::1")
	speaker, err := gobgp.New(gobgp.Config{ASN: ourASN, RouterID: hop4, Logger: slog.New(slog.DiscardHandler), Neighbors: []gobgp.Neighbor{{
		Neighbor: policy.Neighbor{Name: Neighbor, Kind: policy.EBGP, Address: loopback, ASN: theirASN, LocalASN: ourASN, Role: policy.RoleCustomer,
			Families: families, NextHop4: hop4, NextHop6: hop6}, Port: wire.Addr().Port()}}})
	if err != nil {
		return err
	}
	defer speaker.Close()
	hops := [2]*snapshots.Attributes{{ASPath: []uint32{ourASN}, NextHop: hop4}, {ASPath: []uint32{ourASN}, NextHop: hop6}}
	var routes []snapshots.TargetRoute
	customer := map[netip.Prefix]bool{}
	for _, row := range d.rows {
		hop := hops[0]
		if row.Prefix.Addr().Is6() {
			hop = hops[1]
		}
		routes = append(routes, snapshots.TargetRoute{Prefix: row.Prefix, Attrs: hop})
		customer[row.Prefix] = row.Kind == table.KindCustomer
	}
	slices.SortFunc(routes, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
	generation := uint64(0)
	apply := func() error {
		generation++
		return speaker.Apply(ctx, snapshots.Target{Epoch: 1, Generation: generation, Neighbors: map[string]snapshots.NeighborTarget{Neighbor: {Routes: routes}}})
	}
	rig := &Rig{Wire: wire, Full: len(routes)}
	if err := apply(); err != nil {
		return err
	}
	if err := speaker.Start(ctx); err != nil {
		return err
	}
	if err := awaitHeld(ctx, rig.Wire, len(routes)); err != nil {
		return err
	}
	// One deletion after the other, each on the wire before the next: simulated
	// time is counted in deletions.
	marks := map[int]int{50: 0, 196: 0} // minutes into the run: routes missing
	gone, begun := 0, time.Now()
	for {
		i := slices.IndexFunc(routes, func(r snapshots.TargetRoute) bool { return customer[r.Prefix] })
		if i < 0 {
			break
		}
		// A Target may not be written to once it is applied.
		routes = slices.Delete(slices.Clone(routes), i, i+1)
		if err := apply(); err != nil {
			return err
		}
		gone++
		for minutes := range marks {
			if gone == min(minutes*outageRate, d.customers) {
				if err := awaitHeld(ctx, rig.Wire, rig.Full-gone); err != nil {
					return err
				}
				marks[minutes] = rig.Full - wire.Held()
			}
		}
	}
	if err := awaitHeld(ctx, rig.Wire, rig.Full-gone); err != nil {
		return err
	}
	took := time.Since(begun)
	d.report.Exactly("D1, legacy: gone after 50 minutes at 22 a minute", marks[50], min(50*outageRate, d.customers))
	d.report.Exactly("D1, legacy: gone after 196 minutes", marks[196], d.customers)
	d.report.Tables = append(d.report.Tables, Table{Title: "No layer (legacy)", Columns: []string{"variant", "missing at the neighbor"}, Rows: [][]string{
		{"22 a minute, after 50 minutes", fmt.Sprint(marks[50])}, {"22 a minute, after 196 minutes", fmt.Sprint(marks[196])},
		{fmt.Sprintf("unthrottled, after %s", took.Round(time.Millisecond)), fmt.Sprint(rig.Full - wire.Held())}}})
	return nil
}
