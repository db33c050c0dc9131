package device

import (
	"fmt"
	"strings"
)

// Pos is a place in a source file. Lines and columns count from 1; the zero
// value means that the node was not written by anybody (a protocol default).
type Pos struct {
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
	Col  int    `json:"col,omitempty"`
}

// IsZero reports whether the position is unset.
func (p Pos) IsZero() bool { return p.Line == 0 }

// String writes file:line:col, or "default" for a node nobody wrote.
func (p Pos) String() string {
	if p.IsZero() {
		return "default"
	}
	var b strings.Builder
	b.WriteString(p.File)
	fmt.Fprintf(&b, ":%d", p.Line)
	if p.Col > 0 {
		fmt.Fprintf(&b, ":%d", p.Col)
	}
	return b.String()
}

// At is embedded in every node that has a position.
type At struct{ Pos Pos }

// Position returns where the node was written.
func (a At) Position() Pos { return a.Pos }
