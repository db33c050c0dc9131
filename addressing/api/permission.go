package api

import (
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// permission is what an operation asks for: Cloudflare's permission names for
// desired state, and five of Holdfast's own.
type permission string

// Permissions an operation may name in x-permission.
const (
	prefixesRead  permission = "ip-prefixes-read"
	prefixesWrite permission = "ip-prefixes-write"
	onDemandRead  permission = "bgp-on-demand-read"
	onDemandWrite permission = "bgp-on-demand-write"
	observe       permission = "observe"     // read /v1 over all accounts
	operate       permission = "operate"     // change anything on /v1 but what others asked leave for
	approve       permission = "approve"     // decide what others asked leave for
	breakGlass    permission = "break-glass" // hold, and go back to what was; never loosen
	machine       permission = "machine"     // say what monitors and edge machines saw, and ask what machines must be ready for
	report        permission = "report"      // pull snapshots and report as a speaker, nothing else
)

var allPermissions = []permission{prefixesRead, prefixesWrite, onDemandRead, onDemandWrite, observe, operate, approve, breakGlass, report, machine}

// grants is which permissions a role gives (DESIGN section 4). A role that is
// not listed gives nothing.
var grants = map[addressing.Role][]permission{
	addressing.RoleAdmin:    {prefixesRead, prefixesWrite, onDemandRead, onDemandWrite},
	addressing.RoleOnDemand: {onDemandRead, onDemandWrite},
	addressing.RoleReadOnly: {prefixesRead, onDemandRead},
	addressing.RoleOperator: {prefixesRead, prefixesWrite, onDemandRead, onDemandWrite},

	addressing.RoleApprove:    {prefixesRead, onDemandRead},
	addressing.RoleBreakGlass: {prefixesRead, onDemandRead},
}

// wide is what a role gives on top when it is not bound to an account.
var wide = map[addressing.Role][]permission{
	addressing.RoleReadOnly: {observe},
	addressing.RoleOperator: {observe, operate, machine},

	addressing.RoleApprove:    {observe, approve},
	addressing.RoleBreakGlass: {observe, breakGlass},
	addressing.RoleSpeaker:    {report},
	addressing.RoleReporter:   {machine},
}

// local is what a person on the admin socket holds on top of an operator.
var local = []permission{approve, breakGlass, report}

// granted is what a role gives, bound to an account or not.
func granted(role addressing.Role, everyAccount bool) []permission {
	if everyAccount {
		return slices.Concat(grants[role], wide[role])
	}
	return grants[role]
}

// caller is who sends a request, once that is known. The zero caller may
// nothing and sees nothing.
type caller struct {
	actor  addressing.Actor
	role   addressing.Role
	scope  addressing.Scope
	suffix string // of the token, for logs
	local  bool   // on the admin socket

	enrolledAt time.Time // when the token was made; zero on the admin socket
	enrolledBy string    // and who made it
}

// holds is every permission the caller has.
func (c caller) holds() []permission {
	held := granted(c.role, c.scope.Every())
	if c.local {
		held = slices.Concat(held, local)
	}
	return held
}

// may reports whether the caller holds any of the permissions.
func (c caller) may(any []permission) bool {
	held := c.holds()
	for _, p := range any {
		if slices.Contains(held, p) {
			return true
		}
	}
	return false
}

// mayGive reports whether the caller may make a token with this role: the
// rights to approve and to break the glass come only from who holds them, so
// that a stolen operator's token cannot make itself an approver.
func (c caller) mayGive(role addressing.Role) bool {
	held := c.holds()
	for _, p := range granted(role, true) {
		if slices.Contains(local, p) && !slices.Contains(held, p) {
			return false
		}
	}
	return true
}

// callerOf is the caller a token stands for.
func callerOf(t addressing.TokenRecord) caller {
	return caller{actor: t.Actor(), role: t.Role, scope: t.Scope(), suffix: t.Suffix, enrolledAt: t.CreatedAt, enrolledBy: t.CreatedBy}
}
