package addressing_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

var update = flag.Bool("update", false, "write golden files")

var (
	states = []addressing.Lifecycle{"", addressing.Pending, addressing.Approved, addressing.PendingDelete, addressing.Tombstone, addressing.Purged, "nonsense"}
	events = []addressing.LifecycleEvent{addressing.EventApprove, addressing.EventDelete, addressing.EventUndelete, addressing.EventExpire,
		addressing.EventSupersede, addressing.EventPurge, "", "nonsense"}
)

// TestNext is exhaustive: every state with every event, and what is not listed
// here is refused and moves nothing.
func TestNext(t *testing.T) {
	want := map[string]addressing.Lifecycle{
		"pending approve":          addressing.Approved,
		"pending delete":           addressing.Purged,
		"approved delete":          addressing.PendingDelete,
		"pending_delete undelete":  addressing.Approved,
		"pending_delete expire":    addressing.Tombstone,
		"pending_delete supersede": addressing.Tombstone,
		"tombstone purge":          addressing.Purged,
	}
	for _, s := range states {
		for _, e := range events {
			key := fmt.Sprintf("%s %s", s, e)
			got, err := addressing.Next(s, e)
			to, legal := want[key]
			switch {
			case legal && (err != nil || got != to):
				t.Errorf("%s: %q, %v; want %q", key, got, err, to)
			case !legal && (addressing.CodeOf(err) != addressing.CodeConflict || got != s):
				t.Errorf("%s: %q, %v; want a conflict that moves nothing", key, got, err)
			}
		}
	}
}

// TestDiagram keeps the Mermaid diagram of the documentation true.
func TestDiagram(t *testing.T) {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> pending: create\n")
	for _, s := range states {
		for _, e := range events {
			if to, err := addressing.Next(s, e); err == nil {
				from, into := string(s), string(to)
				if to == addressing.Purged {
					into = "[*]"
				}
				fmt.Fprintf(&b, "    %s --> %s: %s\n", from, into, e)
			}
		}
	}
	const file = "testdata/lifecycle.mmd"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(golden) {
		t.Errorf("%s is stale, run go test ./addressing -run Diagram -update; want:\n%s", file, b.String())
	}
}
