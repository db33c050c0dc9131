package addressing

import (
	"encoding/json"
	"time"
)

// AuditRecord is one mutation as it is kept for good. Records are chained:
// Hash covers the record and the Hash before it.
type AuditRecord struct {
	Seq       int64           `json:"seq"`
	ChangeID  string          `json:"change_id"`
	At        time.Time       `json:"at"`
	Actor     Actor           `json:"actor"`
	AccountID string          `json:"account_id,omitempty"` // whose object it is
	RequestID string          `json:"request_id,omitempty"`
	Reason    string          `json:"reason"`
	Verb      string          `json:"verb"`
	Objects   []string        `json:"objects"`
	Before    json.RawMessage `json:"before"`  // null when created
	After     json.RawMessage `json:"after"`   // null when deleted
	Inverse   string          `json:"inverse"` // the verb that takes it back, empty if there is none
	Prev      string          `json:"prev"`
	Hash      string          `json:"hash"`
}
