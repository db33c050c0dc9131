package policy

// Verdict is the answer of a decision. The zero value is Refuse.
type Verdict uint8

// Verdicts, safest first.
const (
	Refuse Verdict = iota // not applied
	Hold                  // kept for later or for a person
	Allow
)

// String names the verdict as reports print it.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Hold:
		return "hold"
	}
	return "refuse"
}

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }
