package addressing

import (
	"net/netip"
	"time"
)

// Delegation lets another account use a range of a prefix. Bindings stay with
// the owner; to an unknown account a delegation is inert.
type Delegation struct {
	ID                 string       `json:"id"`
	PrefixID           string       `json:"prefix_id"`
	CIDR               netip.Prefix `json:"cidr"`
	DelegatedAccountID string       `json:"delegated_account_id"`
	CreatedAt          time.Time    `json:"created_at"`
	ModifiedAt         time.Time    `json:"modified_at"`
	Version            int64        `json:"version"`
}
