package frr

import "github.com/holdfast-bgp/holdfast/policy/device"

// meaning is what a dialect makes of a list that does not exist. The zero
// value is not known.
type meaning uint8

const (
	notConfirmed meaning = iota
	matchesNothing
	matchesAll
)

// repetition is what a second condition of the same kind does to the first.
type repetition uint8

const (
	repeatUnknown repetition = iota
	repeatReplaces
	repeatAdds // either of them is enough
)

// denyJump is what "continue" does in a deny entry.
type denyJump uint8

const (
	denyJumpUnknown denyJump = iota
	denyJumpIgnored
	denyJumpGoesOn // deny unless a later entry matches
)

// traits is what differs between the dialects.
type traits struct {
	dialect device.Dialect

	flat       bool // the body of a block may stand at the indentation of its head
	dropsLines bool // a line that cannot be parsed is skipped, the rest stays

	undefinedMap  device.Verdict             // a route map that does not exist, at a neighbor
	undefinedList device.Verdict             // a list that does not exist, at a neighbor
	undefined     map[device.SetKind]meaning // a list that does not exist, in a match
	repeated      repetition                 // two conditions of one kind
	denied        denyJump
	fallOff       device.Verdict // falling off the end after a permit entry that went on; Undecided: deny as without it
	setsLate      bool           // whether later entries see the changes of earlier ones is not confirmed

	sendsCommunities bool // without send-community
	roles            bool // RFC 9234
	requiresPolicy   bool // RFC 8212
	checksPeerAS     bool // routes are not sent to the AS they came from
	baseForAll       bool // settings outside of address families hold for all of them
	blocks           bool // neighbors are blocks of lines
	keepsReflected   bool // an outbound route map does not change reflected routes
	groupWinsOut     bool // a member of a peer group cannot have outbound filters of its own
}

// dialects is the table of section 2.4 of the linter's design; the names in
// the comments are cases of the oracle.
var dialects = map[device.Dialect]*traits{
	device.FRR: {
		dialect: device.FRR, flat: true, dropsLines: true, // FRR-58
		undefinedMap:  device.Reject, // FRR-02
		undefinedList: device.Reject, // FRR-13 to FRR-15
		undefined: map[device.SetKind]meaning{ // FRR-04 to FRR-12, FRR-38
			device.PrefixSetKind: matchesNothing, device.AccessListKind: matchesNothing, device.ASPathSetKind: matchesNothing,
			device.CommunitySetKind: matchesNothing, device.LargeSetKind: matchesNothing, device.ExtSetKind: matchesNothing,
		},
		repeated: repeatReplaces, denied: denyJumpIgnored, // FRR-19, FRR-55
		sendsCommunities: true, roles: true, requiresPolicy: true, keepsReflected: true,
	},
	device.IOS: {
		dialect: device.IOS, flat: true,
		undefinedMap: device.Reject,                                                 // IOS-UNDEF-OUT-3
		undefined:    map[device.SetKind]meaning{device.AccessListKind: matchesAll}, // prefix lists are not confirmed
		repeated:     repeatAdds, fallOff: device.Accept, setsLate: true, groupWinsOut: true,
	},
	device.EOS: {
		dialect:      device.EOS,
		undefinedMap: device.Accept, // EOS-UNDEF-OUT-3
		fallOff:      device.Accept, setsLate: true, baseForAll: true,
	},
	device.NXOS: {
		dialect: device.NXOS, blocks: true,
		undefinedMap: device.Reject, // NXOS-UNDEF-OUT-3
		undefined: map[device.SetKind]meaning{
			device.PrefixSetKind: matchesAll, device.CommunitySetKind: matchesNothing, // BF-103, BF-102
		},
		repeated: repeatAdds, denied: denyJumpGoesOn, fallOff: device.Accept, setsLate: true, checksPeerAS: true, // BF-105 to BF-107
	},
}
