package device

import "fmt"

// Verdict is the outcome for one route. The zero value is Undecided: what
// nobody decided is never clean.
type Verdict uint8

// Verdicts.
const (
	Undecided Verdict = iota // a construct that is not modelled decides
	Reject
	Accept
)

var verdictNames = [...]string{Undecided: "unknown", Reject: "reject", Accept: "accept"}

// String writes unknown, reject or accept.
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("verdict(%d)", v)
}

// MarshalText writes the same words as String.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Truth is the value of a condition in Kleene's logic. The zero value is Maybe.
type Truth uint8

// Truth values.
const (
	Maybe Truth = iota
	False
	True
)

// Is turns a bool into a Truth.
func Is(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Not is Kleene negation: Maybe stays Maybe.
func (t Truth) Not() Truth {
	switch t {
	case True:
		return False
	case False:
		return True
	}
	return Maybe
}

// String writes true, false or maybe.
func (t Truth) String() string { return [...]string{"maybe", "false", "true"}[t] }
