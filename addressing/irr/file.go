package irr

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

// maxFile bounds a file; RIPE's route objects take some 250 MB.
const maxFile = 2 << 30

// Table is the objects of a file. It does not change once read.
type Table struct{ objects map[netip.Prefix][]Object }

var _ Source = (*Table)(nil)

// ReadTable reads an RPSL file. One without a route object is an error: it
// would turn every authorisation missing.
func ReadTable(r io.Reader) (*Table, error) {
	t := &Table{objects: map[netip.Prefix][]Object{}}
	limited := &io.LimitedReader{R: r, N: maxFile}
	err := Read(limited, func(o Object) { t.objects[o.Prefix] = append(t.objects[o.Prefix], o) })
	switch {
	case err != nil:
		return nil, err
	case limited.N <= 0:
		return nil, fmt.Errorf("irr: larger than %d bytes", int64(maxFile))
	case len(t.objects) == 0:
		return nil, errors.New("irr: not one route or route6 object: refused, because every authorisation would be missing; keep the last good data")
	}
	return t, nil
}

// Len is how many prefixes have objects.
func (t *Table) Len() int { return len(t.objects) }

// Routes implements Source.
func (t *Table) Routes(_ context.Context, p netip.Prefix) ([]Object, error) {
	return t.objects[p], nil
}
