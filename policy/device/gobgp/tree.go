package gobgp

import (
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// shape of a node.
type shape uint8

const (
	scalar shape = iota
	mapping
	list
)

// node is one value of the document with its place, whatever the file format.
// Keys are lower case, as the daemon's decoder makes them.
type node struct {
	key   string
	pos   device.Pos // of the key, or of the value in a list
	shape shape
	text  string // scalar
	kids  []*node
}

// child returns the member of a mapping; nil when there is none. Safe on nil.
func (n *node) child(path ...string) *node {
	for _, key := range path {
		if n == nil {
			return nil
		}
		var found *node
		for _, k := range n.kids {
			if n.shape == mapping && k.key == key {
				found = k
				break
			}
		}
		n = found
	}
	return n
}

// ensure returns the member of a mapping, made when missing.
func (n *node) ensure(key string, pos device.Pos, s shape) *node {
	if k := n.child(key); k != nil {
		return k
	}
	k := &node{key: key, pos: pos, shape: s}
	n.kids = append(n.kids, k)
	return k
}

// str is the scalar at a path, "" when absent.
func (n *node) str(path ...string) string {
	if k := n.child(path...); k != nil && k.shape == scalar {
		return k.text
	}
	return ""
}

// items are the elements of the list at a path. A single value counts as a
// list of one, a scalar is split at commas: the daemon decodes loosely.
func (n *node) items(path ...string) []*node {
	k := n.child(path...)
	switch {
	case k == nil:
		return nil
	case k.shape == list:
		return k.kids
	case k.shape == mapping:
		return []*node{k}
	case k.text == "":
		return nil
	}
	var out []*node
	for _, s := range strings.Split(k.text, ",") {
		out = append(out, &node{pos: k.pos, text: s})
	}
	return out
}

// at is the position of the member at a path, or of n itself.
func (n *node) at(path ...string) device.Pos {
	if k := n.child(path...); k != nil {
		return k.pos
	}
	if n == nil {
		return device.Pos{}
	}
	return n.pos
}

// end is the last position inside n.
func (n *node) end() device.Pos {
	last := n.pos
	for _, k := range n.kids {
		if e := k.end(); e.Line > last.Line {
			last = e
		}
	}
	return last
}

// lines turns byte offsets into positions.
type lines struct {
	file   string
	starts []int
}

func newLines(file string, data []byte) *lines {
	l := &lines{file: file, starts: []int{0}}
	for i, c := range data {
		if c == '\n' {
			l.starts = append(l.starts, i+1)
		}
	}
	return l
}

func (l *lines) pos(offset int) device.Pos {
	lo, hi := 0, len(l.starts)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; l.starts[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return device.Pos{File: l.file, Line: lo + 1, Col: offset - l.starts[lo] + 1}
}
