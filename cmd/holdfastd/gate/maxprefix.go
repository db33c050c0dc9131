package gate

import (
	"fmt"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// room refuses a change that would make a far end hold more than the preflight
// lets through, where the person still listens. What leads back is left to the
// preflight.
func room(c addressing.ChangeSet, loads []snapshots.Load) error {
	if c.Verb == addressing.VerbRestore || c.Verb == addressing.VerbUndo {
		return nil
	}
	for _, l := range loads {
		more := 0
		for _, e := range c.Effects {
			if e.Kind == addressing.Gained && addressing.FamilyOf(e.CIDR) == l.Family && e.Sites.Has(l.Site) {
				more++
			}
		}
		if more == 0 || 100*(l.Count+more) <= plan.MaxPrefixRefuse*l.Limit {
			continue
		}
		far := "neighbor " + l.Neighbor
		if l.Transit != "" {
			far = fmt.Sprintf("transit %s behind site %s", l.Transit, l.Site)
		}
		return &addressing.Error{
			Code: addressing.CodeRefused, Op: c.Verb,
			Detail: fmt.Sprintf("%s would hold %d %s prefixes of its max-prefix %d; more than %d %% is refused (%s)", far, l.Count+more, l.Family, l.Limit, plan.MaxPrefixRefuse, plan.RuleMaxPrefix),
			Next:   "have the limit raised at the far end, then max_prefix in the configuration; or advertise less there",
		}
	}
	return nil
}
