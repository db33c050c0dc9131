package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxSize bounds the file: a neighbor takes some 400 bytes, so this is room
// for ten thousand.
const maxSize = 4 << 20

// Problem is one thing wrong with the file.
type Problem struct {
	File         string
	Line, Column int    // 1-based; 0 when the file as a whole is meant
	Field        string // dotted, e.g. bgp.neighbors[0].asn
	Why          string
	Next         string // what to write instead; may be empty
}

// Error writes file:line:column: field: why (next).
func (p Problem) Error() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
	}
	b.WriteString(": ")
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	b.WriteString(p.Why)
	if p.Next != "" {
		b.WriteString("; " + p.Next)
	}
	return b.String()
}

// Notice is something the reader of check-config should know that is no error.
type Notice = Problem

// Load reads and judges a file. The error joins one Problem for each thing
// that is wrong. Relative paths in the file are relative to the file.
func Load(file string) (*Config, []Notice, error) {
	src, base, err := read(file)
	if err != nil {
		return nil, nil, err
	}
	return Parse(file, base, src)
}

// read gives a file and the directory that relative paths in it start from.
func read(file string) (src []byte, base string, err error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, "", fmt.Errorf("configuration %s: %w", file, err)
	}
	f, err := os.Open(absolute)
	if err != nil {
		return nil, "", fmt.Errorf("configuration: %w", err)
	}
	defer f.Close()
	if src, err = io.ReadAll(io.LimitReader(f, maxSize+1)); err != nil {
		return nil, "", fmt.Errorf("configuration %s: %w", file, err)
	}
	return src, filepath.Dir(absolute), nil
}

// Parse judges src; base is the directory that relative paths start from.
func Parse(file, base string, src []byte) (*Config, []Notice, error) {
	d, j, err := judged[document](file, base, src)
	if err != nil {
		return nil, nil, err
	}
	c := j.resolve(d)
	if len(j.problems) > 0 {
		return nil, nil, j.joined()
	}
	return c, j.notices, nil
}

// judged decodes src strictly, and gives the judge of what it says.
func judged[T any](file, base string, src []byte) (d T, j *judge, err error) {
	if len(src) > maxSize {
		return d, nil, Problem{File: file, Why: fmt.Sprintf("larger than %d bytes", maxSize)}
	}
	tree, err := parseTree(src)
	if err != nil {
		return d, nil, yamlProblem(file, err)
	}
	if p, ok := shape(file, tree); !ok {
		return d, nil, p
	}
	if d, err = decode[T](src); err != nil {
		return d, nil, yamlProblem(file, err)
	}
	return d, &judge{file: file, base: base, tree: tree}, nil
}

// parseTree and decode turn a panic of the YAML library into an error: fuzzing
// found inputs that make it dereference nil, and no file may stop the daemon.
func parseTree(src []byte) (tree *ast.File, err error) {
	defer recovered(&err)
	return parser.ParseBytes(src, 0)
}

func decode[T any](src []byte) (d T, err error) {
	defer recovered(&err)
	err = yaml.NewDecoder(bytes.NewReader(src), yaml.Strict()).Decode(&d)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return d, err
}

func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("not YAML that can be read (%v)", r)
	}
}

// shape refuses what the decoder would pass over: a second document (it reads
// the first alone), aliases and tags (they hide where a value comes from) and a document
// that is no mapping.
func shape(file string, tree *ast.File) (Problem, bool) {
	var bodies []ast.Node
	for _, doc := range tree.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		return Problem{File: file, Why: "the file is empty", Next: "write one with holdfastd init"}, false
	case len(bodies) > 1:
		at := bodies[1].GetToken().Position
		return Problem{File: file, Line: at.Line, Column: at.Column, Why: "a second YAML document", Next: "keep one document in the file"}, false
	}
	find := &aliasFinder{}
	ast.Walk(find, bodies[0])
	if find.at != nil {
		at := find.at.GetToken().Position
		return Problem{File: file, Line: at.Line, Column: at.Column, Why: "YAML anchors, aliases and tags are not taken", Next: "write the value out, or use a group"}, false
	}
	return Problem{}, true
}

type aliasFinder struct{ at ast.Node }

// Visit implements ast.Visitor.
func (f *aliasFinder) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.MergeKeyNode, *ast.TagNode:
		if f.at == nil {
			f.at = n
		}
	}
	return f
}

func yamlProblem(file string, err error) error {
	var positioned yaml.Error
	if !errors.As(err, &positioned) || positioned.GetToken() == nil {
		return Problem{File: file, Why: err.Error()}
	}
	at := positioned.GetToken().Position
	p := Problem{File: file, Line: at.Line, Column: at.Column, Why: positioned.GetMessage()}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		p.Next = "remove it or correct its spelling; docs/reference/configuration.md lists every key"
	}
	return p
}

// judge collects problems with their places in the file.
type judge struct {
	file, base string
	tree       *ast.File
	problems   []Problem
	notices    []Notice
}

// wrong records a problem at a field. Next may be empty.
func (j *judge) wrong(field, why, next string) {
	line, column := j.place(field)
	j.problems = append(j.problems, Problem{File: j.file, Line: line, Column: column, Field: field, Why: why, Next: next})
}

func (j *judge) notice(field, why string) {
	line, column := j.place(field)
	j.notices = append(j.notices, Notice{File: j.file, Line: line, Column: column, Field: field, Why: why})
}

// place finds a field, or the nearest parent that is written in the file.
func (j *judge) place(field string) (line, column int) {
	for field != "" {
		if path, err := yaml.PathString("$." + field); err == nil {
			if node, err := path.FilterFile(j.tree); err == nil && node != nil {
				at := node.GetToken().Position
				return at.Line, at.Column
			}
		}
		cut := strings.LastIndexAny(field, ".[")
		if cut < 0 {
			break
		}
		field = field[:cut]
	}
	return 1, 1
}

func (j *judge) joined() error {
	sort.SliceStable(j.problems, func(a, b int) bool { return j.problems[a].Line < j.problems[b].Line })
	all := make([]error, len(j.problems))
	for i, p := range j.problems {
		all[i] = p
	}
	return errors.Join(all...)
}
