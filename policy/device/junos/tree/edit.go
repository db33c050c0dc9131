package tree

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Delete removes the node at the path with everything below it.
func (t *Tree) Delete(words []string) error {
	return t.Run(Command{Verb: "delete", Words: words})
}

// Add writes a statement; what is missing on the way is made. It reports
// whether the end is new.
func (t *Tree) Add(words []string, pos device.Pos) (n *Node, isNew bool) {
	isNew = t.Root.Find(words...) == nil
	n = t.follow(t.Root, words, pos)
	if isNew {
		t.close(n, nil, pos, false)
	}
	return n, isNew
}

// Place moves a node behind (or before) one of its siblings.
func (n *Node) Place(sibling *Node, after bool) {
	if n != sibling && n.Parent != nil && sibling.Parent == n.Parent {
		n.place(sibling, after)
	}
}

// Kind of a difference.
type Kind uint8

// Kinds of difference.
const (
	Removed Kind = iota
	Added
	Deactivated
	Activated
	Moved
)

// String writes removed, added, deactivated, activated or moved.
func (k Kind) String() string {
	return [...]string{"removed", "added", "deactivated", "activated", "moved"}[k]
}

// Difference is one statement that two trees do not share. Pos is where it is
// written: in the old text for what was removed, in the new one otherwise.
type Difference struct {
	Kind  Kind
	Words []string
	Pos   device.Pos
	Was   device.Pos // where it was before, zero for what was added
}

// Path is the statement in set form.
func (d Difference) Path() string { return join(d.Words) }

// Compare lists what became of the statements of one tree in another.
// Statements removed or added as a block are listed one by one; a change of
// order is listed for the word whose followers moved, where order matters.
func Compare(old, new *Tree, ordered func(word string) bool) []Difference {
	c := &comparison{ordered: ordered}
	c.node(old.Root, new.Root)
	return c.out
}

type comparison struct {
	out     []Difference
	ordered func(word string) bool
}

func (c *comparison) add(k Kind, n *Node, pos, was device.Pos) {
	c.out = append(c.out, Difference{Kind: k, Words: n.Words(nil), Pos: pos, Was: was})
}

func (c *comparison) node(old, new *Node) {
	if old.Inactive != new.Inactive {
		k := Deactivated
		if old.Inactive {
			k = Activated
		}
		c.add(k, new, new.Pos, old.Pos)
	}
	for _, o := range old.kids {
		if n := new.Child(o.Word); n != nil {
			c.node(o, n)
			continue
		}
		c.ends(Removed, o)
	}
	for _, n := range new.kids {
		if old.Child(n.Word) == nil {
			c.ends(Added, n)
		}
	}
	if c.ordered(new.Word) && !sameOrder(old, new) {
		c.add(Moved, new, new.Pos, old.Pos)
	}
}

// ends lists the ends below n.
func (c *comparison) ends(k Kind, n *Node) {
	if len(n.kids) == 0 {
		if k == Removed {
			c.add(k, n, n.Pos, n.Pos)
			return
		}
		c.add(k, n, n.Pos, device.Pos{})
		return
	}
	for _, x := range n.kids {
		c.ends(k, x)
	}
}

// sameOrder compares the order of the words that both have.
func sameOrder(old, new *Node) bool {
	common := func(n, other *Node) []string {
		var out []string
		for _, k := range n.kids {
			if other.Child(k.Word) != nil {
				out = append(out, k.Word)
			}
		}
		return out
	}
	return slices.Equal(common(old, new), common(new, old))
}
