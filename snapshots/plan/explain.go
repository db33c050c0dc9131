package plan

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Reason names what admitted a loss.
type Reason struct {
	Set string // id of the ChangeSet
	By  addressing.ActorKind
}

// Explain writes onto every loss the reason that admitted it. find is asked
// once per loss that has none yet; a loss that nothing explains keeps an empty
// Set and is what Preflight refuses. It returns how many stay unexplained.
func (p *Plan) Explain(find func(account string, cidr netip.Prefix) (Reason, bool)) int {
	left := 0
	for i := range p.Changes {
		c := &p.Changes[i]
		if !c.Loses || c.Set != "" {
			continue
		}
		if r, found := find(c.Account, c.CIDR); found && r.Set != "" {
			c.Set, c.By = r.Set, r.By
		} else {
			left++
		}
	}
	return left
}

// unexplained are the losses that no admitted ChangeSet names.
func (p Plan) unexplained() []Change {
	var out []Change
	for _, c := range p.Changes {
		if c.Loses && c.Set == "" {
			out = append(out, c)
		}
	}
	return out
}
