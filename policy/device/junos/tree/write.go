package tree

import (
	"fmt"
	"io"
)

// WriteSet writes the configuration as set and deactivate commands, as
// "show configuration | display set" would. Inherited statements are left out.
func (t *Tree) WriteSet(w io.Writer) error {
	e := &writer{w: w}
	e.node(t.Root, "")
	return e.err
}

type writer struct {
	w   io.Writer
	err error
}

func (e *writer) line(verb, path string) {
	if e.err == nil {
		_, e.err = fmt.Fprintf(e.w, "%s%s\n", verb, path)
	}
}

func (e *writer) node(n *Node, path string) {
	written := 0
	for _, k := range n.kids {
		if k.Via != "" {
			continue
		}
		written++
		e.node(k, path+" "+quote(k.Word))
	}
	if written == 0 && n.Parent != nil {
		e.line("set", path)
	}
	if n.Inactive {
		e.line("deactivate", path)
	}
}
