package gobgp

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// syntaxError is a file the daemon would not read at all.
type syntaxError struct {
	pos device.Pos
	msg string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("%s: %s", e.pos, e.msg) }

// readTOML keeps positions with the expression parser, after the decoder has
// said that the document is sound (it also refuses repeated keys and tables).
func readTOML(file string, data []byte) (*node, error) {
	at := newLines(file, data)
	var plain map[string]any
	if err := toml.Unmarshal(data, &plain); err != nil {
		pos := device.Pos{File: file, Line: 1, Col: 1}
		var decode *toml.DecodeError
		if errors.As(err, &decode) {
			pos.Line, pos.Col = decode.Position()
		}
		return nil, &syntaxError{pos, strings.TrimPrefix(err.Error(), "toml: ")}
	}
	r := tomlReader{at: at, root: &node{pos: at.pos(0), shape: mapping}}
	r.table = r.root
	r.p.Reset(data)
	for r.p.NextExpression() {
		r.expression(r.p.Expression())
	}
	if err := r.p.Error(); err != nil {
		return nil, &syntaxError{at.pos(0), err.Error()}
	}
	return r.root, nil
}

type tomlReader struct {
	p     unstable.Parser
	at    *lines
	root  *node
	table *node // where key-values go
}

func (r *tomlReader) expression(x *unstable.Node) {
	switch x.Kind {
	case unstable.Table, unstable.ArrayTable:
		r.header(x)
	case unstable.KeyValue:
		r.keyValue(r.table, x)
	}
}

// header moves to the table "[a.b]", or to a new element of "[[a.b]]". A name
// on the way that is a list means its last element.
func (r *tomlReader) header(x *unstable.Node) {
	at := r.root
	for it := x.Key(); it.Next(); {
		key, pos := r.key(it.Node())
		last := it.IsLast()
		s := mapping
		if last && x.Kind == unstable.ArrayTable {
			s = list
		}
		at = at.ensure(key, pos, s)
		switch {
		case at.shape == list && last && x.Kind == unstable.ArrayTable:
			element := &node{pos: pos, shape: mapping}
			at.kids = append(at.kids, element)
			at = element
		case at.shape == list && len(at.kids) > 0:
			at = at.kids[len(at.kids)-1]
		}
	}
	r.table = at
}

func (r *tomlReader) keyValue(table *node, x *unstable.Node) {
	at := table
	for it := x.Key(); it.Next(); {
		key, pos := r.key(it.Node())
		if !it.IsLast() {
			at = at.ensure(key, pos, mapping)
			continue
		}
		v := r.value(x.Value(), pos)
		v.key, v.pos = key, pos
		at.kids = append(at.kids, v)
	}
}

func (r *tomlReader) key(x *unstable.Node) (string, device.Pos) {
	return strings.ToLower(string(x.Data)), r.at.pos(int(x.Raw.Offset))
}

func (r *tomlReader) value(x *unstable.Node, pos device.Pos) *node {
	if x.Raw.Length > 0 {
		pos = r.at.pos(int(x.Raw.Offset))
	}
	switch x.Kind {
	case unstable.Array:
		n := &node{pos: pos, shape: list}
		for it := x.Children(); it.Next(); {
			n.kids = append(n.kids, r.value(it.Node(), pos))
		}
		return n
	case unstable.InlineTable:
		n := &node{pos: pos, shape: mapping}
		for it := x.Children(); it.Next(); {
			r.keyValue(n, it.Node())
		}
		return n
	}
	return &node{pos: pos, text: string(x.Data)}
}
