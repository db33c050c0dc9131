package snapshots

import (
	"net/netip"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Down is what negative intents take down. A block takes everything inside its
// range down, the other kinds one route (addressing.NegativeIntent.Blocks).
type Down struct {
	ranges, routes map[netip.Prefix][]NegativeIntent
}

// DownBy indexes negative intents by prefix; those of sites are left out.
func DownBy(intents []NegativeIntent) Down {
	if len(intents) == 0 {
		return Down{}
	}
	d := Down{ranges: map[netip.Prefix][]NegativeIntent{}, routes: map[netip.Prefix][]NegativeIntent{}}
	for _, n := range intents {
		p, err := addressing.ParsePrefix(n.CIDR)
		switch {
		case err != nil:
		case n.Kind == addressing.IntentBlock:
			d.ranges[p] = append(d.ranges[p], n)
		default:
			d.routes[p] = append(d.routes[p], n)
		}
	}
	return d
}

// Over returns the intents that keep p down. It looks up one prefix per
// length, so its cost does not grow with the number of intents.
func (d Down) Over(p netip.Prefix) []NegativeIntent {
	if len(d.ranges) == 0 && len(d.routes) == 0 {
		return nil
	}
	out := d.routes[p]
	for bits := p.Bits(); len(d.ranges) > 0 && bits >= minBits(p); bits-- {
		if found := d.ranges[netip.PrefixFrom(p.Addr(), bits).Masked()]; len(found) > 0 {
			out = append(out[:len(out):len(out)], found...)
		}
	}
	return out
}
