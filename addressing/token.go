package addressing

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"time"
)

// Role is what a token may do. The zero value may do nothing.
type Role string

// Roles of a token (DESIGN section 4).
const (
	RoleAdmin    Role = "admin"     // IP Prefixes Write and BGP On Demand Write of its account
	RoleOnDemand Role = "on-demand" // BGP On Demand Write of its account
	RoleReadOnly Role = "read-only"
	RoleOperator Role = "operator" // all accounts and /v1, no approvals

	// RoleApprove reads everything and decides what others asked for, nothing else.
	RoleApprove Role = "approve"
	// RoleBreakGlass reads everything, holds and goes back, for the hour in
	// which nobody reaches the machine; it loosens nothing.
	RoleBreakGlass Role = "break-glass"
	// RoleSpeaker pulls snapshots and reports, for a speaker that runs alone.
	RoleSpeaker Role = "speaker"
	// RoleReporter says what monitors and edge machines saw, nothing else.
	RoleReporter Role = "reporter"
)

// TokenRecord is a token at rest: the secret itself is shown once, at
// creation, and never stored.
type TokenRecord struct {
	ID         string         `json:"id"`
	AccountID  string         `json:"account_id,omitempty"` // empty: not bound to an account
	Name       string         `json:"name,omitempty"`
	Role       Role           `json:"role"`
	Hash       string         `json:"hash"`            // sha256 of the secret, lower-case hex
	Suffix     string         `json:"suffix"`          // last four characters, for logs
	CIDRs      []netip.Prefix `json:"cidrs,omitempty"` // where it may be used from; empty: anywhere
	CreatedAt  time.Time      `json:"created_at"`
	ExpiresAt  *time.Time     `json:"expires_at,omitempty"`
	RevokedAt  *time.Time     `json:"revoked_at,omitempty"`
	LastUsedAt *time.Time     `json:"last_used_at,omitempty"` // to the second, written once in a while
	Replaces   string         `json:"replaces,omitempty"`     // id of the token it was rotated from
	CreatedBy  string         `json:"created_by,omitempty"`   // Actor.Key of whoever made it; empty before that was kept
	Version    int64          `json:"version"`
}

// Actor is the token as the actor of a change.
func (t TokenRecord) Actor() Actor {
	kind := Operator
	if t.AccountID != "" {
		kind = Owner
	}
	return Actor{Kind: kind, ID: t.ID, Name: t.Name, AccountID: t.AccountID}
}

// Scope is what the token may see.
func (t TokenRecord) Scope() Scope {
	if t.AccountID != "" {
		return OneAccount(t.AccountID)
	}
	return EveryAccount()
}

// HashToken is how a token's secret is kept and looked up: sha256 in
// lower-case hex.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
