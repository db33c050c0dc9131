package config

import (
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/policy/device/render"
)

// Side is what the router of that name, or the router of the neighbor of that
// name, has to know of us. speakers are our addresses if the configuration does
// not tell them, or if there are more speakers than one; each is used for the
// neighbors of its family.
func (c *Config) Side(name string, prefixes []netip.Prefix, speakers []netip.Addr) (render.Side, error) {
	side := render.Side{Title: fmt.Sprintf("Holdfast, environment %s: the side of %s", c.Environment, name), Prefixes: prefixes}
	if l, err := policy.ParseLargeCommunity(c.BGP.EdgeMarker); err == nil {
		side.Large = l
	} else if side.Standard, err = policy.ParseCommunity(c.BGP.EdgeMarker); err != nil {
		return side, fmt.Errorf("edge configuration: marker: %w", err)
	}
	for i := range c.BGP.Neighbors {
		n := &c.BGP.Neighbors[i]
		if n.Name != name && n.Router != name {
			continue
		}
		if n.Kind != policy.Edge {
			return side, fmt.Errorf("edge configuration: %s is no edge: it is the router of another network", n.Name)
		}
		if side.ASN != 0 && side.ASN != n.ASN {
			return side, fmt.Errorf("edge configuration: the sessions of %s are with AS%d and AS%d", name, side.ASN, n.ASN)
		}
		side.ASN = n.ASN
		side.Reflector = side.Reflector || n.Reflector
		at := c.addressesTowards(n, speakers)
		if len(at) == 0 {
			return side, fmt.Errorf("edge configuration: our address towards %s is not known: set its local_address, or give --speaker", n.Name)
		}
		for _, a := range at {
			side.Sessions = append(side.Sessions, render.Session{
				Speaker: a, Local: n.Address, ASN: n.LocalASN, Families: n.Families, Multihop: n.Multihop, HoldTime: n.HoldTime, MD5: n.MD5File != "", Passive: n.Passive,
			})
		}
	}
	if len(side.Sessions) == 0 {
		return side, fmt.Errorf("edge configuration: there is no neighbor and no router %q", name)
	}
	return side, nil
}

// addressesTowards are our addresses on sessions with n.
func (c *Config) addressesTowards(n *Neighbor, given []netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range given {
		if a.Is4() == n.Address.Is4() {
			out = append(out, a)
		}
	}
	switch {
	case len(out) > 0:
	case n.LocalAddress.IsValid():
		out = append(out, n.LocalAddress)
	default:
		for _, l := range c.BGP.Listen {
			if a := l.Addr(); a.Is4() == n.Address.Is4() && !a.IsUnspecified() {
				return []netip.Addr{a}
			}
		}
	}
	return out
}
