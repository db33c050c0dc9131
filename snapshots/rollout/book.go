package rollout

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
)

// Book keeps rollouts across restarts. FileBook is one.
type Book interface {
	// Load gives what was saved last; none if nothing ever was.
	Load() ([]Rollout, error)
	Save([]Rollout) error
}

// FileBook is a Book in one file, replaced whole.
type FileBook string

const maxBook = 256 << 20

// Load implements Book. A file that cannot be read is an error: what it held
// must not go on as if it had never been.
func (b FileBook) Load() ([]Rollout, error) {
	raw, err := os.ReadFile(string(b))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("rollouts: %w", err)
	case len(raw) > maxBook:
		return nil, fmt.Errorf("rollouts: %s is larger than %d bytes", string(b), maxBook)
	}
	var out []Rollout
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&out); err != nil {
		return nil, fmt.Errorf("rollouts: %s: %w", string(b), err)
	}
	for _, r := range out {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("rollouts: %s: %w", string(b), err)
		}
	}
	return out, nil
}

// Save implements Book.
func (b FileBook) Save(all []Rollout) error {
	raw, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("rollouts: %w", err)
	}
	if err := renameio.WriteFile(string(b), raw, 0o600); err != nil {
		return fmt.Errorf("rollouts: %w", err)
	}
	return nil
}

// check reports a record that no Step can have made.
func (r Rollout) check() error {
	switch r.Phase {
	case Running, Soaking, Paused, Failed, Aborted, Done:
	default:
		return fmt.Errorf("rollout %q: %q is no phase", r.ID, r.Phase)
	}
	if r.ID == "" || len(r.Waves) == 0 || r.Applied < 0 || r.Released < r.Applied || r.Released > len(r.Waves) || r.Phase == Soaking && r.Applied == 0 {
		return fmt.Errorf("rollout %q: %d of %d waves applied, %d released, %s: that cannot be", r.ID, r.Applied, len(r.Waves), r.Released, r.Phase)
	}
	return nil
}
