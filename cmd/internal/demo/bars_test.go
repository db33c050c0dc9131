//go:build linux

package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// good is a run that meets every bar.
func good() *outcome {
	o := &outcome{ready: time.Second}
	for _, m := range []byte{malformedQuery, trustingLoop, runawayScript, emptyTables} {
		o.replays = append(o.replays, replay{mark: m, name: string(m), before: 6500, lowest: 6500, after: 6500, restored: 6500})
	}
	for range 2 {
		for _, s := range spellings {
			o.replays[0].queries = append(o.replays[0].queries, query{path: s, status: 400})
		}
	}
	o.replays[1].told = []answered{{kind: kind{409, "conflict"}, count: 6500}}
	o.replays[2].lowest, o.replays[2].after, o.replays[2].took = 6457, 6457, time.Second
	o.replays[2].scopes = append(o.replays[2].scopes, scopeOf("actor"))
	return o
}

func missed(bars []bar) []string {
	var out []string
	for _, b := range bars {
		if !b.met {
			out = append(out, b.name)
		}
	}
	return out
}

func TestProtectedBars(t *testing.T) {
	if m := missed(good().protectedBars()); len(m) != 0 {
		t.Fatalf("a good run misses %q", m)
	}
	for name, c := range map[string]struct {
		spoil func(*outcome)
		want  []string
	}{
		"one prefix below the floor":   {func(o *outcome) { o.replays[2].lowest = 6456 }, []string{"c: never below 6,457"}},
		"one missing before":           {func(o *outcome) { o.replays[0].before = 6499 }, []string{"a: 6,500 before"}},
		"one missing after":            {func(o *outcome) { o.replays[2].restored = 6499 }, []string{"c: 6,500 after the restore"}},
		"a slow restore":               {func(o *outcome) { o.replays[2].took = 2 * time.Second }, []string{"c: restored in under 2 s"}},
		"a query that is answered":     {func(o *outcome) { o.replays[0].queries[1].status = 200 }, []string{"a: 400 for ?pending_delete="}},
		"queries that were not sent":   {func(o *outcome) { o.replays[0].queries = nil }, []string{"a: every spelling of it was tried"}},
		"a delete that went through":   {func(o *outcome) { o.replays[1].told = append(o.replays[1].told, answered{kind{status: 200}, 1, ""}) }, []string{"b: each delete is a 409"}},
		"a breaker that stayed closed": {func(o *outcome) { o.replays[2].scopes = nil }, []string{"c: the breaker opened"}},
		"an UPDATE without a request":  {func(o *outcome) { o.replays[3].heard = 1 }, []string{"d: not one UPDATE"}},
		"routes before anybody asked":  {func(o *outcome) { o.unasked = 1 }, []string{"nothing is advertised before somebody asks for it"}},
		"another table":                {func(o *outcome) { o.wrongAtEnd = "192.0.2.0/24 is missing" }, []string{"the neighbor's table is the one that was loaded, path by path"}},
		"a lost session":               {func(o *outcome) { o.sessionsLost = 1 }, []string{"the session never went down"}},
		"a slow start":                 {func(o *outcome) { o.ready = 11 * time.Second }, []string{"the daemon is ready within 10 s"}},
		"a replay left out":            {func(o *outcome) { o.replays = o.replays[:3] }, []string{"four replays"}},
	} {
		o := good()
		c.spoil(o)
		if m := missed(o.protectedBars()); !slices.Equal(m, c.want) {
			t.Errorf("%s: missed %q, want %q", name, m, c.want)
		}
	}
}

func TestLegacyBarsWantTheOutage(t *testing.T) {
	o := &outcome{replays: []replay{{before: 6500, after: 5400}, {before: 6500, after: 2194}}}
	if m := missed(o.legacyBars()); len(m) != 0 {
		t.Fatalf("the outage misses %q", m)
	}
	o.replays[0].after = 5401
	if m := missed(o.legacyBars()); !slices.Equal(m, []string{"without protections: 1,100 gone after 50 minutes"}) {
		t.Errorf("missed %q", m)
	}
	o.replays = nil
	if m := missed(o.legacyBars()); len(m) != 1 {
		t.Errorf("no replay misses %q", m)
	}
}

func TestVerdictNamesWhatWasMissed(t *testing.T) {
	var out strings.Builder
	if err := newPrinter(&out).verdict([]bar{check("first", true, "1"), check("second", false, "got %d", 7)}); err == nil {
		t.Error("a missed bar is no error")
	}
	if !strings.Contains(out.String(), "MISSED  second: got 7") || strings.Contains(out.String(), "first") {
		t.Errorf("printed %q", out.String())
	}
	if exitCode(errors.New("x"), io.Discard) != 1 || exitCode(nil, io.Discard) != 0 {
		t.Error("the exit code does not follow the verdict")
	}
}
