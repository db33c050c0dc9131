//go:build linux

package main

import (
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

// outcome is what one run, with or without the protections, came to.
type outcome struct {
	title    string
	line     timeline // what the neighbor held
	from, to time.Time
	replays  []replay

	ready        time.Duration // start of the daemon to /readyz
	unasked      int           // on the wire before anybody advertised
	wrong        string        // first difference of the neighbor's table to the one loaded, at the start
	wrongAtEnd   string        // the same at the end
	sessionsLost int
}

// replay is one way of the outage and what it did to the neighbor.
type replay struct {
	mark  byte   // in the graph
	name  string // "malformed query"
	begun time.Time

	before int // prefixes that the neighbor held before it,
	lowest int // at the worst moment until it was restored,
	after  int // and when the replay was over
	heard  int // messages that changed its table or might have, until then
	told   []answered

	queries []query               // of the malformed query
	scopes  []client.BreakerScope // that are not closed afterwards
	refusal string                // of the builder, from status

	restored int           // prefixes after the restore
	entered  time.Time     // the restoring command
	took     time.Duration // from entering it to the full table, 0 if nothing was lost
}

// query is one spelling of the malformed query and its answer.
type query struct {
	path   string
	status int
}

// lost is how many prefixes the neighbor missed at the worst moment.
func (r replay) lost() int { return r.before - r.lowest }

// refused is how many requests were refused with a status.
func (r replay) refused(status int) (n, total int) {
	for _, a := range r.told {
		total += a.count
		if a.status == status {
			n += a.count
		}
	}
	return n, total
}
