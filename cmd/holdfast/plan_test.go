package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The daemon's answer, which its own test keeps, as plan show prints it.
func TestShowPlanGolden(t *testing.T) {
	body, err := os.ReadFile(filepath.Join("..", "..", "addressing", "api", "testdata", "golden", "plan.json"))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", drawn(t, func(c *cli.Context) error { return showPlan(c, answer{body: body}) }))

	var p client.Plan
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(client.ConfigPlan{Digest: "d", Plan: p})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "configplan.txt", drawn(t, func(c *cli.Context) error { return showConfig(c, answer{body: config}) }))
}

// What waits for a rollout, or for its end, is told in its own lines.
func TestForecastNamesWhatWaits(t *testing.T) {
	var out bytes.Buffer
	w := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
	drawForecast(w, &client.PlanRollout{AtOnce: 2, Waits: map[string]int{"r7-x": 3}, Queued: 4})
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	golden(t, "waits.txt", out.String())
}

// drawn is the table that a verb prints.
func drawn(t *testing.T, verb func(*cli.Context) error) string {
	t.Helper()
	var out bytes.Buffer
	app := &cli.App{Writer: &out}
	if err := verb(cli.NewContext(app, flag.NewFlagSet("", flag.ContinueOnError), nil)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is stale, or the table is wrong:\n%s", path, got)
	}
}
