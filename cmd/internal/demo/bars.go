//go:build linux

package main

import (
	"fmt"
	"net/http"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

// The bars. A full table before and after; never less than 1 % of the
// customers' prefixes below it; what was lost is back within two seconds.
const (
	full         = table.Prefixes
	floor        = table.Prefixes - table.CustomerPrefixes/100 // 6,457
	restoreLimit = 2 * time.Second
)

// The outage of 20 February: 22 prefixes a minute for 50 minutes.
const (
	outageRate     = 22
	outageMinutes  = 50
	outageLost     = outageRate * outageMinutes // 1,100
	withoutHolding = table.Prefixes - table.CustomerPrefixes
)

// bar is one thing that must hold.
type bar struct {
	name string
	met  bool
	got  string
}

func check(name string, met bool, format string, args ...any) bar {
	return bar{name: name, met: met, got: fmt.Sprintf(format, args...)}
}

// protectedBars judges the run with Holdfast.
func (o *outcome) protectedBars() []bar {
	bars := []bar{
		check("nothing is advertised before somebody asks for it", o.unasked == 0, "the neighbor holds %d", o.unasked),
		check("the daemon is ready within 10 s", o.ready <= readyWithin, "%s", o.ready.Round(time.Millisecond)),
		check("the neighbor's table is the one that was loaded, path by path", o.wrong == "" && o.wrongAtEnd == "",
			"%s", firstOf(o.wrong, o.wrongAtEnd, "no difference")),
		check("the session never went down", o.sessionsLost == 0, "%d times", o.sessionsLost),
		check("four replays", len(o.replays) == 4, "%d", len(o.replays)),
	}
	for _, r := range o.replays {
		bars = append(bars, r.bars()...)
	}
	return bars
}

func (r replay) bars() []bar {
	bars := []bar{
		check(r.name+": 6,500 before", r.before == full, "%d", r.before),
		check(r.name+": never below 6,457", r.lowest >= floor, "%d", r.lowest),
		check(r.name+": 6,500 after the restore", r.restored == full, "%d", r.restored),
		check(r.name+": restored in under 2 s", r.took < restoreLimit, "%s", r.took.Round(time.Millisecond)),
	}
	for _, q := range r.queries {
		bars = append(bars, check(r.name+": 400 for "+q.path, q.status == http.StatusBadRequest, "%d", q.status))
	}
	switch r.mark {
	case malformedQuery:
		bars = append(bars, check(r.name+": every spelling of it was tried", len(r.queries) >= len(spellings), "%d", len(r.queries)))
	case trustingLoop:
		n, total := r.refused(http.StatusConflict)
		bars = append(bars, check(r.name+": each delete is a 409", n == full && total == full, "%d of %d", n, total))
	case runawayScript:
		bars = append(bars, check(r.name+": the breaker opened", len(r.scopes) > 0, "%d scopes open", len(r.scopes)))
	case emptyTables:
		bars = append(bars, check(r.name+": not one UPDATE", r.heard == 0, "%d", r.heard))
	}
	return bars
}

// legacyBars says whether the outage was reproduced: a comparison with an
// outage that did not happen would prove nothing.
func (o *outcome) legacyBars() []bar {
	if len(o.replays) != 2 {
		return []bar{check("without protections: two replays", false, "%d", len(o.replays))}
	}
	slow, fast := o.replays[0], o.replays[1]
	return []bar{
		check("without protections: 6,500 before", slow.before == full && fast.before == full, "%d and %d", slow.before, fast.before),
		check("without protections: 1,100 gone after 50 minutes", slow.after == full-outageLost, "%d gone", slow.before-slow.after),
		check("without protections: all 4,306 gone", fast.after == withoutHolding, "%d gone", fast.before-fast.after),
	}
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
