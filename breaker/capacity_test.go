package breaker

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func path(name string, load, capacity float64) Path { return Path{name, load, true, capacity} }

func TestEstimate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		left  []Path
		moved float64
		load  int
		says  string
	}{
		{"one is left", []Path{path("ams", 40e9, 100e9)}, 30e9, 700, "ams from 40 Gbit/s to 70 Gbit/s of 100 Gbit/s"},
		{"as today's traffic is shared out", []Path{path("ams", 60e9, 100e9), path("fra", 20e9, 100e9)}, 40e9, 900, "ams from 60 Gbit/s to 90 Gbit/s"},
		{"the fullest, not the biggest", []Path{path("ams", 60e9, 100e9), path("fra", 8e9, 10e9)}, 6.8e9, 880, "fra from 8 Gbit/s to 8.8 Gbit/s of 10 Gbit/s"},
		{"nothing carried yet", []Path{path("ams", 0, 30e9), path("fra", 0, 10e9)}, 20e9, 500, "ams"},
		{"over itself already", []Path{path("ams", 120e9, 100e9)}, 0, 1200, "ams"},
		{"nothing at all", []Path{path("ams", 0, 100e9)}, 0, 1, "0 %"},
		{"no figure", []Path{path("ams", 1, 100e9), {Name: "fra", Capacity: 1}}, 1, 0, "load not known: nobody says what fra carries now"},
		{"no capacity", []Path{path("ams", 1, 0)}, 1, 0, "load not known: the capacity of ams is not configured"},
		{"no path", nil, 1, 0, "no other path"},
	} {
		got := Estimate(tt.left, tt.moved)
		if got.Load != tt.load || !strings.Contains(got.String(), tt.says) {
			t.Errorf("%s: %d, %q; want %d, %q", tt.name, got.Load, got, tt.load, tt.says)
		}
	}
}

// What is moved arrives: the loads estimated add up to what was carried, and
// more traffic never makes a path emptier.
func TestEstimateLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := rapid.Float64Range(0, 1e12)
		paths := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Path {
			return path("p", load.Draw(t, "load"), rapid.Float64Range(1e6, 1e12).Draw(t, "capacity"))
		}), 1, 6).Draw(t, "left")
		moved := load.Draw(t, "moved")
		before, after := Estimate(paths, 0), Estimate(paths, moved)
		if after.Load < before.Load {
			t.Fatalf("%s before, %s after", before, after)
		}
		var carried, room float64
		for _, p := range paths {
			carried, room = carried+p.Load, room+p.Capacity
		}
		if mean := 1000 * (carried + moved) / room; float64(after.Load) < math.Floor(mean)-1 {
			t.Fatalf("the fullest is at %d, all of them together at %.1f", after.Load, mean)
		}
	})
}

func TestLastPathAndCapacity(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	p := h.net.customers[0]
	at80, at81 := Strain{Load: 800, Where: "ams"}, Strain{Load: 801, Where: "ams from 40 to 80.1 of 100"}
	for _, tt := range []struct {
		r    Remaining
		rule string
	}{
		{Remaining{Prefix: p.Prefix, Paths: 1}, "breaker.last-path"},
		{Remaining{Prefix: p.Prefix}, "breaker.last-path"},
		{Remaining{}, "breaker.last-path"},
		{Remaining{Prefix: p.Prefix, Paths: 2, Strain: at81}, "breaker.capacity"},
		{Remaining{Prefix: p.Prefix, Paths: 2, Strain: at80}, ""},
		{Remaining{Prefix: p.Prefix, Paths: 2, Strain: Strain{Unknown: "nobody says"}}, ""},
		{Remaining{Drained: "site fra", Strain: at81}, "breaker.capacity"},
		{Remaining{Drained: "site fra", Strain: at80}, ""},
		{Remaining{Drained: "site fra", Strain: Strain{Unknown: "nobody says"}}, ""},
	} {
		d := h.propose(Proposal{Actor: operator("x"), At: at(0), Lane: Drain, Modifies: []Loss{p}, Remaining: []Remaining{tt.r}})
		if alone := h.propose(Proposal{Actor: operator("x"), At: at(0), Remaining: []Remaining{tt.r}}); alone.Verdict != d.Verdict {
			t.Errorf("%+v alone: %v, want %v", tt.r, alone.Verdict, d.Verdict)
		}
		if (tt.rule == "") != (d.Verdict == Allow) || tt.rule != "" && !slices.Contains(rules(d), tt.rule) {
			t.Errorf("%+v: %v %v, want %q", tt.r, d.Verdict, rules(d), tt.rule)
		}
		if tt.rule == "breaker.capacity" && !strings.Contains(d.Findings[0].Why, "80 %: ams from 40") {
			t.Errorf("the finding has no numbers: %s", d.Findings[0].Why)
		}
	}
	h.wantState(Global, Closed)
}

// Only an approval that names the prefix lets it go from its last path but one,
// and none lets a site go whose traffic does not fit elsewhere.
func TestApprovedLastPath(t *testing.T) {
	h := newHarness(t, feb20(), DefaultLimits())
	p, other := h.net.customers[0], h.net.customers[1]
	h.step(WasApproved{Approval{ID: "a", Prefixes: prefixes([]Loss{p}), Until: at(time.Hour), Requester: operator("x")}, at(0)})
	for _, tt := range []struct {
		name     string
		approval string
		r        Remaining
		want     Verdict
	}{
		{"named", "a", Remaining{Prefix: p.Prefix, Paths: 1}, Allow},
		{"another prefix", "a", Remaining{Prefix: other.Prefix, Paths: 1}, Refuse},
		{"an approval nobody gave", "b", Remaining{Prefix: p.Prefix, Paths: 1}, Refuse},
		{"a site", "a", Remaining{Drained: "site fra", Strain: Strain{Load: 900}}, Refuse},
	} {
		if d := h.propose(Proposal{ID: tt.name, Actor: operator("x"), At: at(0), Approval: tt.approval, Remaining: []Remaining{tt.r}}); d.Verdict != tt.want {
			t.Errorf("%s: %v %v, want %v", tt.name, d.Verdict, rules(d), tt.want)
		}
	}
}
