package gobgp

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/hostile"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// TestSignals: what a customer announces and withdraws in so many words is
// told, nothing else is, and nothing of it reaches another neighbor.
func TestSignals(t *testing.T) {
	log := new(eventLog)
	l, h := hostileLab(t, log)
	applyAndStart(t, l.guard, targetFor(l.cfg, 1, speakertest.Wants(8)))
	good := l.neighbors[speakertest.Peer]
	waitFor(t, "the good neighbor has the table", func() bool { return good.Held() == 8 })
	h.connect()
	send := func(raw ...[]byte) {
		t.Helper()
		if _, err := h.conn.Write(slices.Concat(raw...)); err != nil {
			t.Fatal(err)
		}
	}
	prefix := netip.MustParsePrefix("203.0.113.0/24")
	withdrawal, _, err := wire.Encoding{}.AppendWithdraw(nil, []netip.Prefix{prefix})
	if err != nil {
		t.Fatal(err)
	}
	announced := func() int { return log.prefixes(bgp.SignalAnnounced, "hostile") }
	withdrawn := func() int { return log.prefixes(bgp.SignalWithdrawn, "hostile") }

	send(hostile.Update(hostile.Origin, hostile.ASPath, hostile.NextHop), hostile.Update(hostile.Origin, hostile.ASPath, hostile.NextHop))
	waitFor(t, "it is signalled once", func() bool { return announced() == 1 })
	if got := l.guard.Signalled("hostile"); !slices.Equal(got, []netip.Prefix{prefix}) {
		t.Errorf("signalled are %v", got)
	}
	// RFC 7606: an UPDATE whose attributes are wrong is treated as a withdrawal
	// by the session, and is no wish of the customer.
	send(hostile.Update([]byte{0x40, 1, 1, 9}, hostile.ASPath, hostile.NextHop), withdrawal)
	waitFor(t, "the withdrawal is signalled", func() bool { return withdrawn() == 1 })
	if len(l.guard.Signalled("hostile")) != 0 {
		t.Error("it is signalled still")
	}
	send(hostile.Update(hostile.Origin, hostile.ASPath, hostile.NextHop))
	waitFor(t, "it is signalled again", func() bool { return announced() == 2 })
	h.conn.Close()
	waitFor(t, "the session is down", func() bool { return len(l.guard.Signalled("hostile")) == 0 })
	time.Sleep(50 * time.Millisecond) // nothing is expected: a late event would be the fault
	if withdrawn() != 1 {
		t.Errorf("%d withdrawals were signalled: a lost session signals nothing", withdrawn())
	}
	if got := good.Counters(); good.Held() != 8 || got.Announced != 8 || got.Removed() != 0 {
		t.Errorf("the good neighbor holds %d routes, %+v", good.Held(), got)
	}
}
