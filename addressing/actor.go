package addressing

// ActorKind says in whose capacity a change is made (DESIGN section 4).
// The zero value is nobody, who may do nothing.
type ActorKind string

// Kinds of actor.
const (
	Owner    ActorKind = "owner"    // a token bound to an account, acting on it
	Operator ActorKind = "operator" // a token without an account, or a local user on the socket
	System   ActorKind = "system"   // a named task
)

// Actor is who makes a change. Every mutation has one.
type Actor struct {
	Kind      ActorKind `json:"kind"`
	ID        string    `json:"id"`                   // token id, "uid:1000" or "task/cleanup"
	Name      string    `json:"name,omitempty"`       // for people
	AccountID string    `json:"account_id,omitempty"` // the account an owner is bound to
}

// Key is the actor's name in journals and scopes, e.g. "operator/uid:0".
func (a Actor) Key() string { return string(a.Kind) + "/" + a.ID }
