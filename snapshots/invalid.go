package snapshots

import (
	"fmt"
	"strings"
)

// Problem is one reason why a snapshot is refused. Rule is stable and short,
// fit for a metric's label.
type Problem struct {
	Rule    string `json:"rule"`
	Account string `json:"account,omitempty"`
	Prefix  string `json:"prefix,omitempty"`
	With    string `json:"with,omitempty"` // the other account, of two that claim the same
	Detail  string `json:"detail"`
}

// String is the problem on one line.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Rule)
	if p.Account != "" {
		fmt.Fprintf(&b, ": account %s", p.Account)
	}
	if p.Prefix != "" {
		fmt.Fprintf(&b, ": %s", p.Prefix)
	}
	fmt.Fprintf(&b, ": %s", p.Detail)
	return b.String()
}

// Invalid says why a snapshot, a part or a head is refused. It never means
// that the wire should change: the last-known-good stays.
type Invalid struct {
	Problems []Problem // at most maxProblems, in the order found
	More     int       // how many were left out
}

const maxProblems = 20

// Error lists the first problem and counts the rest.
func (e *Invalid) Error() string {
	if len(e.Problems) == 0 {
		return "snapshot is not valid"
	}
	more := ""
	if n := len(e.Problems) - 1 + e.More; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return "snapshot is not valid: " + e.Problems[0].String() + more
}

// Rule of the first problem, for a metric's label.
func (e *Invalid) Rule() string {
	if len(e.Problems) == 0 {
		return "unknown"
	}
	return e.Problems[0].Rule
}

// Refusal is the Invalid itself as an error, or nil if there is no problem.
func (e *Invalid) refusal() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

func (e *Invalid) add(rule, account, prefix, format string, args ...any) {
	e.addProblem(Problem{Rule: rule, Account: account, Prefix: prefix, Detail: fmt.Sprintf(format, args...)})
}

func (e *Invalid) addProblem(p Problem) {
	if len(e.Problems) == maxProblems {
		e.More++
		return
	}
	e.Problems = append(e.Problems, p)
}

func (e *Invalid) merge(o *Invalid) {
	for _, p := range o.Problems {
		e.addProblem(p)
	}
	e.More += o.More
}

func invalid(rule, account, prefix, detail string) error {
	return &Invalid{Problems: []Problem{{Rule: rule, Account: account, Prefix: prefix, Detail: detail}}}
}
