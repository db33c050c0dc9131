package tree

import (
	"errors"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Command is one line of the configuration mode.
type Command struct {
	Pos   device.Pos
	Verb  string
	Words []string
	List  []string // the members of a list in brackets at the end; nil for none
}

// verbs change the configuration.
var verbs = map[string]bool{
	"set": true, "delete": true, "deactivate": true, "activate": true, "protect": true, "unprotect": true,
	"insert": true, "rename": true, "copy": true, "annotate": true, "edit": true, "up": true, "top": true, "exit": true,
}

// quiet commands change nothing by themselves.
var quiet = map[string]bool{"commit": true, "configure": true, "quit": true, "load": true, "rollback": true, "show": true, "run": true}

// ErrMissing is what a command gives that names a statement which is not there.
var ErrMissing = errors.New("no such statement")

// Run carries out one command.
func (t *Tree) Run(c Command) error {
	if len(c.Words) > maxWords {
		return fmt.Errorf("%s: more than %d words", c.Verb, maxWords)
	}
	switch c.Verb {
	case "set":
		n := t.follow(t.Root, c.Words, c.Pos)
		if n == t.Root {
			return errors.New("set: nothing to set")
		}
		t.close(n, c.List, c.Pos, false)
		return nil
	case "annotate", "protect", "unprotect":
		return nil
	case "delete", "deactivate", "activate":
		return t.each(c)
	case "insert":
		return t.insert(c)
	case "rename", "copy":
		return t.rename(c)
	}
	return fmt.Errorf("command %q is not known here", c.Verb)
}

// each applies a command to a node, or to the members of a list below it.
func (t *Tree) each(c Command) error {
	nodes := []*Node{t.Root.Find(c.Words...)}
	if len(c.List) > 0 {
		nodes = nil
		for _, w := range c.List {
			nodes = append(nodes, t.Root.Find(append(slices.Clip(c.Words), w)...))
		}
	}
	for _, n := range nodes {
		if n == nil || n == t.Root {
			return fmt.Errorf("%s %s: %w", c.Verb, join(append(slices.Clip(c.Words), c.List...)), ErrMissing)
		}
	}
	for _, n := range nodes {
		switch c.Verb {
		case "delete":
			n.cut()
		case "deactivate":
			n.Inactive = true
		case "activate":
			n.Inactive = false
		}
	}
	return nil
}

// insert moves a node before or behind one of its siblings.
func (t *Tree) insert(c Command) error {
	at := slices.IndexFunc(c.Words, func(w string) bool { return w == "before" || w == "after" })
	if at < 1 || at == len(c.Words)-1 {
		return errors.New("insert: want insert STATEMENT before|after STATEMENT")
	}
	n := t.Root.Find(c.Words[:at]...)
	if n == nil || n == t.Root {
		return fmt.Errorf("insert %s: %w", join(c.Words[:at]), ErrMissing)
	}
	other := n.Parent.Child(c.Words[len(c.Words)-1])
	if other == nil || other == n {
		return fmt.Errorf("insert %s: %s %s: %w", n.Path(), c.Words[at], join(c.Words[at+1:]), ErrMissing)
	}
	n.place(other, c.Words[at] == "after")
	return nil
}

// place moves n next to a sibling.
func (n *Node) place(sibling *Node, after bool) {
	p := n.Parent
	p.kids = slices.DeleteFunc(p.kids, func(k *Node) bool { return k == n })
	at := slices.Index(p.kids, sibling)
	if after {
		at++
	}
	p.kids = slices.Insert(p.kids, at, n)
}

// rename gives a node another name, or copies it under one.
func (t *Tree) rename(c Command) error {
	at := slices.Index(c.Words, "to")
	if at < 1 || at == len(c.Words)-1 {
		return fmt.Errorf("%s: want %s STATEMENT to NAME", c.Verb, c.Verb)
	}
	n := t.Root.Find(c.Words[:at]...)
	name := c.Words[len(c.Words)-1]
	if n == nil || n == t.Root {
		return fmt.Errorf("%s %s: %w", c.Verb, join(c.Words[:at]), ErrMissing)
	}
	p := n.Parent
	if p.Child(name) != nil {
		return fmt.Errorf("%s %s to %s: there is one already", c.Verb, n.Path(), name)
	}
	if c.Verb == "copy" {
		k := t.clone(n, p, c.Pos)
		k.Word = name
		p.append(k)
		return nil
	}
	if p.index != nil {
		delete(p.index, n.Word)
		p.index[name] = n
	}
	n.Word, n.Pos = name, c.Pos
	return nil
}

func (t *Tree) clone(n, parent *Node, pos device.Pos) *Node {
	k := &Node{Word: n.Word, Pos: pos, End: pos, Parent: parent, Inactive: n.Inactive, seq: t.next(), Last: t.next()}
	for _, x := range n.kids {
		k.append(t.clone(x, k, pos))
	}
	if len(k.kids) == 0 {
		t.Statements = append(t.Statements, &Statement{Pos: pos, Leaves: []*Node{k}})
	}
	return k
}
