package config

import (
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// drainPart is how sites and neighbors are taken out of service.
type drainPart struct {
	Communities      []string `yaml:"communities"`
	LargeCommunities []string `yaml:"large_communities"`
	Wait             string   `yaml:"wait"`
	Prefixes         string   `yaml:"prefixes"`
}

const (
	defaultDrainWait = 5 * time.Minute // of sites and neighbors
	defaultLeaveWait = time.Minute     // of prefixes
)

func (j *judge) drain(field string, d drainPart) Drain {
	out := Drain{
		Wait:     j.duration(field+".wait", d.Wait, defaultDrainWait, 0, 24*time.Hour),
		Prefixes: j.duration(field+".prefixes", d.Prefixes, defaultLeaveWait, 0, addressing.MaxDrainWait),
	}
	if d.Communities == nil && d.LargeCommunities == nil {
		return out
	}
	var nobody Neighbor
	m := j.metrics(field, metrics{Communities: d.Communities, LargeCommunities: d.LargeCommunities}, &nobody)
	slices.Sort(m.Standard)
	out.Marks = &snapshots.DrainMark{Standard: slices.Compact(m.Standard), Large: m.Large}
	if len(m.Standard)+len(m.Large) == 0 {
		j.wrong(field, "names no community", "leave communities out for GRACEFUL_SHUTDOWN (RFC 8326)")
	}
	return out
}
