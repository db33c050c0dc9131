package addressing

import (
	"net/netip"
	"time"
)

// Request travels with every mutation. Time is in it because nothing in this
// package reads a clock.
type Request struct {
	Actor     Actor
	Scope     Scope     // whose objects the actor may touch; the zero Scope finds nothing
	Reason    string    // for people; the verb if empty
	RequestID string    // of the HTTP request or the command
	At        time.Time // now, as the shell sees it
	IfMatch   int64     // version the caller has seen; 0 asks for no comparison
	Confirm   string    // answer to an earlier CodeConfirm
	Approval  string    // id of the approval that covers what the change loses
	Incident  string    // id of the incident, for the emergency lane
	Lift      []string  // ids of negative intents that this change may lift, named one by one
	// Drain is how long what the request withdraws stays, de-preferred; nil is
	// as long as the configuration says.
	Drain *time.Duration
	// ReplacedBy is the route that takes the place of what the request withdraws.
	ReplacedBy netip.Prefix
}
