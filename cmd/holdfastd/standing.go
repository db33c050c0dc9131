package main

import (
	"fmt"
	"strings"
	"time"
)

// standing is what a person has to change some day: an address that is taken,
// a pinned wire and switches that are off. It is named in `status` for as long as it lasts,
// with who did it, when and why.
func (d *daemon) standing() []string {
	out := d.closed.risks()
	if pin, pinned := d.store.Pinned(); pinned {
		out = append(out, fmt.Sprintf("pinned: the wire is held at generation %d since %s by %s: %s (holdfast snapshot unpin)",
			pin.Generation, time.Unix(0, pin.At).UTC().Format(time.RFC3339), pin.Actor, pin.Reason))
	}
	if other := d.unrecorded(); len(other) > 0 {
		out = append(out, "limits_unrecorded: the active snapshot records other limits than those in force: "+strings.Join(other, ", "))
	}
	for _, k := range d.breaker.Switches() {
		if k.Off {
			out = append(out, fmt.Sprintf("kill_switch: %s is off: %s (holdfast kill-switch set %s on)", k.Name, k.Effect, k.Name))
		}
	}
	return out
}
