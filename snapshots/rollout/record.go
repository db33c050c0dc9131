package rollout

import (
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Phase is where a rollout stands. The zero Phase lets nothing go on.
type Phase string

// Phases of a rollout.
const (
	Running Phase = "running" // a wave is released and not yet known to be on the wire
	Soaking Phase = "soaking" // the wave is on the wire and is being watched
	Paused  Phase = "paused"  // stopped; a person lets it go on
	Failed  Phase = "failed"  // a wave did harm: what was taken down is put back
	Aborted Phase = "aborted" // a person ended it: what was taken down is put back
	Done    Phase = "done"
)

// Ended reports whether nothing more goes out.
func (p Phase) Ended() bool { return p == Failed || p == Aborted || p == Done }

// Class is what kind of change a rollout carries.
type Class string

// Classes of change that go in waves.
const (
	Removal  Class = "removal"  // reachability, bindings or attributes of prefixes
	Neighbor Class = "neighbor" // neighbors and their export policy
	Announce Class = "announce" // more than one generation may bring up at once
)

// Rollout is one change on its way to the wire, wave by wave. It is a value:
// Step gives the next one.
type Rollout struct {
	ID     string `json:"id"`
	Class  Class  `json:"class"`
	Phase  Phase  `json:"phase"`
	From   uint64 `json:"from"` // generation that was active before its first wave
	Actor  string `json:"actor"`
	Reason string `json:"reason"`

	Waves    []plan.Wave `json:"waves"`
	Released int         `json:"released"` // waves that may be on the wire
	Applied  int         `json:"applied"`  // waves that are known to be

	CreatedAt time.Time `json:"created_at"`
	Since     time.Time `json:"since"`             // of the phase; of a soak, its start
	Why       string    `json:"why,omitempty"`     // it is paused, failed, aborted or holds
	Waiting   bool      `json:"waiting,omitempty"` // the soak is over and health has no answer yet
	// Monitor is "health", or "unmonitored" where no health source knows the
	// class: then soak alone decides.
	Monitor string `json:"monitor"`
	// Uncovered are classes of object that no canary wave has (HMD-07).
	Uncovered  []string `json:"uncovered,omitempty"`
	Overridden string   `json:"overridden,omitempty"` // who went on without that coverage
	// Log is what happened to it, oldest first.
	Log []Logged `json:"log,omitempty"`
	// Restored says that what it took down was put back, after Failed or Aborted.
	Restored bool `json:"restored,omitempty"`
}

// Logged is one event of a rollout and where it led.
type Logged struct {
	At    time.Time `json:"at"`
	Event EventKind `json:"event"`
	Phase Phase     `json:"phase"`
	Wave  int       `json:"wave"` // released
	By    string    `json:"by,omitempty"`
	Why   string    `json:"why,omitempty"`
}

// Changes is the number of changes in all waves.
func (r Rollout) Changes() int {
	n := 0
	for _, w := range r.Waves {
		n += w.Ops()
	}
	return n
}

// Items is the number of items in all waves.
func (r Rollout) Items() int {
	n := 0
	for _, w := range r.Waves {
		n += len(w.Items)
	}
	return n
}

// holds reports whether wave w, counted from 0, may not reach the wire.
func (r Rollout) holds(w int) bool {
	switch r.Phase {
	case Running, Soaking:
		return w >= r.Released
	case Paused:
		return w >= r.Applied
	case Done:
		return false
	}
	return true // failed, aborted, or a phase that nobody knows
}

// busy reports whether waves are still to come: the next rollout waits.
func (r Rollout) busy() bool { return !r.Phase.Ended() && r.Applied < len(r.Waves) }

// touched are the accounts in the waves that are on the wire.
func (r Rollout) touched() (accounts []string, all bool) {
	seen := map[string]bool{}
	for _, w := range r.Waves[:min(r.Released, len(r.Waves))] {
		for _, it := range w.Items {
			if it.Neighbor != "" {
				all = true
			} else if !seen[it.Account] {
				seen[it.Account] = true
				accounts = append(accounts, it.Account)
			}
		}
	}
	return accounts, all
}

// classOf is the class of a change by its items.
func classOf(items []plan.Item) Class {
	class := Announce
	for _, it := range items {
		switch {
		case it.Neighbor != "":
			return Neighbor
		case len(it.Losses) > 0 || len(it.Gains) == 0:
			class = Removal
		}
	}
	return class
}

// runnerKey is who stops a rollout when nobody does.
var runnerKey = addressing.Actor{Kind: addressing.System, ID: "rollout"}
