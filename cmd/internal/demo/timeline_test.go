//go:build linux

package main

import (
	"testing"
	"time"
)

func at(seconds int) time.Time { return time.Unix(int64(1000+seconds), 0) }

var dip = timeline{{at(0), 6500}, {at(10), 6400}, {at(10), 6300}, {at(20), 6500}, {at(30), 6500}}

func TestTimelineAt(t *testing.T) {
	for seconds, want := range map[int]int{-1: 0, 0: 6500, 9: 6500, 10: 6300, 19: 6300, 20: 6500, 99: 6500} {
		if got := dip.at(at(seconds)); got != want {
			t.Errorf("at %d s: %d, want %d", seconds, got, want)
		}
	}
	if got := (timeline)(nil).at(at(0)); got != 0 {
		t.Errorf("an empty timeline holds %d", got)
	}
}

func TestTimelineExtent(t *testing.T) {
	for _, c := range []struct{ from, to, least, most int }{
		{0, 9, 6500, 6500},
		{0, 10, 6300, 6500},
		{12, 15, 6300, 6300}, // what was held when the window began counts
		{12, 25, 6300, 6500},
		{20, 99, 6500, 6500},
	} {
		if least, most := dip.extent(at(c.from), at(c.to)); least != c.least || most != c.most {
			t.Errorf("%d s to %d s: %d to %d, want %d to %d", c.from, c.to, least, most, c.least, c.most)
		}
	}
}

func TestTimelineChanges(t *testing.T) {
	if got := dip.changes(at(0), at(20)); got != 3 {
		t.Errorf("%d changes after 0 s up to 20 s, want 3", got)
	}
	if got := dip.changes(at(30), at(99)); got != 0 {
		t.Errorf("%d changes after the last one", got)
	}
}

func TestTimelineReached(t *testing.T) {
	for _, c := range []struct {
		name    string
		line    timeline
		n, from int
		since   int
		ok      bool
	}{
		{"since the end of the dip", dip, 6500, 12, 20, true},
		{"not before it was asked", dip, 6500, 25, 25, true},
		{"not the last", dip, 6300, 0, 0, false},
		{"nothing held yet", nil, 0, 0, 0, false},
	} {
		since, ok := c.line.reached(c.n, at(c.from))
		if ok != c.ok || ok && !since.Equal(at(c.since)) {
			t.Errorf("%s: %s %t, want %s %t", c.name, since, ok, at(c.since), c.ok)
		}
	}
}
