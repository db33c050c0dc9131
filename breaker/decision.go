package breaker

import (
	"net/netip"
	"time"
)

// Verdict is a decision. The zero value is Refuse.
type Verdict uint8

// Verdicts, safest first.
const (
	Refuse  Verdict = iota
	Confirm         // passes when sent again with the decision's ConfirmToken
	Allow
)

// String names the verdict.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Confirm:
		return "confirm"
	}
	return "refuse"
}

// MarshalText writes the verdict's name.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// Finding is one reason of a decision.
type Finding struct {
	Rule   string `json:"rule"` // stable id, e.g. "breaker.W2"
	Scope  Scope  `json:"scope"`
	Why    string `json:"why"`
	Next   string `json:"next,omitempty"`
	Shadow bool   `json:"would_trip,omitempty"` // the rule runs in shadow: it did not decide
	Used   int    `json:"used,omitempty"`       // prefixes already charged in the window
	Asked  int    `json:"asked,omitempty"`      // prefixes the change would add
	Limit  int    `json:"limit,omitempty"`
}

// Decision answers a proposal or a plan. The zero Decision refuses.
type Decision struct {
	Verdict      Verdict        `json:"verdict"`
	State        State          `json:"state"` // strictest state among the scopes the change touches; Locked means 423
	Findings     []Finding      `json:"findings,omitempty"`
	TripID       string         `json:"trip_id,omitempty"`       // of the trip that holds it, or that it caused
	Tripped      bool           `json:"tripped,omitempty"`       // this very change opened a scope
	Holdable     bool           `json:"holdable,omitempty"`      // may wait in the hold queue and be planned afresh
	Hold         []netip.Prefix `json:"hold,omitempty"`          // losses to leave out of a plan, the rest may be planned afresh
	ConfirmToken string         `json:"confirm_token,omitempty"` // bound to the change's content
	RetryAfter   time.Duration  `json:"retry_after,omitempty"`   // when a full window has room again; 0 means not by waiting
}

// ScopeStatus is one line of `breaker status`.
type ScopeStatus struct {
	Scope
	State  State     `json:"state"`
	TripID string    `json:"trip_id"`
	Since  time.Time `json:"since"`
	Reason string    `json:"reason"`
}
