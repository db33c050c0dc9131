package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A port that is taken ends the first start. Later it is a risk that is named
// until the port is free, and never the end of the wire.
func TestPortThatIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var taken atomic.Bool
		taken.Store(true)
		listen := func() error {
			if taken.Load() {
				return errors.New("api.listen: address already in use")
			}
			return nil
		}
		var c closedPorts
		if err := c.open(ctx, true, slog.New(slog.DiscardHandler), listen); err == nil || len(c.risks()) != 0 {
			t.Errorf("the first start went on: %v, %q", err, c.risks())
		}
		if err := c.open(ctx, false, slog.New(slog.DiscardHandler), listen); err != nil {
			t.Fatalf("a later start ended: %v", err)
		}
		time.Sleep(3 * retryListen)
		synctest.Wait()
		if r := c.risks(); len(r) != 1 || !strings.Contains(r[0], "api.listen: address already in use") {
			t.Errorf("risks while it is taken: %q", r)
		}
		taken.Store(false)
		time.Sleep(2 * retryListen)
		synctest.Wait()
		if r := c.risks(); len(r) != 0 {
			t.Errorf("risks when it is free: %q", r)
		}
	})
}
