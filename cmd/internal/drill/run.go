package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
)

// Carry runs a drill and completes its report.
func Carry(ctx context.Context, d Drill, o Options) (*Report, error) {
	begun := time.Now()
	r, err := d.Run(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("drill %s: %w", d.ID, err)
	}
	r.Drill, r.Title, r.Version, r.At, r.Small = d.ID, d.Title, version.String(), begun.UTC(), o.Small
	r.Seconds = time.Since(begun).Seconds()
	r.finish()
	return r, nil
}
