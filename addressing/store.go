package addressing

import (
	"context"
	"net/netip"
	"time"
)

// Reader reads desired state.
type Reader interface {
	// State is everything, as of one moment.
	State(ctx context.Context) (State, error)
	// Since is what may have changed since a Revision, by whomever, and the
	// accounts of also. Its cost follows the answer, not the table.
	Since(ctx context.Context, r Revision, also []string) (Delta, error)
	// View runs fn over one consistent read.
	View(ctx context.Context, fn func(ReadTx) error) error
}

// Store keeps desired state. Every implementation passes storetest.
type Store interface {
	Reader
	// Update runs fn in a write transaction, one at a time. If fn or the
	// commit fails, nothing is stored and the error is returned.
	Update(ctx context.Context, fn func(Tx) error) error
	Close() error
}

// ReadTx is what can be asked inside one consistent read. A single object that
// is not there is an *Error with CodeNotFound.
type ReadTx interface {
	AccountReader
	ServiceReader
	PrefixReader
	BGPPrefixReader
	BindingReader
	IntentReader
	TokenReader
	DelegationReader
	AuditReader
}

// Tx is a write transaction. Saving an object with Version 1 creates it;
// saving a higher one replaces exactly the version before it, else the error
// has CodePrecondition. Deleting asks for the version that is there.
type Tx interface {
	ReadTx
	AccountWriter
	ServiceWriter
	PrefixWriter
	BGPPrefixWriter
	BindingWriter
	IntentWriter
	TokenWriter
	DelegationWriter
	AuditWriter
}

// AccountReader finds accounts.
type AccountReader interface {
	Account(id string) (Account, error)
	Accounts(Scope) ([]Account, error)
}

// AccountWriter keeps accounts.
type AccountWriter interface {
	SaveAccount(Account) error
}

// ServiceReader finds services. Services belong to no account.
type ServiceReader interface {
	Service(id string) (Service, error)
	Services() ([]Service, error)
}

// ServiceWriter keeps services.
type ServiceWriter interface {
	SaveService(Service) error
}

// PrefixReader finds prefixes in every state, tombstones included.
type PrefixReader interface {
	Prefix(id string) (Prefix, error)
	Prefixes(Scope) ([]Prefix, error)
	// Overlapping returns the prefixes of all accounts that share an address
	// with cidr. Its cost follows the answer, not the table.
	Overlapping(cidr netip.Prefix) ([]Prefix, error)
}

// PrefixWriter keeps prefixes. A prefix with bindings, BGP prefixes or
// delegations cannot be deleted.
type PrefixWriter interface {
	SavePrefix(Prefix) error
	DeletePrefix(id string, version int64) error
}

// BGPPrefixReader finds BGP prefixes.
type BGPPrefixReader interface {
	BGPPrefix(id string) (BGPPrefix, error)
	BGPPrefixes(Scope) ([]BGPPrefix, error)
	BGPPrefixesOf(prefixID string) ([]BGPPrefix, error)
	// BGPPrefixesAt returns those with exactly this CIDR, whoever has them.
	BGPPrefixesAt(cidr netip.Prefix) ([]BGPPrefix, error)
}

// BGPPrefixWriter keeps BGP prefixes.
type BGPPrefixWriter interface {
	SaveBGPPrefix(BGPPrefix) error
	DeleteBGPPrefix(id string, version int64) error
}

// BindingReader finds bindings.
type BindingReader interface {
	Binding(id string) (Binding, error)
	Bindings(Scope) ([]Binding, error)
	BindingsOf(prefixID string) ([]Binding, error)
}

// BindingWriter keeps bindings, which are immutable.
type BindingWriter interface {
	InsertBinding(Binding) error
	DeleteBinding(id string) error
}

// IntentReader finds negative intents.
type IntentReader interface {
	Intent(id string) (NegativeIntent, error)
	Intents(Scope) ([]NegativeIntent, error)
	// IntentsOver returns those that share an address with cidr.
	IntentsOver(cidr netip.Prefix) ([]NegativeIntent, error)
}

// IntentWriter keeps negative intents, which are immutable.
type IntentWriter interface {
	InsertIntent(NegativeIntent) error
	DeleteIntent(id string) error
}

// TokenReader finds tokens.
type TokenReader interface {
	Token(id string) (TokenRecord, error)
	Tokens(Scope) ([]TokenRecord, error)
	TokenByHash(hash string) (TokenRecord, error)
}

// TokenWriter keeps tokens. TouchToken notes a use and moves no version.
type TokenWriter interface {
	SaveToken(TokenRecord) error
	TouchToken(id string, at time.Time) error
}

// DelegationReader finds delegations.
type DelegationReader interface {
	Delegation(id string) (Delegation, error)
	DelegationsOf(prefixID string) ([]Delegation, error)
}

// DelegationWriter keeps delegations.
type DelegationWriter interface {
	SaveDelegation(Delegation) error
	DeleteDelegation(id string, version int64) error
}

// AuditReader reads the audit log.
type AuditReader interface {
	// AuditHead is Seq and Hash of the last record; Seq is 0 when there is none.
	AuditHead() (AuditRecord, error)
	// Audit returns up to limit records with a higher Seq, oldest first.
	Audit(s Scope, after int64, limit int) ([]AuditRecord, error)
	// AuditBefore is the highest Seq of the records before this time, 0 if there
	// is none.
	AuditBefore(at time.Time) (int64, error)
	// AuditOn returns the records that tell of an object (AuditRecord.About),
	// oldest first. Its cost follows the answer, not the log.
	AuditOn(s Scope, objectID string) ([]AuditRecord, error)
	// AuditOf finds the record of one change.
	AuditOf(changeID string) (AuditRecord, error)
}

// AuditWriter appends to the audit log. State.Version is the last Seq.
type AuditWriter interface {
	AppendAudit(AuditRecord) error
}
