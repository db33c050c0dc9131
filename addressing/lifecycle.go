package addressing

// Lifecycle is the state of a prefix (DESIGN section 4). Whether it is bound
// and advertised are facts of their bindings and BGP prefixes.
// The zero value is no state: nothing may be done with it.
type Lifecycle string

// States of a prefix's life.
const (
	Pending       Lifecycle = "pending"
	Approved      Lifecycle = "approved"
	PendingDelete Lifecycle = "pending_delete" // grace time, can be undeleted
	Tombstone     Lifecycle = "tombstone"      // kept until every store has seen it
)
