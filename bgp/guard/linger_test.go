package guard

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// lingering is a neighbor whose session has told its table of n routes.
func lingering(t *testing.T, n int) (*neighbor, *offers) {
	t.Helper()
	config := &Neighbor{Neighbor: policy.Neighbor{Kind: policy.EBGP, ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer}}
	attrs := &snapshots.Attributes{ASPath: []uint32{64500}, NextHop: netip.MustParseAddr("192.0.2.1")}
	var routes []snapshots.TargetRoute
	for i := range n {
		routes = append(routes, snapshots.TargetRoute{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24), Attrs: attrs})
	}
	target, err := compile(config, bgp.Order{}, routes)
	if err != nil {
		t.Fatal(err)
	}
	o := &offers{}
	o.newPass()
	tb := newTable(o)
	tb.swap(target)
	tb.begin(wire.NewFamilySet(wire.IPv4Unicast), false)
	for more := true; more; {
		_, s, err := tb.fill(nil, wire.Encoding{})
		if err != nil {
			t.Fatal(err)
		}
		more = s.more
	}
	return &neighbor{table: tb}, o
}

// offerRoute makes the engine offer the i-th route.
func (n *neighbor) offerRoute(o *offers, i int) {
	n.table.mu.Lock()
	defer n.table.mu.Unlock()
	p := n.table.target.routes[i].Prefix
	o.put(p, 0, wire.AttrSet{})
	n.table.mark(p)
}

// A lone change of the engine waits at most 5 ms for more of them, a stream of
// changes at most 50 ms for its end, and a change of the Target not at all.
func TestLinger(t *testing.T) {
	t.Run("a lone change", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, o := lingering(t, 10)
			n.offerRoute(o, 3)
			begun := time.Now()
			if !n.gather(t.Context()) {
				t.Fatal("there is a change")
			}
			if waited := time.Since(begun); waited > 5*time.Millisecond {
				t.Errorf("waited %s", waited)
			}
		})
	})
	t.Run("a stream", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, o := lingering(t, 1000)
			go func() {
				for i := range 1000 {
					n.offerRoute(o, i)
					time.Sleep(time.Millisecond)
				}
			}()
			synctest.Wait()
			begun := time.Now()
			if !n.gather(t.Context()) {
				t.Fatal("there are changes")
			}
			waited := time.Since(begun)
			n.table.mu.Lock()
			_, _, changes := n.table.pending()
			n.table.mu.Unlock()
			if waited > 50*time.Millisecond || changes < 40 {
				t.Errorf("waited %s for %d changes", waited, changes)
			}
			time.Sleep(time.Second)
		})
	})
	t.Run("a Target", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, o := lingering(t, 10)
			for i := range 10 {
				n.offerRoute(o, i)
			}
			n.table.swap(n.table.target)
			begun := time.Now()
			if !n.gather(t.Context()) || time.Since(begun) != 0 {
				t.Errorf("waited %s", time.Since(begun))
			}
		})
	})
	t.Run("nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n, _ := lingering(t, 10)
			if begun := time.Now(); n.gather(t.Context()) || time.Since(begun) != 0 {
				t.Errorf("there is nothing to send, and it waited %s", time.Since(begun))
			}
		})
	})
}
