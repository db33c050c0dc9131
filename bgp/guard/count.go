package guard

import (
	"errors"
	"net/netip"
	"sync/atomic"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// tally counts what bgp.Tally tells. Its counters may be added to from any
// goroutine.
type tally struct {
	advertised, withdrawn, heldBack, leaks, dropped, revoked [2]atomic.Uint64 // IPv4, IPv6

	updatesSent, updatesRead, refused, ups, alarms atomic.Uint64

	malformed [wire.Accept]atomic.Uint64 // by wire.Action
	downs     [len(downCauses)]atomic.Uint64
	otc       [len(otcResults)]atomic.Uint64
}

// The places of tally.downs and tally.otc.
const (
	downClosed = iota
	downHoldTimer
	downReceived
	downSent
	downRestarted
	downAlarm
	downChanged
	downStopped
)

const (
	otcAddedOut = iota
	otcAddedIn
	otcLeakIn
	otcLeakOut
)

var downCauses = [...]bgp.DownCause{bgp.DownClosed, bgp.DownHoldTimer, bgp.DownReceived, bgp.DownSent, bgp.DownRestarted, bgp.DownAlarm, bgp.DownChanged, bgp.DownStopped}

var otcResults = [...]string{bgp.OTCAddedOut, bgp.OTCAddedIn, bgp.OTCLeakIn, bgp.OTCLeakOut}

// family is the place of p's family in a pair of counters.
func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 0
	}
	return 1
}

// sent counts an event of the table.
func (t *tally) sent(e bgp.Event, otc bool) {
	n, f := uint64(len(e.Prefixes)), family(e.Prefixes[0])
	switch e.Kind {
	case bgp.Advertised:
		t.advertised[f].Add(n)
		if otc {
			t.otc[otcAddedOut].Add(n)
		}
	case bgp.Withdrawn:
		t.withdrawn[f].Add(n)
	case bgp.HeldBack:
		t.heldBack[f].Add(n)
	}
}

// down counts the end of a session and its cause.
func (t *tally) down(err error, c *connection, stopping bool) {
	var received *receivedError
	var sent *wire.Notification
	cause := downClosed
	switch {
	case c.broken:
		cause = downAlarm
	case c.why != "":
		cause = downChanged
	case stopping:
		cause = downStopped
	case c.lost:
		cause = downRestarted
	case errors.As(err, &received):
		cause = downReceived
	case errors.As(err, &sent):
		cause = downSent
		if sent.Code == wire.CodeHoldTimer {
			cause = downHoldTimer
		}
	}
	t.downs[cause].Add(1)
}

// report is the tally of a neighbor with its drift.
func (t *tally) report(d bgp.Drift) *bgp.Tally {
	out := &bgp.Tally{
		Families:    map[addressing.Family]bgp.FamilyTally{},
		UpdatesSent: t.updatesSent.Load(), UpdatesRead: t.updatesRead.Load(), Refused: t.refused.Load(),
		Ups: t.ups.Load(), Alarms: t.alarms.Load(),
		Malformed: map[string]uint64{}, Downs: map[bgp.DownCause]uint64{}, OTC: map[string]uint64{},
	}
	for i, f := range addressing.Families() {
		ft := bgp.FamilyTally{
			Advertised: t.advertised[i].Load(), Withdrawn: t.withdrawn[i].Load(), HeldBack: t.heldBack[i].Load(),
			LeakBlocked: t.leaks[i].Load(), Dropped: t.dropped[i].Load(), Revoked: t.revoked[i].Load(),
		}
		for _, p := range d.Missing {
			if family(p) == i {
				ft.Missing++
			}
		}
		for _, p := range d.Foreign {
			if family(p) == i {
				ft.Foreign++
			}
		}
		out.Families[f] = ft
	}
	for i := range t.malformed {
		out.Malformed[wire.Action(i).String()] = t.malformed[i].Load()
	}
	for i, c := range downCauses {
		out.Downs[c] = t.downs[i].Load()
	}
	for i, r := range otcResults {
		out.OTC[r] = t.otc[i].Load()
	}
	return out
}
