package snapshots

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// Pin holds the speaker at a generation: while there is one, nothing new is
// built. It is a plain file, so that it can be set and read with everything
// else gone.
type Pin struct {
	Generation uint64 `json:"generation"`
	Actor      string `json:"actor"`
	Reason     string `json:"reason"`
	At         int64  `json:"at"` // Unix nanoseconds
}

const pinFile = "pin.json"

// SetPin writes the pin.
func (d *Dir) SetPin(p Pin) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	return writeFile(filepath.Join(d.root, pinFile), append(raw, '\n'), 0o600)
}

// Pinned reads the pin. A pin that cannot be read still pins: removing it is
// for a person.
func (d *Dir) Pinned() (Pin, bool) {
	path := filepath.Join(d.root, pinFile)
	raw, err := readFile(path, maxHeadBytes)
	if missing(err) {
		return Pin{}, false
	}
	var p Pin
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil {
		return Pin{Reason: fmt.Sprintf("%s cannot be read: %v", path, err)}, true
	}
	return p, true
}

// ClearPin removes the pin.
func (d *Dir) ClearPin() error {
	if err := os.Remove(filepath.Join(d.root, pinFile)); err != nil && !missing(err) {
		return fmt.Errorf("unpin: %w", err)
	}
	return syncDir(d.root)
}
