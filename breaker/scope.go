package breaker

// ScopeKind says what a scope is about.
type ScopeKind string

// Kinds of scope. The zero value is no scope.
const (
	ScopeGlobal   ScopeKind = "global"
	ScopeAccount  ScopeKind = "account"
	ScopeActor    ScopeKind = "actor"
	ScopeNeighbor ScopeKind = "neighbor"
	ScopeService  ScopeKind = "service"
)

// Valid reports whether k is a kind of scope.
func (k ScopeKind) Valid() bool {
	switch k {
	case ScopeGlobal, ScopeAccount, ScopeActor, ScopeNeighbor, ScopeService:
		return true
	}
	return false
}

// Scope is a part of the network that opens and closes on its own.
type Scope struct {
	Kind ScopeKind `json:"scope"`
	Key  string    `json:"key"` // account id, actor key, neighbor name, service id; empty for global
}

// Global is the scope of everything.
var Global = Scope{Kind: ScopeGlobal}

// String is "global" or "kind:key".
func (s Scope) String() string {
	if s.Kind == ScopeGlobal {
		return string(s.Kind)
	}
	return string(s.Kind) + ":" + s.Key
}

// ActorKind says in whose capacity a change is made.
type ActorKind string

// Kinds of actor. The zero value is nobody, whose losses are refused.
const (
	Owner    ActorKind = "owner"
	Operator ActorKind = "operator"
	System   ActorKind = "system"
)

// Actor is who makes a change.
type Actor struct {
	Kind    ActorKind `json:"kind"`
	Key     string    `json:"key"`               // e.g. "operator/uid:0"
	Account string    `json:"account,omitempty"` // the account an owner is bound to
}

// Scope is the actor's own scope.
func (a Actor) Scope() Scope { return Scope{ScopeActor, a.Key} }
