package policy

import "slices"

// RoleFunction is the function field of a role community: the large community
// ASN:RoleFunction:source says where our AS learned the route (RFC 8195 style).
// It is the RFC that defines roles.
const RoleFunction uint32 = 9234

// RoleCommunity is the mark that a route from src gets in the AS asn; src must
// be known.
func RoleCommunity(asn uint32, src Source) LargeCommunity {
	return LargeCommunity{Global: asn, Local1: RoleFunction, Local2: uint32(src)}
}

// IsRoleCommunity reports whether c is in the role function of asn, whatever
// its value: such a community from outside is forged.
func IsRoleCommunity(asn uint32, c LargeCommunity) bool {
	return c.Global == asn && c.Local1 == RoleFunction
}

// StripRoles returns cs without any role community of asn. It copies when it
// removes something and never writes to cs.
func StripRoles(asn uint32, cs []LargeCommunity) []LargeCommunity {
	forged := func(c LargeCommunity) bool { return IsRoleCommunity(asn, c) }
	if !slices.ContainsFunc(cs, forged) {
		return cs
	}
	return slices.DeleteFunc(slices.Clone(cs), forged)
}

// MarkRole returns cs with foreign copies of our role communities stripped and
// the one for src added. An unknown source gets no mark, and what has no mark
// is refused by SourceByMark.
func MarkRole(asn uint32, src Source, cs []LargeCommunity) []LargeCommunity {
	kept := StripRoles(asn, cs)
	if src == FromUnknown || int(src) >= len(sourceNames) {
		return kept
	}
	return append(kept[:len(kept):len(kept)], RoleCommunity(asn, src))
}

// SourceByMark reads the source back from a route's communities. No mark, an
// unassigned one, or marks that differ are an unknown source, which Allowed
// refuses.
func SourceByMark(asn uint32, cs []LargeCommunity) Source {
	found := FromUnknown
	for _, c := range cs {
		if !IsRoleCommunity(asn, c) {
			continue
		}
		if c.Local2 == uint32(FromUnknown) || c.Local2 >= uint32(len(sourceNames)) {
			return FromUnknown
		}
		if found != FromUnknown && found != Source(c.Local2) {
			return FromUnknown
		}
		found = Source(c.Local2)
	}
	return found
}
