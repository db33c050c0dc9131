package addressing

import (
	"net/netip"
	"time"
)

// Delegation lets another account use a range of a prefix. Bindings stay with
// the owner; to an unknown account a delegation is inert.
type Delegation struct {
	ID                 string
	PrefixID           string
	CIDR               netip.Prefix
	DelegatedAccountID string
	CreatedAt          time.Time
	ModifiedAt         time.Time
	Version            int64
}
