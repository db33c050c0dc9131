package guard

import (
	"errors"
	"fmt"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// Each end of a session is counted under one cause, the one that began it.
func TestDownCauses(t *testing.T) {
	notification := &wire.Notification{Code: wire.CodeUpdate, Subcode: wire.SubMalformedAttributes}
	for _, c := range []struct {
		name     string
		err      error
		c        connection
		stopping bool
		want     bgp.DownCause
	}{
		{"TCP ended", errors.New("EOF"), connection{}, false, bgp.DownClosed},
		{"hold timer", expired(&wire.Notification{Code: wire.CodeHoldTimer}), connection{}, false, bgp.DownHoldTimer},
		{"they broke a rule", fmt.Errorf("read: %w", notification), connection{}, false, bgp.DownSent},
		{"they said so", &receivedError{*notification}, connection{}, false, bgp.DownReceived},
		{"they restarted", errors.New("closed"), connection{lost: true}, false, bgp.DownRestarted},
		{"our own side", errors.New("closed"), connection{why: "x", broken: true}, false, bgp.DownAlarm},
		{"removed", errors.New("closed"), connection{why: "x"}, true, bgp.DownChanged},
		{"we stop", errors.New("closed"), connection{}, true, bgp.DownStopped},
	} {
		var count tally
		count.down(c.err, &c.c, c.stopping)
		for cause, n := range count.report(bgp.Drift{}).Downs {
			if (n == 1) != (cause == c.want) {
				t.Errorf("%s: %s counted %d, want %s", c.name, cause, n, c.want)
			}
		}
	}
	if len(bgp.DownCauses()) != len(downCauses) || len(bgp.OTCResults()) != len(otcResults) {
		t.Error("a list of names is not whole")
	}
}
