package api

import (
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// permission is what an operation asks for: Cloudflare's permission names for
// desired state, and two of Holdfast's own.
type permission string

// Permissions an operation may name in x-permission.
const (
	prefixesRead  permission = "ip-prefixes-read"
	prefixesWrite permission = "ip-prefixes-write"
	onDemandRead  permission = "bgp-on-demand-read"
	onDemandWrite permission = "bgp-on-demand-write"
	observe       permission = "observe" // read /v1 over all accounts
	operate       permission = "operate" // change anything on /v1
)

var allPermissions = []permission{prefixesRead, prefixesWrite, onDemandRead, onDemandWrite, observe, operate}

// grants is which permissions a role gives (DESIGN section 4). A role that is
// not listed gives nothing.
var grants = map[addressing.Role][]permission{
	addressing.RoleAdmin:    {prefixesRead, prefixesWrite, onDemandRead, onDemandWrite},
	addressing.RoleOnDemand: {onDemandRead, onDemandWrite},
	addressing.RoleReadOnly: {prefixesRead, onDemandRead},
	addressing.RoleOperator: {prefixesRead, prefixesWrite, onDemandRead, onDemandWrite},
}

// wide is what a role gives on top when it is not bound to an account.
var wide = map[addressing.Role][]permission{
	addressing.RoleReadOnly: {observe},
	addressing.RoleOperator: {observe, operate},
}

// caller is who sends a request, once that is known. The zero caller may
// nothing and sees nothing.
type caller struct {
	actor  addressing.Actor
	role   addressing.Role
	scope  addressing.Scope
	suffix string // of the token, for logs
	local  bool   // on the admin socket
}

// may reports whether the caller holds any of the permissions.
func (c caller) may(any []permission) bool {
	held := grants[c.role]
	if c.scope.Every() {
		held = slices.Concat(held, wide[c.role])
	}
	for _, p := range any {
		if slices.Contains(held, p) {
			return true
		}
	}
	return false
}

// callerOf is the caller a token stands for.
func callerOf(t addressing.TokenRecord) caller {
	return caller{actor: t.Actor(), role: t.Role, scope: t.Scope(), suffix: t.Suffix}
}
