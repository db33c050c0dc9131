package breaker

import "time"

// Rung is one limit over one window: at most max(Floor, Share of the
// denominator) within Span.
type Rung struct {
	Name   string        // stable id, e.g. "W2"
	Span   time.Duration // window
	Share  int           // per mille of the denominator; 0 means Floor alone
	Floor  int           // never less than this many
	Net    bool          // what was restored in between does not count
	Shadow bool          // reports would_trip and decides nothing
}

// Limits are all limits of the breaker. The zero value means DefaultLimits.
type Limits struct {
	Ladder []Rung // distinct prefixes by everybody but owners; owners count from 24 h on
}

// DefaultLimits are the limits of requirements.md.
func DefaultLimits() Limits { return Limits{} }
