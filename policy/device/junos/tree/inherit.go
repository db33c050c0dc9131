package tree

import (
	"path"
	"slices"
	"strings"
)

// Scalar says which words take one value: a value of a group gives way to one
// that is written in place.
type Scalar func(word string) bool

// Inherit expands apply-groups. Statements in place win over inherited ones,
// nearer apply-groups over farther ones, groups named first over later ones.
// Inherited members of a list come behind those in place. It returns the names
// of groups that are applied and not defined.
func (t *Tree) Inherit(scalar Scalar) (missing []Problem) {
	in := &inheritance{t: t, groups: t.Root.Get("groups"), scalar: scalar}
	if !in.wanted(t.Root) {
		return nil
	}
	in.node(t.Root, nil)
	return in.missing
}

// source is a place inside a group that mirrors the node it is applied to.
type source struct {
	group string
	at    *Node
}

type inheritance struct {
	t       *Tree
	groups  *Node
	scalar  Scalar
	missing []Problem
	made    int
}

// maxInherited bounds the nodes that groups may add.
const maxInherited = 2_000_000

func (in *inheritance) wanted(n *Node) bool {
	if n.Child("apply-groups") != nil {
		return true
	}
	for _, k := range n.kids {
		if !(n.Parent == nil && k.Word == "groups") && in.wanted(k) {
			return true
		}
	}
	return false
}

func (in *inheritance) node(n *Node, from []source) {
	from = append(in.applied(n), from...)
	for _, k := range n.Get("apply-groups-except").Active() {
		from = slices.DeleteFunc(slices.Clone(from), func(s source) bool { return s.group == k.Word })
	}
	for _, s := range from {
		in.merge(n, s)
	}
	for _, k := range n.kids {
		if n.Parent == nil && k.Word == "groups" || meta(k.Word) {
			continue
		}
		var below []source
		for _, s := range from {
			for _, g := range matching(s.at, k.Word) {
				below = append(below, source{s.group, g})
			}
		}
		in.node(k, below)
	}
}

func meta(word string) bool { return word == "apply-groups" || word == "apply-groups-except" }

// applied are the groups named at n, as seen from n.
func (in *inheritance) applied(n *Node) []source {
	var out []source
	for _, k := range n.Get("apply-groups").Active() {
		g := in.groups.Get(k.Word)
		if g == nil {
			if k.Word != "junos-defaults" && in.groups.Child(k.Word) == nil {
				in.missing = append(in.missing, Problem{Pos: k.Pos, Message: k.Word})
			}
			continue
		}
		ats := []*Node{g}
		for _, w := range n.Words(nil) {
			var next []*Node
			for _, a := range ats {
				next = append(next, matching(a, w)...)
			}
			ats = next
		}
		for _, a := range ats {
			out = append(out, source{k.Word, a})
		}
	}
	return out
}

// matching returns the active children of a group's node that stand for the
// word: the word itself, then "<pattern>" wildcards.
func matching(n *Node, word string) []*Node {
	var out []*Node
	for _, k := range n.kids {
		switch {
		case k.Inactive:
		case k.Word == word:
			out = slices.Insert(out, 0, k)
		case Wildcard(k.Word, word):
			out = append(out, k)
		}
	}
	return out
}

// Wildcard reports whether pattern is "<…>" and matches the word.
func Wildcard(pattern, word string) bool {
	inner, ok := strings.CutPrefix(pattern, "<")
	if !ok {
		return false
	}
	inner, ok = strings.CutSuffix(inner, ">")
	if !ok {
		return false
	}
	if inner == "*" || inner == "*.*" && strings.Contains(word, ".") {
		return true
	}
	// A slash in a word is no separator here.
	match, err := path.Match(strings.ReplaceAll(inner, "/", "\x01"), strings.ReplaceAll(word, "/", "\x01"))
	return err == nil && match
}

// merge adds the children of a group's node that are not there yet; what is
// below them follows when they are visited.
func (in *inheritance) merge(n *Node, s source) {
	if n.Parent != nil && in.scalar(n.Word) && len(n.kids) > 0 {
		return
	}
	for _, g := range s.at.kids {
		if strings.HasPrefix(g.Word, "<") || meta(g.Word) || g.Inactive || in.made >= maxInherited {
			continue
		}
		if k := n.Child(g.Word); k != nil {
			continue
		}
		in.made++
		k := &Node{Word: g.Word, Pos: g.Pos, End: g.End, Parent: n, Via: s.group, origin: g, seq: in.t.next(), Last: g.Last}
		n.append(k)
	}
}
