package main

import (
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
)

func TestSurvival(t *testing.T) {
	neighbor := func(name string, state bgp.SessionState, restart, stale time.Duration) bgp.NeighborStatus {
		return bgp.NeighborStatus{Neighbor: policy.Neighbor{Name: name}, State: state, Survival: bgp.Survival{Restart: restart, LongLived: stale}}
	}
	second := func(change func(*api.LoneSpeaker)) []api.LoneSpeaker {
		s := api.LoneSpeaker{Name: "b", Generation: 7, Report: api.SpeakerReport{Neighbors: []api.SpeakerNeighbor{{Name: "edge", State: "established", Advertised: 3, Target: 3}}}}
		change(&s)
		return []api.LoneSpeaker{s}
	}
	short := []bgp.NeighborStatus{neighbor("edge", bgp.Established, 2*time.Minute, 0)}
	for name, c := range map[string]struct {
		neighbors []bgp.NeighborStatus
		others    []api.LoneSpeaker
		warn      string
	}{
		"no session":             {[]bgp.NeighborStatus{neighbor("edge", bgp.Idle, 0, 0)}, nil, ""},
		"a day and more":         {[]bgp.NeighborStatus{neighbor("edge", bgp.Established, 2*time.Minute, 24*time.Hour)}, nil, ""},
		"minutes, alone":         {short, nil, "edge 2m0s"},
		"not at all, alone":      {[]bgp.NeighborStatus{neighbor("edge", bgp.Established, 0, 0)}, nil, "edge 0s"},
		"minutes, second":        {short, second(func(*api.LoneSpeaker) {}), ""},
		"second silent":          {short, second(func(s *api.LoneSpeaker) { s.Silent = true }), "edge 2m0s"},
		"second behind":          {short, second(func(s *api.LoneSpeaker) { s.Behind = 1 }), "edge 2m0s"},
		"second's session down":  {short, second(func(s *api.LoneSpeaker) { s.Report.Neighbors[0].State = "active" }), "edge 2m0s"},
		"second has not all yet": {short, second(func(s *api.LoneSpeaker) { s.Report.Neighbors[0].Advertised = 2 }), "edge 2m0s"},
		"second has others":      {short, second(func(s *api.LoneSpeaker) { s.Report.Neighbors[0].Name = "other" }), "edge 2m0s"},
	} {
		found := surviving(c.neighbors, c.others)
		if len(found) != 1 || (found[0].Verdict == api.DiagnosisVerdictWarning) != (c.warn != "") || !strings.Contains(found[0].Detail, c.warn) {
			t.Errorf("%s: %+v, want a warning with %q", name, found, c.warn)
		}
	}
}
