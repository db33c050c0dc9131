//go:build linux

package rig

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
)

// Gap is a time in which a transit that had a path to a prefix had none.
type Gap struct {
	Prefix   netip.Prefix
	From, To time.Time // by the transit's clock, whole seconds; To is zero if it never came back
}

// Gaps replays what a transit heard and lists the times without any path, for
// every prefix that it ever had one to. Order within a second is kept.
func Gaps(updates []lab.Update) []Gap {
	held := map[netip.Prefix]map[netip.Addr]bool{}
	open := map[netip.Prefix]int{} // index in out, of gaps that are open
	var out []Gap
	for _, u := range updates {
		for _, p := range u.Withdrawn {
			if !held[p][u.Neighbor] {
				continue
			}
			delete(held[p], u.Neighbor)
			if len(held[p]) == 0 {
				open[p] = len(out)
				out = append(out, Gap{Prefix: p, From: u.At})
			}
		}
		for _, p := range u.Advertised {
			if held[p] == nil {
				held[p] = map[netip.Addr]bool{}
			}
			if i, gone := open[p]; gone {
				out[i].To = u.At
				delete(open, p)
			}
			held[p][u.Neighbor] = true
		}
	}
	return out
}

// Held is how many of a transit's neighbors offer each prefix, by what it heard.
func Held(updates []lab.Update) map[netip.Prefix]int {
	held := map[netip.Prefix][]netip.Addr{}
	for _, u := range updates {
		for _, p := range u.Withdrawn {
			held[p] = slices.DeleteFunc(held[p], func(a netip.Addr) bool { return a == u.Neighbor })
		}
		for _, p := range u.Advertised {
			if !slices.Contains(held[p], u.Neighbor) {
				held[p] = append(held[p], u.Neighbor)
			}
		}
	}
	out := make(map[netip.Prefix]int, len(held))
	for p, by := range held {
		if len(by) > 0 {
			out[p] = len(by)
		}
	}
	return out
}

// Heard is everything that a transit received.
func (x *Transit) Heard() ([]lab.Update, error) { return x.BIRD.Updates() }

// Holds is nil when the transit has a path to every prefix from so many neighbors.
func (x *Transit) Holds(prefixes []netip.Prefix, neighbors int) error {
	heard, err := x.Heard()
	if err != nil {
		return err
	}
	held := Held(heard)
	for _, p := range prefixes {
		if held[p] != neighbors {
			return fmt.Errorf("%s has %d paths to %s, want %d", x.Name, held[p], p, neighbors)
		}
	}
	return nil
}
