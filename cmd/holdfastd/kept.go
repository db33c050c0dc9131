package main

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/bgp/guard"
)

// keptRoutes gives what the neighbors were told last, as the process before
// left it. Where that is not known for certain, everything may be with them.
func (d *daemon) keptRoutes() func(netip.Prefix) bool {
	all, err := guard.ReadKept(d.dir.adjRIBOut())
	told := map[netip.Prefix]bool{}
	for _, k := range all {
		if k.Damage != nil {
			err = k.Damage
		}
		for _, r := range k.Routes {
			told[r.Prefix] = true
		}
	}
	if err != nil {
		d.log.Warn("what the neighbors were told last is not known for certain: nothing is taken from them", "error", err)
		return func(netip.Prefix) bool { return true }
	}
	return func(p netip.Prefix) bool { return told[p] }
}
