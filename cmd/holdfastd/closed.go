package main

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// retryListen is how often an address that is taken is tried again.
const retryListen = 5 * time.Second

// closedPorts are the addresses that could not be listened on, with the reason.
// The zero value has none.
type closedPorts struct {
	mu  sync.Mutex
	why []string
}

// open listens. At the very first start an address that is taken is an error;
// later it is kept as a risk and tried again until it works or ctx ends.
func (c *closedPorts) open(ctx context.Context, first bool, log *slog.Logger, listen func() error) error {
	err := listen()
	if err == nil || first {
		return err
	}
	why := err.Error()
	c.mu.Lock()
	c.why = append(c.why, why)
	c.mu.Unlock()
	log.Error("cannot listen; the wire and the admin socket go on, it is tried again", "error", why, "every", retryListen)
	go func() {
		tick := time.NewTicker(retryListen)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if listen() == nil {
				break
			}
		}
		c.mu.Lock()
		c.why = slices.DeleteFunc(c.why, func(w string) bool { return w == why })
		c.mu.Unlock()
		log.Info("listening after all", "was", why)
	}()
	return nil
}

// risks names what is not listened on.
func (c *closedPorts) risks() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []string
	for _, why := range c.why {
		out = append(out, "not_listening: "+why+" (tried again every "+retryListen.String()+")")
	}
	return out
}
