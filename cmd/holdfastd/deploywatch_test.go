package main

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// The signals of five customers that drop within a minute of a deploy hold
// within ten seconds (BRK-04); four, owners' own changes, a drop much later and
// sources that are turned off do not.
func TestSignalsOpenTheBreaker(t *testing.T) {
	for _, tt := range []struct {
		name    string
		dropped int
		after   time.Duration // of the deploy
		errors  bool          // they fail instead of being gone
		by      addressing.ActorKind
		off     bool
		opens   bool
	}{
		{"five lose their traffic", 5, 20 * time.Second, false, addressing.Operator, false, true},
		{"five lose it with the deploy", 5, 0, false, addressing.Operator, false, true},
		{"the requests of five fail", 5, 20 * time.Second, true, addressing.Operator, false, true},
		{"everybody", 40, 20 * time.Second, false, addressing.Operator, false, true},
		{"four", 4, 20 * time.Second, false, addressing.Operator, false, false},
		{"five that changed their own", 5, 20 * time.Second, false, addressing.Owner, false, false},
		{"long after", 5, 61 * time.Second, false, addressing.Operator, false, false},
		{"nobody listens", 5, 20 * time.Second, false, addressing.Operator, true, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := breaker.Init(dir, noon); err != nil {
				t.Fatal(err)
			}
			b, err := breaker.OpenDir(dir, breaker.Options{At: noon})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			log := slog.New(slog.DiscardHandler)
			d := &daemon{breaker: b, log: log, health: newHealth(config.Health{Push: true}, func() bool { return tt.off }, log)}
			deployed := noon.Add(6 * time.Minute)
			dropAt := deployed.Add(tt.after)
			var change rollout.Applied
			for i := range tt.dropped {
				change.Plan.Changes = append(change.Plan.Changes, plan.Change{Account: fmt.Sprint("account-", i), By: tt.by})
			}
			for now := noon; now.Before(dropAt.Add(30 * time.Second)); now = now.Add(time.Second) {
				if now.Equal(deployed) {
					d.deploys.applied(change, now)
				}
				for i := range 40 {
					s := health.Sample{Account: fmt.Sprint("account-", i), Site: "fra", Service: "cdn", At: now, Requests: 30}
					if i < tt.dropped && !now.Before(dropAt) {
						if s.Requests = 0; tt.errors {
							s.Requests, s.Errors = 30, 30
						}
					}
					if err := d.health.Add([]health.Sample{s}); err != nil {
						t.Fatal(err)
					}
				}
				d.judgeDeploy(now)
				if b.State(now) != breaker.Open {
					continue
				}
				if !tt.opens || now.Before(dropAt) {
					t.Fatalf("opened %s after the drop", now.Sub(dropAt))
				}
				if held := now.Sub(dropAt); held > 10*time.Second {
					t.Errorf("opened only %s after the drop", held)
				}
				if e := b.Evidence(breaker.Global, now); e.Rule != "breaker.health" {
					t.Errorf("opened by %s", e.Rule)
				}
				return
			}
			if tt.opens {
				t.Error("nothing opened")
			}
		})
	}
}
