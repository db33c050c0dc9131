package main

import (
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
)

// A site is unexpectedly down when it had a session and has had none for a
// while: not one that never came up, not a blip, not one that is configured no
// more, and no longer when any session is back.
func TestSiteWatch(t *testing.T) {
	var w siteWatch
	sessions := func(states map[string]bgp.SessionState) []bgp.NeighborStatus {
		var out []bgp.NeighborStatus
		for name, s := range states {
			out = append(out, bgp.NeighborStatus{Neighbor: policy.Neighbor{Name: name, Site: name[:3]}, State: s})
		}
		return out
	}
	gone := bgp.SessionState("idle")
	all := map[string]bgp.SessionState{"ams-1": bgp.Established, "ams-2": bgp.Established, "fra-1": bgp.Established, "lon-1": gone}
	at := func(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }
	for _, step := range []struct {
		second int
		change map[string]bgp.SessionState
		want   []string
	}{
		{0, nil, nil},
		{10, map[string]bgp.SessionState{"ams-1": gone, "fra-1": gone}, nil}, // a blip so far, and a site with another session
		{19, nil, nil},
		{20, nil, []string{"fra"}},
		{30, map[string]bgp.SessionState{"ams-2": gone}, []string{"fra"}},
		{45, nil, []string{"ams", "fra"}},
		{50, map[string]bgp.SessionState{"fra-1": bgp.Established}, []string{"ams"}},
	} {
		for name, s := range step.change {
			all[name] = s
		}
		w.look(sessions(all), at(step.second))
		if got := w.downAt(at(step.second)); !slices.Equal(got, step.want) {
			t.Errorf("after %d s %v are down, want %v", step.second, got, step.want)
		}
	}
	delete(all, "ams-1")
	delete(all, "ams-2")
	w.look(sessions(all), at(60))
	if got := w.downAt(at(100)); !slices.Equal(got, []string{"fra"}) {
		t.Errorf("%v are down, want fra alone: ams is configured no more", got)
	}
}
