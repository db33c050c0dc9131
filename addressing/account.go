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
	ID        string
	Name      string
	Kind      AccountKind
	CreatedAt time.Time
	Version   int64
}
