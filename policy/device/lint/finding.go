package lint

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
)

// Finding is one thing that is wrong, or cannot be decided.
type Finding struct {
	Rule     string
	Also     []string // other rules the same fault breaks
	Severity device.Severity
	Message  string
	Fix      string
	Pos      device.Pos
	End      device.Pos
	Dialect  device.Dialect
	Host     string // name of the router, when its configuration says

	Session  string // neighbor's address or name
	Group    string
	Role     device.Role
	RoleFrom device.RoleSource
	PeerAS   uint32
	Policy   string
	Term     string
	Guards   []string // normalised conditions of the term, for the fingerprint
	Set      string

	Witness  *Witness
	Blockers []concrete.Blocker // why it is not decided
	Related  []Related
	// Undecided marks a verdict that could not be reached (RL108, RL310, RL901,
	// RL903).
	Undecided bool

	Fingerprint string
	Suppressed  *Suppression
	Baseline    bool // known before, from a baseline file
}

// Witness is a route that is advertised and must not be.
type Witness struct {
	Received   device.Route // as it was learned
	Advertised device.Route // as it leaves
	From       string       // the session or protocol it was learned on
	FromRole   device.Role
	Type       int // RFC 7908, 0 when it is none of them
	Trace      []concrete.Event

	contradicted bool // the replay rejects it
}

// Related is another place that belongs to a finding.
type Related struct {
	Pos     device.Pos
	Message string
}

// Suppression is why a finding is not counted.
type Suppression struct {
	Reason string
	Where  device.Pos
	Until  string
}

// Counts reports whether the finding counts against the exit code.
func (f *Finding) Counts() bool { return f.Suppressed == nil && !f.Baseline }

// Rules is the rule and the others it stands for.
func (f *Finding) Rules() string { return strings.Join(append([]string{f.Rule}, f.Also...), "/") }

// fingerprint identifies a finding across reformatting, moved lines and renamed
// files: the router, the rule and where in the policy, never a line number.
func (f *Finding) fingerprint() string {
	guards := slices.Clone(f.Guards)
	slices.Sort(guards)
	parts := []string{f.Rule, f.Host, f.Group, f.Session, f.Policy, f.Term, f.Set, strings.Join(guards, "\x01")}
	if f.Session == "" && f.Policy == "" && f.Set == "" {
		parts = append(parts, f.Message)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// sortFindings puts the worst first, then by place.
func sortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Message, b.Message),
		)
	})
}

// leakType is the type of RFC 7908 section 3 for a route that goes from one
// role to another.
func leakType(from, to device.Role) int {
	up := func(r device.Role) int {
		switch r {
		case device.Provider:
			return 1
		case device.Peer, device.RouteServer:
			return 2
		}
		return 0
	}
	switch [2]int{up(from), up(to)} {
	case [2]int{1, 1}:
		return 1
	case [2]int{2, 2}:
		return 2
	case [2]int{1, 2}:
		return 3
	case [2]int{2, 1}:
		return 4
	}
	return 0
}
