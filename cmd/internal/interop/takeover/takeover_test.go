//go:build interop && linux

package takeover

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
)

// From static routes to Holdfast and back, and Holdfast lost in every manner in
// between: neither transit hears of it (invariants 3 and 13). The steps build on
// one another, because setting up the network takes most of the time.
func TestTakeOverAndDie(t *testing.T) {
	n := live(t)
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"observe and adopt", n.adopt},
		{"hand over", n.handOver},
		{"upgrade the daemon", n.upgrade},
		{"kill -9 of the daemon", n.killDaemon},
		{"SIGSTOP of the speaker for longer than the hold time", n.stopSpeaker},
		{"an edge cut off from both for longer than the hold time", n.cutEdge},
		{"the speaker's disk deleted", n.loseDisk},
		{"back to static routes", n.handBack},
		{control, n.control},
	} {
		begun := time.Now()
		step.do()
		if step.name == control {
			continue
		}
		n.still(step.name)
		t.Logf("%s: %s", step.name, time.Since(begun).Round(100*time.Millisecond))
		if t.Failed() {
			return // what follows needs it
		}
	}
}

// adopt observes, and adopts what a transit has recorded.
func (n *network) adopt() {
	n.configure(0, true)
	n.run(0, n.programs[0])
	file := filepath.Join(n.Transits[0].BIRD.Dir, "bird.mrt")
	out := n.cli("import", "--from", "mrt", "--origin", fmt.Sprint(rig.ASN), "--account", "network", "--service", "edge", "--dry-run", file)
	if want := fmt.Sprintf("adopt %d prefix(es) of 1 account(s)", len(n.all)); !strings.Contains(out, want) {
		n.t.Fatalf("import would not %s:\n%.2000s", want, out)
	}
	n.cli("import", "--from", "mrt", "--origin", fmt.Sprint(rig.ASN), "--account", "network", "--service", "edge",
		"--stage", "advertised", "--accept-risk", "unverified", "--yes", "--reason", "take over", file)
	n.Eventually(coming, func() error {
		if out := n.cli("status"); !strings.Contains(out, fmt.Sprintf("%d prefix(es) would be", len(n.all))) {
			return fmt.Errorf("status does not say what would be:\n%s", out)
		}
		return nil
	})
	for _, e := range n.Edges {
		if e.FRR == nil {
			continue
		}
		if got, err := e.FRR.Count(addressing.IPv4, n.Speakers[0].Addr4); err != nil || got != 0 {
			n.t.Errorf("observing, %s holds %d routes of ours (%v)", e.Name, got, err)
		}
	}
}

// handOver enforces, starts the second speaker, and takes the static routes
// away one edge at a time.
func (n *network) handOver() {
	n.running[0].Stop()
	n.configure(0, false)
	n.run(0, n.programs[0])
	n.full(0)
	n.configure(1, false)
	n.run(1, n.programs[0])
	n.full(1)
	for _, e := range n.Edges {
		n.setStatics(e, false)
	}
	time.Sleep(2 * time.Second) // for what should not come
}

// upgrade stops the daemon and starts its next version.
func (n *network) upgrade() {
	n.running[0].Stop()
	n.run(0, n.programs[1])
	n.full(0)
}

func (n *network) killDaemon() {
	n.running[0].Kill()
	time.Sleep(2 * time.Second)
	n.still("kill -9")
	n.run(0, n.programs[1])
	n.full(0)
}

// stopSpeaker keeps a process that answers nothing for longer than the hold
// time.
func (n *network) stopSpeaker() {
	if err := n.running[1].Signal(syscall.SIGSTOP); err != nil {
		n.t.Fatal(err)
	}
	time.Sleep(holdTime + time.Second)
	n.down(n.Edges[0], 1)
	n.still("SIGSTOP")
	if err := n.running[1].Signal(syscall.SIGCONT); err != nil {
		n.t.Fatal(err)
	}
	n.Up(1, n.running[1])
	n.full(1)
}

func (n *network) cutEdge() {
	n.cut(n.Edges[0])
	n.cut(n.Edges[1])
	time.Sleep(holdTime + 3*time.Second)
	for i := range n.running {
		n.down(n.Edges[0], i)
		n.down(n.Edges[1], i)
	}
	n.still("the cut")
	n.mend(n.Edges[0])
	n.mend(n.Edges[1])
	for i := range n.running {
		n.Up(i, n.running[i])
		n.full(i)
	}
}

// loseDisk deletes everything that the speaker has while it runs, and starts it
// again: it takes the snapshot from its feed before it lets a neighbor in.
func (n *network) loseDisk() {
	if err := os.RemoveAll(filepath.Join(n.dirs[1], "data")); err != nil {
		n.t.Fatal(err)
	}
	time.Sleep(time.Second)
	n.still("the disk was deleted")
	n.running[1].Kill()
	n.run(1, n.programs[1])
	n.full(1)
}

// handBack puts the static routes back and stops Holdfast.
func (n *network) handBack() {
	for _, e := range n.Edges {
		n.setStatics(e, true)
	}
	time.Sleep(2 * time.Second)
	for i := range n.running {
		n.running[i].Stop()
	}
	time.Sleep(2 * time.Second)
	n.held("back to static routes")
}

// control shows that a withdrawal would have been seen.
const control = "control"

func (n *network) control() {
	const extra = "192.0.2.0/24"
	edge := n.Edges[0].FRR
	say := func(verb string) {
		n.t.Helper()
		if out, err := edge.Show(fmt.Sprintf("configure terminal\nrouter bgp %d\naddress-family ipv4 unicast\n%s", rig.ASN, verb)); err != nil {
			n.t.Fatalf("%v\n%s", err, out)
		}
	}
	say("network " + extra + " route-map STATIC")
	n.Eventually(coming, func() error {
		for _, x := range n.Transits {
			if err := x.Holds([]netip.Prefix{netip.MustParsePrefix(extra)}, 1); err != nil {
				return err
			}
		}
		return nil
	})
	say("no network " + extra)
	n.Eventually(coming, func() error {
		for _, x := range n.Transits {
			if c := n.changes(x); c.withdrawn != 1 {
				return fmt.Errorf("%s has heard %d withdrawals, want 1", x.Name, c.withdrawn)
			}
		}
		return nil
	})
}

// down wants the edge's session with a speaker to be down: the hold timer was
// really over.
func (n *network) down(e *rig.Edge, speaker int) {
	n.t.Helper()
	if e.Established(fmt.Sprintf("speaker%d", speaker+1), n.Speakers[speaker]) == nil {
		n.t.Errorf("%s still speaks with speaker %d", e.Name, speaker+1)
	}
}
