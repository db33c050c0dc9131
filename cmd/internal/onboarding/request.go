package onboarding

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"golang.org/x/sync/errgroup"
)

// maxAnswer bounds what is read of an answer: a list of 6,500 prefixes has
// some 5 MB.
const maxAnswer = 64 << 20

// body reads an answer of the generated client that must have the status.
func body(what string, want int, r *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if r.StatusCode != want {
		return nil, fmt.Errorf("%s: the daemon answered %d, want %d: %.300s", what, r.StatusCode, want, text)
	}
	return text, nil
}

// each runs do for every index below n, so many at a time, until one fails.
func each(ctx context.Context, n, workers int, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}
