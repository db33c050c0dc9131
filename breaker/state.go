package breaker

import "fmt"

// State is the state of one scope. The zero value is Open: a breaker that does
// not know its state holds.
type State uint8

// States of a scope.
const (
	Open       State = iota // no loss passes but by the emergency lane
	Closed                  // losses pass within the limits
	Recovering              // reset by a person, on reduced budgets
	Locked                  // nothing passes but restores and the emergency lane
)

// strictness orders states for status: locked > open > recovering > closed.
func (s State) strictness() int {
	switch s {
	case Closed:
		return 0
	case Recovering:
		return 1
	case Locked:
		return 3
	}
	return 2 // Open, and every value that is not a state
}

// Stricter reports whether s holds back more than o.
func (s State) Stricter(o State) bool { return s.strictness() > o.strictness() }

// String names the state in lower case, as status prints it.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case Recovering:
		return "recovering"
	case Locked:
		return "locked"
	}
	return "open"
}

// MarshalText writes the state's name.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a state's name.
func (s *State) UnmarshalText(b []byte) error {
	for _, t := range []State{Open, Closed, Recovering, Locked} {
		if t.String() == string(b) {
			*s = t
			return nil
		}
	}
	return fmt.Errorf("breaker state %q: use locked, open, recovering or closed", b)
}
