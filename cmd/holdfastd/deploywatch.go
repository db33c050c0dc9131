package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// Customers' signals after a deploy (BRK-04): so many accounts whose service
// got worse so soon after anything was applied open the breaker, whether the
// change went in waves or at once.
const (
	deployWatched = 60 * time.Second
	deployHarmed  = 5 // accounts
	deployLook    = time.Second
)

// deployWatch remembers the last deploy.
type deployWatch struct {
	mu     sync.Mutex
	at     time.Time
	what   string
	owners map[string]bool // that changed their own: what becomes of their service is their affair
	told   bool
}

// applied takes in a deploy.
func (w *deployWatch) applied(a rollout.Applied, at time.Time) {
	if a.Plan.Quiet() {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if at.Sub(w.at) > deployWatched {
		w.owners = nil
	}
	w.at, w.what, w.told = at, fmt.Sprintf("generation %d by %s", a.Head.Generation, a.Head.Actor), false
	for i := range a.Plan.Changes {
		if c := &a.Plan.Changes[i]; c.By == addressing.Owner {
			if w.owners == nil {
				w.owners = map[string]bool{}
			}
			w.owners[c.Account] = true
		}
	}
}

// harmedAfter says why the last deploy looks harmful, or "".
func (w *deployWatch) harmedAfter(harmed func(since, at time.Time) []string, now time.Time) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told || w.at.IsZero() || now.Sub(w.at) > deployWatched {
		return ""
	}
	accounts := slices.DeleteFunc(harmed(w.at, now), func(account string) bool { return w.owners[account] })
	if len(accounts) < deployHarmed {
		return ""
	}
	w.told = true
	const shown = 10
	return fmt.Sprintf("the service of %d accounts got worse within %s of a deploy (%s): %s", len(accounts), now.Sub(w.at).Round(time.Second), w.what, strings.Join(accounts[:min(shown, len(accounts))], ", "))
}

// watchDeploys opens the breaker after a deploy that does harm, until ctx ends.
func (d *daemon) watchDeploys(ctx context.Context) {
	tick := time.NewTicker(deployLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.judgeDeploy(now)
		}
	}
}

func (d *daemon) judgeDeploy(now time.Time) {
	why := d.deploys.harmedAfter(d.health.Harmed, now)
	if why == "" {
		return
	}
	by := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/health"}
	trip, err := d.breaker.TripBy("breaker.health", breaker.Global, why, by, now)
	if err != nil {
		d.log.Error("breaker could not be opened; it holds by itself", "error", err)
		return
	}
	d.log.Error("breaker opened: customers' signals", "page", true, "trip", trip, "why", why)
}
