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

const (
	pinFile    = "pin.json"
	frozenFile = "frozen.json"
)

// SetPin writes the pin.
func (d *Dir) SetPin(p Pin) error { return d.hold(pinFile, p) }

// Pinned reads the pin. A pin that cannot be read still pins: removing it is
// for a person.
func (d *Dir) Pinned() (Pin, bool) { return d.held(pinFile) }

// ClearPin removes the pin.
func (d *Dir) ClearPin() error { return d.release(pinFile) }

// Freeze keeps a store that follows from activating anything, beside any pin.
func (d *Dir) Freeze(p Pin) error { return d.hold(frozenFile, p) }

// Frozen reads what Freeze wrote; what cannot be read still freezes.
func (d *Dir) Frozen() (Pin, bool) { return d.held(frozenFile) }

// Unfreeze removes what Freeze wrote.
func (d *Dir) Unfreeze() error { return d.release(frozenFile) }

func (d *Dir) hold(name string, p Pin) error {
	raw, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return writeFile(filepath.Join(d.root, name), append(raw, '\n'), 0o600)
}

func (d *Dir) held(name string) (Pin, bool) {
	path := filepath.Join(d.root, name)
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

func (d *Dir) release(name string) error {
	if err := os.Remove(filepath.Join(d.root, name)); err != nil && !missing(err) {
		return fmt.Errorf("%s: %w", name, err)
	}
	return syncDir(d.root)
}
