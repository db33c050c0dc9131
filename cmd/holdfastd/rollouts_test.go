package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

// Machines outlive a restart by name and must be heard again before they count;
// a file that cannot be read stops nothing.
func TestEdgeMachinesOutliveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "edge.json")
	log := slog.New(slog.DiscardHandler)
	board := health.NewBoard(health.Thresholds{}, nil)
	now := time.Now()
	e := newEdge(edge.Settings{}, file, on, board, nil, log, now)
	feed, _, _, err := e.Ask("m1", "fra", now)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.Acknowledge("m1", "fra", feed.Generation, now); err != nil {
		t.Fatal(err)
	}
	later := now.Add(time.Hour)
	e = newEdge(edge.Settings{}, file, on, board, nil, log, later)
	all, newest := e.Machines()
	if len(all) != 1 || all[0].Name != "m1" || all[0].Acked != 0 || newest <= feed.Generation || e.State(all[0], later) != "live" {
		t.Errorf("%+v, newest %d after %d", all, newest, feed.Generation)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, _ := newEdge(edge.Settings{}, file, on, board, nil, log, later).Machines(); len(all) != 0 {
		t.Errorf("%+v from a damaged file", all)
	}
}

// on is a kill switch that nobody turned off.
func on() bool { return false }
