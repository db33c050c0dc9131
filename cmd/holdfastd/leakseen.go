package main

import (
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// leakSeen hands a leak that a router told on to the breaker: our sessions with
// the router whose policy it is are held until a person has looked. Where we
// have none there is nothing of ours to hold.
func (d *daemon) leakSeen(f station.Finding) {
	for _, n := range d.configNow().BGP.Neighbors {
		if n.Name == f.Router || n.Router == f.Router {
			d.look.Outside(gate.Sighting{Source: "bmp", Neighbor: n.Name, Prefixes: f.Examples, Why: f.String(), At: time.Now()})
		}
	}
}
