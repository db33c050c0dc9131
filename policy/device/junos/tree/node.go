package tree

import (
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Node is one word of the configuration below the words that lead to it.
type Node struct {
	Word     string
	Pos      device.Pos // where it was first written
	End      device.Pos // the closing brace, or the last place that added to it
	Parent   *Node      // nil for the root
	Inactive bool       // "inactive:" or deactivate
	Via      string     // the group it was inherited from
	Last     int        // when it was written last: of two scalars the later one holds

	origin *Node // the node of the group
	kids   []*Node
	index  map[string]*Node // of kids, once there are many
	seq    int              // when it was created
	mark   mark
	gone   bool
}

type mark struct {
	set, deep bool
	state     device.StatementState
	why       string
}

// indexFrom is the number of kids from which on they are indexed.
const indexFrom = 12

// Kids returns the words that follow, in order, also the inactive ones.
func (n *Node) Kids() []*Node {
	if n == nil {
		return nil
	}
	return n.kids
}

// Active returns the words that follow and are not switched off.
func (n *Node) Active() []*Node {
	if n == nil {
		return nil
	}
	out := make([]*Node, 0, len(n.kids))
	for _, k := range n.kids {
		if !k.Inactive {
			out = append(out, k)
		}
	}
	return out
}

// Child returns the word, active or not; nil when it is not there.
func (n *Node) Child(word string) *Node {
	if n == nil {
		return nil
	}
	if n.index != nil {
		return n.index[word]
	}
	for _, k := range n.kids {
		if k.Word == word {
			return k
		}
	}
	return nil
}

// Find follows words, active or not; nil when one is missing.
func (n *Node) Find(words ...string) *Node {
	for _, w := range words {
		n = n.Child(w)
	}
	return n
}

// Get follows words that are active; nil when one is missing or switched off.
func (n *Node) Get(words ...string) *Node {
	for _, w := range words {
		if n = n.Child(w); n == nil || n.Inactive {
			return nil
		}
	}
	return n
}

// Value returns the active word written last below the path: the value of a
// scalar. Nil when there is none.
func (n *Node) Value(words ...string) *Node {
	var last *Node
	for _, k := range n.Get(words...).Kids() {
		if !k.Inactive && (last == nil || k.Last >= last.Last) {
			last = k
		}
	}
	return last
}

// Order tells which of two nodes was written first.
func (n *Node) Order() int { return n.seq }

// Text is the word, "" for nil.
func (n *Node) Text() string {
	if n == nil {
		return ""
	}
	return n.Word
}

// Leaf reports whether no word follows.
func (n *Node) Leaf() bool { return n != nil && len(n.kids) == 0 }

// Leaves returns the active ends below n (n itself when it is one), in the
// order they were first written.
func (n *Node) Leaves() []*Node {
	var out []*Node
	n.leaves(&out)
	slices.SortStableFunc(out, func(a, b *Node) int { return a.seq - b.seq })
	return out
}

func (n *Node) leaves(out *[]*Node) {
	if n == nil || n.Inactive {
		return
	}
	if len(n.kids) == 0 {
		*out = append(*out, n)
		return
	}
	for _, k := range n.kids {
		k.leaves(out)
	}
}

// Words returns the words from above (exclusive) down to n.
func (n *Node) Words(above *Node) []string {
	var out []string
	for ; n != nil && n != above && n.Parent != nil; n = n.Parent {
		out = append(out, n.Word)
	}
	slices.Reverse(out)
	return out
}

// Path is the way from the root in set form.
func (n *Node) Path() string { return join(n.Words(nil)) }

func join(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, " ")
}

// quote puts quotes around a word that would not be read as one word, or as an
// operator.
func quote(w string) string {
	wildcard := strings.HasPrefix(w, "<") && strings.HasSuffix(w, ">") && !strings.ContainsAny(w, " \t;{}\"#\\")
	odd := strings.ContainsFunc(w, func(c rune) bool { return c <= ' ' || strings.ContainsRune(`;{}[]"#\`, c) })
	if w == "" || operators[w] || strings.HasPrefix(w, "/*") || odd && !wildcard {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
	}
	return w
}

// Mark files the statement under one of the five states; of several marks the
// worst stays. A group's statement is marked with what became of it.
func (n *Node) Mark(s device.StatementState, why string) { n.marked(s, why, false) }

// Cover marks the node and everything below it that has no mark of its own.
func (n *Node) Cover(s device.StatementState, why string) { n.marked(s, why, true) }

func (n *Node) marked(s device.StatementState, why string, deep bool) {
	for ; n != nil; n = n.origin {
		if !n.mark.set || s < n.mark.state {
			n.mark.state, n.mark.why = s, why
		}
		n.mark.set, n.mark.deep = true, n.mark.deep || deep
	}
}

// State returns the mark of the node or the nearest covering one; ok is false
// when there is none.
func (n *Node) State() (s device.StatementState, why string, ok bool) {
	if n.mark.set {
		return n.mark.state, n.mark.why, true
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if p.mark.deep {
			return p.mark.state, p.mark.why, true
		}
	}
	return 0, "", false
}

// Off reports whether the node or one above it is switched off.
func (n *Node) Off() bool {
	for ; n != nil; n = n.Parent {
		if n.Inactive {
			return true
		}
	}
	return false
}

// add returns the child with the word, made when it is not there.
func (t *Tree) add(n *Node, word string, pos device.Pos) *Node {
	k := n.Child(word)
	if k == nil {
		k = &Node{Word: word, Pos: pos, Parent: n, seq: t.next()}
		n.append(k)
	}
	k.End = pos
	k.Last = t.next()
	return k
}

func (n *Node) append(k *Node) {
	n.kids = append(n.kids, k)
	switch {
	case n.index != nil:
		n.index[k.Word] = k
	case len(n.kids) >= indexFrom:
		n.index = make(map[string]*Node, 2*len(n.kids))
		for _, x := range n.kids {
			n.index[x.Word] = x
		}
	}
}

// cut removes the node from its parent.
func (n *Node) cut() {
	p := n.Parent
	p.kids = slices.DeleteFunc(p.kids, func(k *Node) bool { return k == n })
	if p.index != nil {
		delete(p.index, n.Word)
	}
	n.drop()
}

func (n *Node) drop() {
	n.gone = true
	for _, k := range n.kids {
		k.drop()
	}
}

func (t *Tree) next() int {
	t.clock++
	return t.clock
}
