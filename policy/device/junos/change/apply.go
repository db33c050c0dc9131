package change

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// ErrEmpty is given for a change that says nothing.
var ErrEmpty = errors.New("the change is empty")

// Result is a configuration after a change.
type Result struct {
	Config  *device.Config
	Changes []Change
}

// Change is one statement the change touched. Pos is where the statement is
// written: in the base for what was removed, in the change (or the new text of
// a unified diff) for what was added.
type Change struct {
	Kind   tree.Kind
	Text   string // the statement in set form
	Pos    device.Pos
	Was    device.Pos // in the base; zero for what was added
	Policy string     // the policy-statement it is part of, "" for none
	Term   string
	Part   string // from, to or then
}

var (
	hunkLine    = regexp.MustCompile(`(?m)^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@`)
	editLine    = regexp.MustCompile(`(?m)^\[edit( .*)?\]\s*$`)
	compareLine = regexp.MustCompile(`(?m)^[-+!] `)
)

// Apply applies the change to the base. The error says what does not fit and
// where.
func Apply(base, change device.Input) (*Result, error) {
	t, changes, err := apply(base, change)
	if err != nil {
		return nil, fmt.Errorf("apply %s to %s: %w", change.Path, base.Path, err)
	}
	return &Result{Config: junos.Lower(t, base), Changes: changes}, nil
}

func apply(base, change device.Input) (*tree.Tree, []Change, error) {
	old := tree.Parse(base.Path, base.Data)
	if len(bytes.TrimSpace(change.Data)) == 0 {
		return nil, nil, ErrEmpty
	}
	t, err := changed(base, change)
	if err != nil {
		return nil, nil, err
	}
	var out []Change
	for _, d := range tree.Compare(old, t, ordered) {
		out = append(out, place(d))
	}
	return t, out, nil
}

// ordered are the words whose followers are carried out in order.
func ordered(word string) bool {
	return word == "term" || word == "then" || word == "export" || word == "import"
}

func changed(base, change device.Input) (*tree.Tree, error) {
	if hunkLine.Match(change.Data) {
		text, err := patch(base, change)
		if err != nil {
			return nil, err
		}
		return tree.Parse(base.Path, text), nil
	}
	t := tree.Parse(base.Path, base.Data)
	if editLine.Match(change.Data) && compareLine.Match(change.Data) {
		return t, compare(t, change)
	}
	return t, t.Load(change.Path, change.Data)
}

// place names the policy and term of a difference.
func place(d tree.Difference) Change {
	c := Change{Kind: d.Kind, Text: d.Path(), Pos: d.Pos, Was: d.Was}
	w := d.Words
	for i := 0; i+1 < len(w); i++ {
		if c.Policy == "" {
			if w[i] == "policy-statement" {
				c.Policy = w[i+1]
				i++
			}
			continue
		}
		if w[i] == "term" {
			c.Term = w[i+1]
			i++
		}
		if i+1 < len(w) && (w[i+1] == "from" || w[i+1] == "to" || w[i+1] == "then") {
			c.Part = w[i+1]
			break
		}
		if w[i] == "from" || w[i] == "to" || w[i] == "then" {
			c.Part = w[i]
			break
		}
	}
	return c
}
