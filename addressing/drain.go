package addressing

import (
	"fmt"
	"time"
)

// MaxDrainWait is the longest that a route is de-preferred before it leaves.
const MaxDrainWait = 24 * time.Hour

// downAt is when a route leaves that the request turns off, nil for at once.
// sooner says of one that is on its way out that the request, in so many words,
// wants it gone before that. A withdrawal is planned unless it says otherwise;
// the emergency lane does not come this way.
func (m *mutation) downAt(b BGPPrefix, advertised bool) (down *time.Time, sooner bool) {
	draining := b.Draining(m.req.At)
	if advertised || !b.Advertised && !draining {
		return nil, false
	}
	wait := time.Duration(0)
	switch {
	case m.req.Drain != nil:
		wait = *m.req.Drain
	case draining:
		return b.DownAt, false
	case m.drain != nil:
		wait = m.drain()
	}
	if wait > 0 {
		// Whole seconds, rounded up: snapshots know no less.
		at := m.req.At.Add(wait + time.Second - 1).UTC().Truncate(time.Second)
		down = &at
	}
	return down, draining && (down == nil || down.Before(*b.DownAt))
}

// checkDrain refuses a wait that makes no sense.
func (q Request) checkDrain() error {
	if q.Drain == nil || *q.Drain >= 0 && *q.Drain <= MaxDrainWait {
		return nil
	}
	return &Error{Code: CodeInvalid, Field: "wait_seconds", Detail: fmt.Sprintf("%s is outside 0 to %s", *q.Drain, MaxDrainWait), Next: "0 withdraws at once"}
}

// onItsWayOut refuses what would pull the ground from under a route that is
// still there: withdraw, then unbind (invariant 1).
func onItsWayOut(b BGPPrefix) error {
	until := b.DownAt.Format(time.RFC3339)
	return &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("%s is withdrawn and still on its way out, until %s", b.CIDR, until), Number: 1003, Message: "prefix_is_draining",
		Next: "wait until then, or withdraw it at once: prefix withdraw --wait 0s"}
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
