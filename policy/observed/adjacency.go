package observed

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
)

// Adjacencies are pairs of one of our ASNs and a network that is known to stand
// next to it. The zero value has none.
type Adjacencies struct{ pairs map[[2]uint32]bool }

// Has reports whether the pair is known.
func (a *Adjacencies) Has(own, other uint32) bool { return a.pairs[[2]uint32{own, other}] }

// Add adds a pair.
func (a *Adjacencies) Add(own, other uint32) {
	if a.pairs == nil {
		a.pairs = map[[2]uint32]bool{}
	}
	a.pairs[[2]uint32{own, other}] = true
}

// Read adds the pairs of a file that Write has written.
func (a *Adjacencies) Read(src io.Reader) error {
	lines := bufio.NewScanner(src)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		fields := bytes.Fields(line)
		if len(fields) != 2 {
			return fmt.Errorf("adjacencies: line %d: %q: want our ASN and the other one", n, line)
		}
		own, err := readASN(fields[0])
		if err != nil {
			return fmt.Errorf("adjacencies: line %d: %w", n, err)
		}
		other, err := readASN(fields[1])
		if err != nil {
			return fmt.Errorf("adjacencies: line %d: %w", n, err)
		}
		a.Add(own, other)
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("adjacencies: %w", err)
	}
	return nil
}

// Write writes one pair a line, sorted.
func (a *Adjacencies) Write(w io.Writer) error {
	pairs := make([][2]uint32, 0, len(a.pairs))
	for p := range a.pairs {
		pairs = append(pairs, p)
	}
	slices.SortFunc(pairs, func(x, y [2]uint32) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	})
	for _, p := range pairs {
		if _, err := fmt.Fprintf(w, "%d %d\n", p[0], p[1]); err != nil {
			return err
		}
	}
	return nil
}
