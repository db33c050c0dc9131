package sqlite

import (
	"context"
	"errors"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Options of Open.
type Options struct {
	Path        string // file; its directory must exist
	Environment string // stamped at creation and compared ever after
	Create      bool   // make the file if it is missing; never over a lost database
}

// Open opens the database and brings its schema up to date. A missing file
// without Create, another environment, a newer schema or an unsound file is an
// *addressing.Error with CodeUnavailable that says what to do.
func Open(ctx context.Context, opt Options) (*Store, error) {
	return nil, errors.New("open database: not built yet")
}

// Store is desired state in one SQLite file.
type Store struct{ addressing.Store }
