package snapshots

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// Sum is the sha256 of a part's or manifest's canonical form, in lower-case hex.
type Sum string

// canonical is the RFC 8785 form of v. Everything stored, hashed or compared
// goes through it. v holds strings, booleans and integers below 2^53 only:
// RFC 8785 numbers are doubles, and Validate refuses what would not survive.
func canonical(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	out := jsontext.Value(raw)
	if err := out.Canonicalize(); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return out, nil
}

func sumOf(b []byte) Sum {
	h := sha256.Sum256(b)
	return Sum(hex.EncodeToString(h[:]))
}

// valid reports whether s has the shape of a sum. Sums become file names.
func (s Sum) valid() bool {
	if len(s) != 2*sha256.Size {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
