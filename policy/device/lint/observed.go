package lint

import (
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// Neighbor is an AS and what it is to us.
type Neighbor struct {
	AS   uint32
	Role device.Role
}

// Neighbors are the ASes that a role is declared for by number alone: a rule
// that asks for more than the ASN speaks of sessions, not of networks.
func (d *Declaration) Neighbors() []Neighbor {
	var out []Neighbor
	for i := range d.Roles {
		r := &d.Roles[i]
		if r.Group != "" || r.Description != "" || len(r.Neighbors) > 0 {
			continue
		}
		for _, asn := range r.ASNs {
			out = append(out, Neighbor{AS: asn, Role: r.role})
		}
	}
	return out
}

// Space is our own address space, as it is declared.
func (d *Declaration) Space() []netip.Prefix { return slices.Clone(d.own) }
