package addressing

import (
	"context"
	"io"
	"net/netip"
	"time"
)

// Gate judges a change before it is committed. release takes the charge back
// when the commit fails. A refusal is an *Error with CodeHeld, CodeRefused,
// CodeConfirm or CodeFrozen; any other error means that the gate could not
// decide, and the change is held.
//
// Admit is called inside the write transaction: it must not call the Registry.
type Gate interface {
	Admit(ctx context.Context, c ChangeSet) (release func(), err error)
}

// Options of a Registry.
type Options struct {
	Entropy      io.Reader                 // for ids and tokens; crypto/rand.Reader in the daemon
	Notify       func(ChangeSet)           // called after each commit, in order; may be nil
	OnTokens     func([]TokenRecord) error // mirrors the tokens before a change of them is committed; may be nil
	AllowSpecial bool                      // a lab may hold special-purpose ranges
	Grace        time.Duration             // of pending deletions; 0 means 24 h
}

// Registry is the use cases of desired state. Every mutation runs in one write
// transaction: load, check, compute the ChangeSet, ask the gate, write the
// audit record, commit. A change that alters nothing returns a ChangeSet
// without ID and leaves no trace.
type Registry struct {
	store Store
	gate  Gate
	opt   Options
}

// NewRegistry returns the use cases over a store and a gate. Neither may be nil.
func NewRegistry(store Store, gate Gate, opt Options) *Registry {
	return &Registry{store: store, gate: gate, opt: opt}
}

func notBuilt(op string) error {
	return &Error{Code: CodeInternal, Op: op, Detail: "not built yet"}
}

// NewAccount is what CreateAccount takes. A zero Kind is customer.
type NewAccount struct {
	Name string
	Kind AccountKind
}

// CreateAccount adds an account. Operators only.
func (r *Registry) CreateAccount(ctx context.Context, req Request, in NewAccount) (Account, ChangeSet, error) {
	return Account{}, ChangeSet{}, notBuilt("create account")
}

// Accounts lists the accounts in scope, sorted by id.
func (r *Registry) Accounts(ctx context.Context, s Scope) ([]Account, error) {
	return nil, notBuilt("list accounts")
}

// Account finds one account.
func (r *Registry) Account(ctx context.Context, s Scope, id string) (Account, error) {
	return Account{}, notBuilt("find account")
}

// NewService is what CreateService takes.
type NewService struct {
	Name     string
	MinSites int
}

// CreateService adds a service. Operators only.
func (r *Registry) CreateService(ctx context.Context, req Request, in NewService) (Service, ChangeSet, error) {
	return Service{}, ChangeSet{}, notBuilt("create service")
}

// Services lists all services, sorted by name.
func (r *Registry) Services(ctx context.Context) ([]Service, error) {
	return nil, notBuilt("list services")
}

// NewToken is what CreateToken takes. Admin and on-demand need an account.
type NewToken struct {
	Name      string
	AccountID string
	Role      Role
	ExpiresAt *time.Time
	CIDRs     []netip.Prefix
}

// CreateToken makes a token and returns its secret ("hf_..."), the only time
// it is seen. Operators only.
func (r *Registry) CreateToken(ctx context.Context, req Request, in NewToken) (TokenRecord, string, ChangeSet, error) {
	return TokenRecord{}, "", ChangeSet{}, notBuilt("create token")
}

// Tokens lists the tokens in scope.
func (r *Registry) Tokens(ctx context.Context, s Scope) ([]TokenRecord, error) {
	return nil, notBuilt("list tokens")
}

// RevokeToken ends a token at once.
func (r *Registry) RevokeToken(ctx context.Context, req Request, id string) (ChangeSet, error) {
	return ChangeSet{}, notBuilt("revoke token")
}

// Authenticate finds the token with this secret hash (HashToken) that is
// neither revoked nor expired and may be used from the address. An invalid
// address is a local caller and passes tokens without CIDRs only. The error has
// CodeUnauthenticated, or CodeUnavailable when the store cannot be asked.
func (r *Registry) Authenticate(ctx context.Context, hash string, from netip.Addr, at time.Time) (TokenRecord, error) {
	return TokenRecord{}, notBuilt("authenticate")
}

// NewPrefix is what CreatePrefix takes.
type NewPrefix struct {
	AccountID           string
	CIDR                netip.Prefix
	ASN                 uint32
	Description         *string
	DelegateLOACreation bool
	LOADocumentID       *string
}

// CreatePrefix adds a pending prefix with an ownership token.
func (r *Registry) CreatePrefix(ctx context.Context, req Request, in NewPrefix) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("create prefix")
}

// Prefixes lists the pending and approved prefixes in scope, sorted by CIDR.
func (r *Registry) Prefixes(ctx context.Context, s Scope) ([]PrefixDetail, error) {
	return nil, notBuilt("list prefixes")
}

// Prefix finds one pending or approved prefix.
func (r *Registry) Prefix(ctx context.Context, s Scope, id string) (PrefixDetail, error) {
	return PrefixDetail{}, notBuilt("find prefix")
}

// PrefixAt finds the pending or approved prefix with exactly this CIDR.
func (r *Registry) PrefixAt(ctx context.Context, s Scope, cidr netip.Prefix) (PrefixDetail, error) {
	return PrefixDetail{}, notBuilt("find prefix")
}

// PrefixPatch changes a prefix. The zero patch changes nothing.
type PrefixPatch struct {
	SetDescription bool
	Description    *string // nil clears it
}

// EditPrefix changes the description.
func (r *Registry) EditPrefix(ctx context.Context, req Request, id string, patch PrefixPatch) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("edit prefix")
}

// DeletePrefix removes a pending prefix, and puts an approved one that is
// withdrawn and unbound into pending_delete. Anything else is a conflict.
func (r *Registry) DeletePrefix(ctx context.Context, req Request, id string) (ChangeSet, error) {
	return ChangeSet{}, notBuilt("delete prefix")
}

// PendingDeletions lists the prefixes in pending_delete, sorted by CIDR.
func (r *Registry) PendingDeletions(ctx context.Context, s Scope) ([]PrefixDetail, error) {
	return nil, notBuilt("list pending deletions")
}

// Undelete takes a prefix out of pending_delete.
func (r *Registry) Undelete(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("undelete prefix")
}

// ApprovePrefix approves a pending prefix: on demand enabled and unlocked.
// Validation steps that are not valid need the named risk "unverified".
// Operators only.
func (r *Registry) ApprovePrefix(ctx context.Context, req Request, id string, risks []string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("approve prefix")
}

// ValidatePrefix asks for validation; the answer comes later.
func (r *Registry) ValidatePrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("validate prefix")
}

// NewBinding is what CreateBinding takes.
type NewBinding struct {
	PrefixID  string
	CIDR      netip.Prefix
	ServiceID string
}

// CreateBinding binds a range of an approved prefix to a service. The first
// must equal the prefix and creates its default BGP prefix, withdrawn.
func (r *Registry) CreateBinding(ctx context.Context, req Request, in NewBinding) (Binding, ChangeSet, error) {
	return Binding{}, ChangeSet{}, notBuilt("create binding")
}

// Bindings lists the bindings of a prefix.
func (r *Registry) Bindings(ctx context.Context, s Scope, prefixID string) ([]Binding, error) {
	return nil, notBuilt("list bindings")
}

// Binding finds a binding of a prefix; an empty prefixID is any prefix in scope.
func (r *Registry) Binding(ctx context.Context, s Scope, prefixID, id string) (Binding, error) {
	return Binding{}, notBuilt("find binding")
}

// DeleteBinding removes a binding, unless something advertised would be left
// without one (invariant 1). An empty prefixID is any prefix in scope.
func (r *Registry) DeleteBinding(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return ChangeSet{}, notBuilt("delete binding")
}

// CreateBGPPrefix adds a route inside a prefix, withdrawn.
func (r *Registry) CreateBGPPrefix(ctx context.Context, req Request, prefixID string, cidr netip.Prefix) (BGPPrefix, ChangeSet, error) {
	return BGPPrefix{}, ChangeSet{}, notBuilt("create bgp prefix")
}

// BGPPrefixes lists the BGP prefixes of a prefix, sorted by CIDR.
func (r *Registry) BGPPrefixes(ctx context.Context, s Scope, prefixID string) ([]BGPPrefix, error) {
	return nil, notBuilt("list bgp prefixes")
}

// BGPPrefix finds a BGP prefix of a prefix.
func (r *Registry) BGPPrefix(ctx context.Context, s Scope, prefixID, id string) (BGPPrefix, error) {
	return BGPPrefix{}, notBuilt("find bgp prefix")
}

// BGPPrefixPatch changes a BGP prefix; nil leaves a field alone.
type BGPPrefixPatch struct {
	Advertised            *bool
	Prepend               *int // 0..3
	AutoAdvertiseWithdraw *bool
	Resting               *Resting // operators only
	Sites                 *Sites   // operators only
}

// EditBGPPrefix changes a BGP prefix: the toggle above all.
func (r *Registry) EditBGPPrefix(ctx context.Context, req Request, prefixID, id string, patch BGPPrefixPatch) (BGPPrefix, ChangeSet, error) {
	return BGPPrefix{}, ChangeSet{}, notBuilt("edit bgp prefix")
}

// DeleteBGPPrefix removes a withdrawn BGP prefix.
func (r *Registry) DeleteBGPPrefix(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return ChangeSet{}, notBuilt("delete bgp prefix")
}

// AdvertisePrefix advertises all BGP prefixes of a prefix.
func (r *Registry) AdvertisePrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("advertise prefix")
}

// WithdrawPrefix withdraws all BGP prefixes of a prefix.
func (r *Registry) WithdrawPrefix(ctx context.Context, req Request, id string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("withdraw prefix")
}

// BlockPrefix takes a prefix down on purpose until the intent is lifted by
// name or expires. Operators only.
func (r *Registry) BlockPrefix(ctx context.Context, req Request, id string, expires *time.Time) (NegativeIntent, ChangeSet, error) {
	return NegativeIntent{}, ChangeSet{}, notBuilt("block prefix")
}

// UnblockPrefix lifts one negative intent over the prefix, by its id.
func (r *Registry) UnblockPrefix(ctx context.Context, req Request, id, intentID string) (PrefixDetail, ChangeSet, error) {
	return PrefixDetail{}, ChangeSet{}, notBuilt("unblock prefix")
}

// NegativeIntents lists what is down on purpose, sorted by id.
func (r *Registry) NegativeIntents(ctx context.Context, s Scope) ([]NegativeIntent, error) {
	return nil, notBuilt("list negative intents")
}

// CreateDelegation lets another account use a range of a prefix.
func (r *Registry) CreateDelegation(ctx context.Context, req Request, prefixID string, cidr netip.Prefix, account string) (Delegation, ChangeSet, error) {
	return Delegation{}, ChangeSet{}, notBuilt("create delegation")
}

// Delegations lists the delegations of a prefix, sorted by CIDR.
func (r *Registry) Delegations(ctx context.Context, s Scope, prefixID string) ([]Delegation, error) {
	return nil, notBuilt("list delegations")
}

// DeleteDelegation removes a delegation.
func (r *Registry) DeleteDelegation(ctx context.Context, req Request, prefixID, id string) (ChangeSet, error) {
	return ChangeSet{}, notBuilt("delete delegation")
}

// State is everything, as of one moment, for snapshots.Build.
func (r *Registry) State(ctx context.Context) (State, error) { return r.store.State(ctx) }

// Audit returns up to limit records with a higher Seq, oldest first.
func (r *Registry) Audit(ctx context.Context, s Scope, after int64, limit int) ([]AuditRecord, error) {
	return nil, notBuilt("read audit")
}

// VerifyAudit recomputes the whole chain. The error names the first record
// that does not fit.
func (r *Registry) VerifyAudit(ctx context.Context) (records int64, err error) {
	return 0, notBuilt("verify audit")
}

// RestoreRequest is desired state as an older snapshot had it.
type RestoreRequest struct {
	Request
	// Want holds the records to go back to; what it does not name is left
	// alone. Nothing is ever deleted by a restore.
	Want State
	// Withdraw also withdraws what Want says is withdrawn. Without it a
	// restore only adds (invariant 16).
	Withdraw bool
}

// Restored is what a restore did.
type Restored struct {
	Created    int      // objects that were missing
	Advertised int      // BGP prefixes set to advertised
	Withdrawn  int      // only with RestoreRequest.Withdraw
	Kept       []string // ids of negative intents that kept something down
}

// Restore writes an older snapshot's desired state back: missing objects are
// created with their ids, changed ones set back. It never lifts a negative
// intent (invariant 15).
func (r *Registry) Restore(ctx context.Context, req RestoreRequest) (Restored, ChangeSet, error) {
	return Restored{}, ChangeSet{}, notBuilt("restore")
}
