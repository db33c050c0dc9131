package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
)

// survivalWanted is how long a neighbor should keep our routes without us: long
// enough for a person to notice and to come.
const survivalWanted = 24 * time.Hour

// checkSurvival says per neighbor how long its routes survive without us. Less
// than a day is a warning, unless a second speaker has the same generation on a
// session with the same neighbor.
func (d *daemon) checkSurvival(ctx context.Context, _ time.Time) []api.Diagnosis {
	neighbors, err := d.speaker.Neighbors(ctx)
	if err != nil {
		return risk("cannot be asked: "+err.Error(), "look at the daemon's log")
	}
	others, err := d.speakers.List(ctx)
	if err != nil {
		return warning("the reports of other speakers cannot be read: "+err.Error(), "look at the data directory")
	}
	return surviving(neighbors, others)
}

// surviving is checkSurvival on what was found.
func surviving(neighbors []bgp.NeighborStatus, others []api.LoneSpeaker) []api.Diagnosis {
	var short []string
	covered, up := 0, 0
	for _, n := range neighbors {
		if n.State != bgp.Established {
			continue
		}
		up++
		switch total := n.Survival.Total(); {
		case coveredBy(n.Name, others) != "":
			covered++
		case total < survivalWanted:
			short = append(short, fmt.Sprintf("%s %s", n.Name, total))
		}
	}
	slices.Sort(short)
	switch {
	case up == 0:
		return fine("no session is up: nothing would be lost with us")
	case len(short) > 0:
		return warning(fmt.Sprintf("%d of %d neighbors keep our routes for less than %s without us and have no second speaker: %s", len(short), up, survivalWanted, strings.Join(short, ", ")),
			"run a second speaker (holdfastd speak), or turn long-lived graceful restart on at the neighbor; docs/concepts/takeover.md")
	}
	return fine(fmt.Sprintf("%d of our sessions: %d have a second speaker, at the others the neighbor keeps our routes for %s or more without us", up, covered, survivalWanted))
}

// coveredBy names a speaker that has what we have on a session with the same
// neighbor, or "".
func coveredBy(neighbor string, others []api.LoneSpeaker) string {
	for _, o := range others {
		if o.Silent || o.Behind > 0 || o.Generation == 0 {
			continue
		}
		for _, n := range o.Report.Neighbors {
			if n.Name == neighbor && n.State == string(bgp.Established) && n.Advertised == n.Target {
				return o.Name
			}
		}
	}
	return ""
}
