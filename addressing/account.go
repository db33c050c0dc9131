package addressing

import "time"

// AccountKind says whose prefixes an account holds. The zero value is
// customer, the kind that percentages are counted over.
type AccountKind string

// Kinds of account (DESIGN section 4).
const (
	Customer   AccountKind = "customer"
	FirstParty AccountKind = "first-party" // protected
)

// Account owns prefixes. ID is 32 lower-case hex digits.
type Account struct {
	ID        string      `json:"id"`
	Name      string      `json:"name"`
	Kind      AccountKind `json:"kind"`
	CreatedAt time.Time   `json:"created_at"`
	Version   int64       `json:"version"`
}
