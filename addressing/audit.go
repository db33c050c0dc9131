package addressing

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// AuditRecord is one mutation as it is kept for good. Records are chained:
// Hash covers the record and the Hash before it. Seq is State.Version with the
// mutation in it.
type AuditRecord struct {
	Seq       int64           `json:"seq"`
	ChangeID  string          `json:"change_id"`
	At        time.Time       `json:"at"`
	Actor     Actor           `json:"actor"`
	AccountID string          `json:"account_id,omitempty"` // whose object it is; empty: of all or of none
	RequestID string          `json:"request_id,omitempty"`
	Reason    string          `json:"reason"`
	Verb      string          `json:"verb"`
	Objects   []string        `json:"objects"`
	Before    json.RawMessage `json:"before"` // Images of what was replaced or removed
	After     json.RawMessage `json:"after"`  // Images of what was written
	Effects   []Effect        `json:"effects"`
	Inverse   string          `json:"inverse"` // the verb that takes it back, empty if there is none
	Prev      string          `json:"prev"`    // Hash of the record before; empty for the first
	Hash      string          `json:"hash"`    // sha256, lower-case hex
}

// Canonical is the record in RFC 8785 form, without its own hash.
func (a AuditRecord) Canonical() ([]byte, error) {
	a.Hash = ""
	raw, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("audit record %d: %w", a.Seq, err)
	}
	out := jsontext.Value(raw)
	if err := out.Canonicalize(); err != nil {
		return nil, fmt.Errorf("audit record %d: %w", a.Seq, err)
	}
	return out, nil
}

// Seal chains the record to the one before it.
func (a AuditRecord) Seal(prev AuditRecord) (AuditRecord, error) {
	a.Seq, a.Prev = prev.Seq+1, prev.Hash
	sum, err := a.sum()
	a.Hash = sum
	return a, err
}

func (a AuditRecord) sum() (string, error) {
	text, err := a.Canonical()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	h.Write([]byte(a.Prev))
	h.Write(text)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Follows reports why the record is not the untouched successor of prev, or
// nil. prev is the zero AuditRecord for the first one.
func (a AuditRecord) Follows(prev AuditRecord) error {
	if a.Seq != prev.Seq+1 {
		return fmt.Errorf("audit record %d: follows %d, records between them are missing", a.Seq, prev.Seq)
	}
	if a.Prev != prev.Hash {
		return fmt.Errorf("audit record %d: does not continue record %d", a.Seq, prev.Seq)
	}
	sum, err := a.sum()
	if err != nil {
		return err
	}
	if sum != a.Hash {
		return fmt.Errorf("audit record %d: was altered after it was written", a.Seq)
	}
	return nil
}

// About is the ids that the record is found by: the objects it changed, and
// the prefixes that they belong to.
func (a AuditRecord) About() ([]string, error) {
	about := slices.Clone(a.Objects)
	for _, raw := range []json.RawMessage{a.Before, a.After} {
		var of struct {
			BGPPrefixes []belonging `json:"bgp_prefixes"`
			Bindings    []belonging `json:"bindings"`
			Delegations []belonging `json:"delegations"`
		}
		if len(raw) == 0 {
			continue
		}
		if err := json.Unmarshal(raw, &of); err != nil {
			return nil, fmt.Errorf("audit record %d: %w", a.Seq, err)
		}
		for _, b := range slices.Concat(of.BGPPrefixes, of.Bindings, of.Delegations) {
			about = append(about, b.PrefixID)
		}
	}
	slices.Sort(about)
	return slices.Compact(about), nil
}

// belonging is the one field that says where an object belongs.
type belonging struct {
	PrefixID string `json:"prefix_id"`
}

// ChangeSet is the mutation that the record tells of.
func (a AuditRecord) ChangeSet() ChangeSet {
	return ChangeSet{ID: a.ChangeID, RequestID: a.RequestID, Actor: a.Actor, Reason: a.Reason, At: a.At, Verb: a.Verb,
		Version: a.Seq, Objects: a.Objects, Effects: a.Effects}
}

// Images are objects as they were at one end of a mutation.
type Images struct {
	Accounts    []Account        `json:"accounts,omitempty"`
	Services    []Service        `json:"services,omitempty"`
	Prefixes    []Prefix         `json:"prefixes,omitempty"`
	BGPPrefixes []BGPPrefix      `json:"bgp_prefixes,omitempty"`
	Bindings    []Binding        `json:"bindings,omitempty"`
	Negative    []NegativeIntent `json:"negative_intents,omitempty"`
	Tokens      []TokenRecord    `json:"tokens,omitempty"` // without hashes
	Delegations []Delegation     `json:"delegations,omitempty"`
	Omitted     int              `json:"omitted,omitempty"` // objects left out of a very large change
}

// none reports whether no object is in the image.
func (i Images) none() bool {
	return len(i.Accounts)+len(i.Services)+len(i.Prefixes)+len(i.BGPPrefixes)+len(i.Bindings)+
		len(i.Negative)+len(i.Tokens)+len(i.Delegations)+i.Omitted == 0
}
