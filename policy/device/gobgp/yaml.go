package gobgp

import (
	"errors"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// readYAML reads the first document, as the daemon does.
func readYAML(file string, data []byte) (*node, error) {
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		pos := device.Pos{File: file, Line: 1, Col: 1}
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) && syntax.Token != nil {
			pos.Line, pos.Col = syntax.Token.Position.Line, syntax.Token.Position.Column
			return nil, &syntaxError{pos, syntax.Message}
		}
		return nil, &syntaxError{pos, err.Error()}
	}
	r := yamlReader{file: file, anchors: map[string]*node{}, weights: map[*node]int{}}
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		root := r.value(d.Body, 0)
		if r.weights[root] > maxNodes {
			return nil, &syntaxError{root.pos, "aliases expand to more than a million values"}
		}
		return root, nil
	}
	return &node{pos: device.Pos{File: file, Line: 1, Col: 1}, shape: mapping}, nil
}

// maxNesting bounds how deep a document may nest; the daemon's need is 8.
const maxNesting = 64

// maxNodes bounds what aliases may expand to.
const maxNodes = 1 << 20

type yamlReader struct {
	file    string
	anchors map[string]*node
	weights map[*node]int // values in the tree below, aliases expanded
}

func (r *yamlReader) pos(n ast.Node) device.Pos {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return device.Pos{File: r.file, Line: t.Position.Line, Col: t.Position.Column}
	}
	return device.Pos{File: r.file}
}

// value reads a node and weighs it.
func (r *yamlReader) value(n ast.Node, depth int) *node {
	out := r.read(n, depth)
	w := 1
	for _, k := range out.kids {
		w = min(w+r.weights[k], maxNodes+1)
	}
	r.weights[out] = w
	return out
}

func (r *yamlReader) read(n ast.Node, depth int) *node {
	out := &node{pos: r.pos(n)}
	if depth > maxNesting {
		return out
	}
	switch t := n.(type) {
	case *ast.MappingNode:
		out.shape = mapping
		for _, v := range t.Values {
			r.member(out, v, depth)
		}
	case *ast.MappingValueNode:
		out.shape = mapping
		r.member(out, t, depth)
	case *ast.SequenceNode:
		out.shape = list
		for _, v := range t.Values {
			out.kids = append(out.kids, r.value(v, depth+1))
		}
	case *ast.AnchorNode:
		out = r.value(t.Value, depth+1)
		r.anchors[t.Name.GetToken().Value] = out
	case *ast.AliasNode:
		if a := r.anchors[t.Value.GetToken().Value]; a != nil {
			c := *a
			c.pos = out.pos
			return &c
		}
	case *ast.TagNode:
		return r.value(t.Value, depth+1)
	case *ast.NullNode:
	case *ast.LiteralNode:
		out.text = t.Value.Value
	case *ast.StringNode:
		out.text = t.Value
	default:
		if tok := n.GetToken(); tok != nil {
			out.text = tok.Value
		}
	}
	return out
}

func (r *yamlReader) member(out *node, v *ast.MappingValueNode, depth int) {
	if v.Value == nil {
		return
	}
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		if from := r.value(v.Value, depth+1); from.shape == mapping {
			out.kids = append(out.kids, from.kids...)
		}
		return
	}
	k := r.value(v.Value, depth+1)
	k.key, k.pos = strings.ToLower(v.Key.GetToken().Value), r.pos(v.Key)
	out.kids = append(out.kids, k)
}
