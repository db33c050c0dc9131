package drill

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Options of one run of a drill.
type Options struct {
	Dir   string               // an empty directory of the drill's own
	Small bool                 // a tenth of the size: for tests, and to see whether it works
	Say   func(string, ...any) // progress, for people; nil says nothing
}

func (o *Options) say(format string, args ...any) {
	if o.Say != nil {
		o.Say(format, args...)
	}
}

// Drill is one rehearsal. Run fails if it could not be carried out; what it
// measured, bars missed among it, is in the report.
type Drill struct {
	ID    string // as the catalogue of requirements has it, e.g. "D1"
	Title string
	Run   func(context.Context, Options) (*Report, error)
}

// All lists the drills there are, by number.
func All() []Drill {
	return []Drill{
		{ID: "D1", Title: "20 February 2026: a clean-up task that was given everything", Run: february},
		{ID: "D2", Title: "three classes of damage, and the way back", Run: restore},
		{ID: "D3", Title: "a database that is gone, wrong or full of rubbish", Run: badDatabase},
		{ID: "D4", Title: "a month of legitimate load must pass", Run: month},
		{ID: "D8", Title: "a bad change stays small", Run: badChange},
		{ID: "D9", Title: "one customer's harm stops it", Run: oneCustomer},
		{ID: "D11", Title: "poisoned snapshots, and good ones in between", Run: poison},
		{ID: "open", Title: "what must work while the breaker is open", Run: openLanes},
	}
}

// Find looks a drill up by its id, in upper or lower case.
func Find(id string) (Drill, error) {
	all := All()
	i := slices.IndexFunc(all, func(d Drill) bool { return strings.EqualFold(d.ID, id) })
	if i < 0 {
		return Drill{}, fmt.Errorf("there is no drill %q; the list has those there are", id)
	}
	return all[i], nil
}
