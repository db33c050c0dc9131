package change

import (
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/junos/tree"
)

// section is what stands below one "[edit …]" line.
type section struct {
	at    []string // the place
	first int      // number of its first line
	lines []string
}

// compare applies the output of "show | compare".
func compare(t *tree.Tree, change device.Input) error {
	for _, s := range sections(string(change.Data)) {
		if err := s.apply(t, change.Path); err != nil {
			return err
		}
	}
	return nil
}

func sections(text string) []section {
	var out []section
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if editLine.MatchString(line) {
			inner := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "[edit"), "]")
			out = append(out, section{at: tree.Words(inner), first: i + 2})
			continue
		}
		if len(out) > 0 {
			s := &out[len(out)-1]
			s.lines = append(s.lines, line)
		}
	}
	return out
}

// with is the text of the lines with one of the signs; other lines are empty,
// so that positions stay.
func (s section) with(signs string) []byte {
	var b strings.Builder
	for _, line := range s.lines {
		if line != "" && strings.IndexByte(signs, line[0]) >= 0 {
			b.WriteString(" " + strings.ReplaceAll(line[1:], "{ ... }", ";"))
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func (s section) read(file, signs string) (*tree.Tree, error) {
	part := tree.ParseAt(file, s.with(signs), s.first)
	if len(part.Problems) > 0 {
		return nil, part.Problems[0]
	}
	return part, nil
}

// sign of the line a node was written on.
func (s section) sign(n *tree.Node) byte {
	i := n.Pos.Line - s.first
	if n.Parent == nil || i < 0 || i >= len(s.lines) || s.lines[i] == "" {
		return ' '
	}
	return s.lines[i][0]
}

func (s section) apply(t *tree.Tree, file string) error {
	if len(s.at) > 0 && t.Root.Find(s.at...) == nil {
		return fmt.Errorf("%s:%d: [edit %s]: %w", file, s.first-1, strings.Join(s.at, " "), tree.ErrMissing)
	}
	minus, err := s.read(file, " -")
	if err != nil {
		return err
	}
	plus, err := s.read(file, " +")
	if err != nil {
		return err
	}
	switched, err := s.read(file, "!")
	if err != nil {
		return err
	}
	if err := s.remove(t, minus); err != nil {
		return err
	}
	if err := s.add(t, plus.Root); err != nil {
		return err
	}
	s.prune(t, minus.Root)
	for _, st := range switched.Statements {
		for _, l := range st.Leaves {
			n := t.Root.Find(s.path(l)...)
			if n == nil {
				return missing(l, s.path(l))
			}
			n.Inactive = l.Inactive
			n.Pos = l.Pos
		}
	}
	return nil
}

func (s section) path(n *tree.Node) []string {
	return append(append([]string{}, s.at...), n.Words(nil)...)
}

func missing(n *tree.Node, words []string) error {
	return fmt.Errorf("%s: %s: %w", n.Pos, strings.Join(words, " "), tree.ErrMissing)
}

// remove deletes the ends with a minus sign.
func (s section) remove(t *tree.Tree, part *tree.Tree) error {
	for _, st := range part.Statements {
		for _, l := range st.Leaves {
			if s.sign(l) != '-' {
				continue
			}
			if t.Root.Find(s.path(l)...) == nil {
				return missing(l, s.path(l))
			}
			if err := t.Delete(s.path(l)); err != nil {
				return err
			}
		}
	}
	return nil
}

// prune deletes what has a minus sign and is empty now. It comes after the
// additions, so that a list which is written anew keeps its place.
func (s section) prune(t *tree.Tree, n *tree.Node) {
	for _, k := range n.Kids() {
		s.prune(t, k)
	}
	if n.Parent == nil || n.Leaf() || s.sign(n) != '-' {
		return
	}
	if at := t.Root.Find(s.path(n)...); at.Leaf() {
		_ = t.Delete(s.path(n)) // it was found just now
	}
}

// add writes what has a plus sign, next to its neighbors in the listing.
func (s section) add(t *tree.Tree, n *tree.Node) error {
	var before *tree.Node
	for i, k := range n.Kids() {
		path := s.path(k)
		if s.sign(k) == '+' {
			at, isNew := t.Add(path, k.Pos)
			if !isNew && k.Leaf() {
				return fmt.Errorf("%s: %s is there already", k.Pos, strings.Join(path, " "))
			}
			if isNew {
				s.order(t, at, before, n.Kids()[i+1:])
			}
			at.Inactive = at.Inactive || k.Inactive
		}
		if err := s.add(t, k); err != nil {
			return err
		}
		if at := t.Root.Find(path...); at != nil {
			before = at
		}
	}
	return nil
}

// order puts a new node behind the one listed above it, or before the first
// one listed below it that is there.
func (s section) order(t *tree.Tree, at, before *tree.Node, below []*tree.Node) {
	if before != nil {
		at.Place(before, true)
		return
	}
	for _, k := range below {
		if s.sign(k) != '+' {
			if next := t.Root.Find(s.path(k)...); next != nil {
				at.Place(next, false)
				return
			}
		}
	}
}
