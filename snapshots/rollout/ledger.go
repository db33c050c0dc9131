package rollout

import (
	"net/netip"
	"sync"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// ledger remembers the admitted ChangeSets that no generation carries yet, and
// which losses they explain. Noting is quick and never waits for a build.
type ledger struct {
	mu     sync.Mutex
	seq    uint64
	sets   []entry
	losses map[route]reason
	gains  map[route]reason
	other  map[route]reason // modified or unbound, without loss
	later  chan struct{}    // closed and replaced with every note
}

type route struct {
	account string
	cidr    netip.Prefix
}

type entry struct {
	id    string
	actor addressing.Actor
	why   string
	seq   uint64
}

type reason struct {
	plan.Reason
	seq uint64
}

func newLedger() *ledger {
	return &ledger{losses: map[route]reason{}, gains: map[route]reason{}, other: map[route]reason{}, later: make(chan struct{})}
}

// note takes in a committed ChangeSet.
func (l *ledger) note(c addressing.ChangeSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	l.sets = append(l.sets, entry{c.ID, c.Actor, c.Reason, l.seq})
	for _, e := range c.Effects {
		key, why := route{e.AccountID, e.CIDR}, reason{plan.Reason{Set: c.ID, By: c.Actor.Kind, Approved: c.Approval != "", AtOnce: atOnce(c.Verb, e.Kind)}, l.seq}
		switch e.Kind {
		case addressing.Lost, addressing.Weakened:
			l.losses[key] = why
			delete(l.gains, key)
		case addressing.Gained:
			l.gains[key] = why
			delete(l.losses, key)
		case addressing.Modified, addressing.Unbound:
			l.other[key] = why
		}
	}
	close(l.later)
	l.later = make(chan struct{})
}

// carry notes who is behind what the next generation has, where that is no
// ChangeSet with effects.
func (l *ledger) carry(id string, actor addressing.Actor, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seq++
	l.sets = append(l.sets, entry{id, actor, why, l.seq})
}

// mark is the number of the last note so far.
func (l *ledger) mark() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.seq
}

// more is closed by the next note.
func (l *ledger) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.later
}

// find says what admitted a loss, or lifted what was down on purpose.
func (l *ledger) find(c plan.Change) (plan.Reason, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := l.losses
	switch {
	case c.Kind == plan.Advertise:
		from = l.gains
	case c.Kind == plan.Unbind || c.Kind == plan.Modify && !c.Loses:
		from = l.other
	}
	r, found := from[route{c.Account, c.CIDR}]
	return r.Reason, found
}

// atOnce says that an effect has a lane of its own: an emergency, or the way
// back to what was (DESIGN section 6). Undoing an announcement is a withdrawal
// like any other.
func atOnce(verb string, effect addressing.EffectKind) bool {
	switch verb {
	case addressing.VerbEmergency, addressing.VerbRestore:
		return true
	case addressing.VerbUndo:
		return effect != addressing.Lost && effect != addressing.Weakened
	}
	return false
}

// gained are the routes that waiting ChangeSets bring up.
func (l *ledger) gained() map[route]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[route]bool, len(l.gains))
	for r := range l.gains {
		out[r] = true
	}
	return out
}

// carried lists the ChangeSets that are waiting, and who made them.
func (l *ledger) carried() (ids []string, actors []addressing.Actor, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range l.sets {
		ids = append(ids, e.id)
		if !seen[e.actor.Key()] {
			seen[e.actor.Key()] = true
			actors = append(actors, e.actor)
		}
		why = e.why
	}
	return ids, actors, why
}

// settle forgets what was noted up to seq: a generation carries it now. What
// waits, says waits (nil: nothing), is kept for the generation that will.
func (l *ledger) settle(seq uint64, waits func(route) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	needed := map[string]bool{}
	for _, reasons := range []map[route]reason{l.losses, l.gains, l.other} {
		for k, r := range reasons {
			switch {
			case r.seq > seq:
			case waits != nil && waits(k):
				needed[r.Set] = true
			default:
				delete(reasons, k)
			}
		}
	}
	keep := l.sets[:0]
	for _, e := range l.sets {
		if e.seq > seq || needed[e.id] {
			keep = append(keep, e)
		}
	}
	l.sets = keep
}
