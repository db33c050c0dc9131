package bgp

import "time"

// Survival is how long a neighbor keeps our routes without us, as the OPENs of
// its last session settled it. A neighbor may be configured to keep them for
// less than we ask for, which no message tells. The zero value is not at all.
type Survival struct {
	// Restart is the restart time (RFC 4724 section 3) that a neighbor that
	// does graceful restart waits for us.
	Restart time.Duration
	// LongLived is the stale time that follows (RFC 9494 section 4.2): the
	// routes stay as the last choice, and only where they are not handed on to
	// speakers without the capability.
	LongLived time.Duration
	// Notification says that the same holds after a NOTIFICATION or an expired
	// hold timer: both sent the N bit (RFC 8538). Without it only a lost TCP
	// connection keeps them.
	Notification bool
}

// Total is the time from the loss of the session to the loss of the routes.
func (s Survival) Total() time.Duration { return s.Restart + s.LongLived }
