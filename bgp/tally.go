package bgp

import "github.com/holdfast-bgp/holdfast/addressing"

// Tally is what was counted at one neighbor since the start. All but the drift
// only grows.
type Tally struct {
	Families    map[addressing.Family]FamilyTally `json:"families"`
	UpdatesSent uint64                            `json:"updates_sent"`
	UpdatesRead uint64                            `json:"updates_received"`
	// Malformed counts UPDATEs of the neighbor by how RFC 7606 has them handled.
	Malformed map[string]uint64 `json:"malformed"`
	// Refused counts connections that were answered with a NOTIFICATION before
	// they were a session.
	Refused uint64               `json:"refused"`
	Ups     uint64               `json:"ups"`
	Downs   map[DownCause]uint64 `json:"downs"`
	Alarms  uint64               `json:"alarms"` // our own side was broken
	OTC     map[string]uint64    `json:"otc"`    // routes by OTCResults
}

// FamilyTally is the part of a Tally that is counted for each family, in
// prefixes.
type FamilyTally struct {
	Advertised  uint64 `json:"advertised"`
	Withdrawn   uint64 `json:"withdrawn"`
	HeldBack    uint64 `json:"held_back"`    // withdrawals that the Target does not ask for
	LeakBlocked uint64 `json:"leak_blocked"` // by the valley-free guard, OTC or the origin check
	Dropped     uint64 `json:"dropped"`      // advertised by the neighbor, and not handed on
	Revoked     uint64 `json:"revoked"`      // withdrawn by the neighbor
	Missing     int    `json:"missing"`      // now: in the Target, and not offered by the routing engine
	Foreign     int    `json:"foreign"`      // now: offered by the routing engine, and in no Target
}

// DownCause says in one of a few words why a session went down.
type DownCause string

// Why sessions go down.
const (
	DownClosed    DownCause = "closed"                // TCP ended
	DownHoldTimer DownCause = "hold_timer"            // RFC 4271 section 6.5
	DownReceived  DownCause = "notification_received" // the neighbor said so
	DownSent      DownCause = "notification_sent"     // the neighbor broke a rule
	DownRestarted DownCause = "neighbor_restarted"    // RFC 4724 section 5
	DownAlarm     DownCause = "alarm"                 // our own side was broken
	DownChanged   DownCause = "configuration"         // the neighbor was removed or changed
	DownStopped   DownCause = "stopped"               // we stop
)

// DownCauses lists them all.
func DownCauses() []DownCause {
	return []DownCause{DownClosed, DownHoldTimer, DownReceived, DownSent, DownRestarted, DownAlarm, DownChanged, DownStopped}
}

// OTC results (RFC 9234 section 5).
const (
	OTCAddedOut = "added_egress"    // sent with OTC of ours
	OTCAddedIn  = "added_ingress"   // received without, added
	OTCLeakIn   = "refused_ingress" // received, and a leak
	OTCLeakOut  = "refused_egress"  // offered by the routing engine, and must not leave
)

// OTCResults lists them all.
func OTCResults() []string { return []string{OTCAddedOut, OTCAddedIn, OTCLeakIn, OTCLeakOut} }
