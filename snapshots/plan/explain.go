package plan

import "github.com/holdfast-bgp/holdfast/addressing"

// Reason names what admitted a loss or lifted an intent.
type Reason struct {
	Set string // id of the ChangeSet
	By  addressing.ActorKind

	Approved bool // by another person, prefix by prefix: no size limit counts it
	// AtOnce says that the change has a lane of its own (DESIGN section 6):
	// restore, undo, an emergency.
	AtOnce bool
}

// Explain writes onto every change the reason that admitted it. A loss, and a
// route that comes up although it was down on purpose, must have one: what
// nothing explains keeps an empty Set and is what Preflight refuses. It returns
// how many of those stay unexplained.
func (p *Plan) Explain(find func(Change) (Reason, bool)) int {
	left := 0
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Set != "" {
			continue
		}
		if r, found := find(*c); found && r.Set != "" {
			c.Set, c.By, c.Approved, c.AtOnce = r.Set, r.By, r.Approved, r.AtOnce
		} else if p.asks(*c) {
			left++
		}
	}
	return left
}

// asks reports whether a change must be explained.
func (p *Plan) asks(c Change) bool { return c.Loses || p.lifted(c) }

// lifted reports whether a change brings up what is down on purpose, before
// its time has come.
func (p *Plan) lifted(c Change) bool {
	return c.Lifts != "" && (c.liftsUntil == 0 || c.liftsUntil > p.At.Unix())
}

// Unexplained are the changes that must be explained and are not: what to hold
// back when the rest of the plan may go on.
func (p Plan) Unexplained() []Change {
	var out []Change
	for _, c := range p.Changes {
		if p.asks(c) && c.Set == "" {
			out = append(out, c)
		}
	}
	return out
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
