package observed

import (
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Rules of observed routes; their ids are in the catalogue of leaklint.
const (
	RuleValley    = "RL701"
	RuleTransit   = "RL702"
	RuleASPA      = "RL703"
	RulePeerlock  = "RL704"
	RuleOTC       = "RL705"
	RuleAdjacency = "RL706"
	RuleOrigin    = "RL707"
	RuleOwnPrefix = "RL708"
)

// Finding is one thing that is wrong with a route.
type Finding struct {
	Rule      string
	Also      []string // other rules that say the same of the same AS
	Leak      policy.LeakType
	Leaker    uint32   // 0 when nobody can be named
	Suspects  []uint32 // others that may have leaked instead, because a relationship is unknown
	From, To  uint32   // whom the leaker had it from and sent it to; 0 when it is not known
	FromIs    Relation // what From is to the leaker
	ToIs      Relation
	Statement string // what is wrong, in a sentence
}

// Rules writes the rule and those that say the same.
func (f *Finding) Rules() string { return strings.Join(append([]string{f.Rule}, f.Also...), ", ") }

// describe makes the sentence of a leak.
func (f *Finding) describe() {
	kind := func(r Relation, asn uint32) string {
		if r == Unknown {
			return fmt.Sprintf("AS%d", asn)
		}
		return fmt.Sprintf("its %s AS%d", r, asn)
	}
	f.Statement = fmt.Sprintf("AS%d sent to %s what it had from %s", f.Leaker, kind(f.ToIs, f.To), kind(f.FromIs, f.From))
	if f.Leak != policy.NoLeakType {
		f.Statement += fmt.Sprintf(" (%s)", f.Leak)
	}
}
