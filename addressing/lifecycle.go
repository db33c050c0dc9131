package addressing

import "fmt"

// Lifecycle is the state of a prefix (DESIGN section 4). Whether it is bound
// and advertised are facts of their bindings and BGP prefixes.
// The zero value is no state: nothing may be done with it.
type Lifecycle string

// States of a prefix's life.
const (
	Pending       Lifecycle = "pending"
	Approved      Lifecycle = "approved"
	PendingDelete Lifecycle = "pending_delete" // grace time, can be undeleted
	Tombstone     Lifecycle = "tombstone"      // kept until every store has seen it
	Purged        Lifecycle = "purged"         // gone; never stored
)

// LifecycleEvent is what moves a prefix from one state to the next.
type LifecycleEvent string

// Events of a prefix's life.
const (
	EventApprove   LifecycleEvent = "approve"   // validation passed, or a named risk was accepted
	EventDelete    LifecycleEvent = "delete"    // withdrawn and unbound, the caller has checked
	EventUndelete  LifecycleEvent = "undelete"  // within the grace time
	EventExpire    LifecycleEvent = "expire"    // the grace time is over
	EventSupersede LifecycleEvent = "supersede" // its account created the same CIDR again
	EventPurge     LifecycleEvent = "purge"     // every store has seen the tombstone
)

// transitions is the whole state machine: what is not in it is refused.
var transitions = map[Lifecycle]map[LifecycleEvent]Lifecycle{
	Pending: {
		EventApprove: Approved,
		EventDelete:  Purged, // never validated, so nothing was ever on the wire
	},
	Approved: {
		EventDelete: PendingDelete,
	},
	PendingDelete: {
		EventUndelete:  Approved,
		EventExpire:    Tombstone,
		EventSupersede: Tombstone,
	},
	Tombstone: {
		EventPurge: Purged,
	},
}

// Next is the state that follows s on the event. An event that does not fit
// the state is an *Error with CodeConflict.
func Next(s Lifecycle, e LifecycleEvent) (Lifecycle, error) {
	if to, ok := transitions[s][e]; ok {
		return to, nil
	}
	return s, &Error{Code: CodeConflict, Field: "state", Detail: fmt.Sprintf("a prefix that is %s cannot %s", orNone(s), e),
		Next: "look at its state first"}
}

func orNone(s Lifecycle) Lifecycle {
	if s == "" {
		return "in no state"
	}
	return s
}

// Visible reports whether a prefix in this state is in lists and can be
// worked on. Pending deletions have a list of their own.
func (s Lifecycle) Visible() bool { return s == Pending || s == Approved }
