package main

import (
	"context"
	"time"
)

// poll asks a source at every interval until ctx ends, and an eager one at once
// as well, each time for no longer than the interval. told hears how each turned
// out, and whether the source fell silent or came back with it; it hears nothing
// of what ctx cut off.
func poll(ctx context.Context, every time.Duration, eager bool, ask func(ctx context.Context, at time.Time) error, told func(err error, turned bool)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	silent := false
	once := func(at time.Time) {
		bounded, cancel := context.WithTimeout(ctx, every)
		defer cancel()
		err := ask(bounded, at)
		if ctx.Err() != nil {
			return
		}
		turned := (err != nil) != silent
		silent = err != nil
		told(err, turned)
	}
	if eager {
		once(time.Now())
	}
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			once(at)
		}
	}
}
