package snapshots

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Permit is the leave to activate one generation: a tiny signed file beside the
// head. A speaker that follows this store stages and verifies what the head
// names, and activates it only while a permit names the same generation.
// Freezing is removing the permit, so it stays possible when nothing can be
// written. A permit takes nothing off the wire: without one, things stay.
type Permit struct {
	Environment string `json:"environment"`
	Epoch       uint64 `json:"permit_epoch"`
	Generation  uint64 `json:"permit_generation"`
	ID          ID     `json:"permit_id"`
	IssuedAt    int64  `json:"issued_at"` // Unix nanoseconds
}

const permitFile = "permit.note"

// Allows reports whether the permit is for exactly this generation. The zero
// Permit allows nothing.
func (p Permit) Allows(h Head) bool {
	return p.ID != "" && p.Generation > 0 && p.Environment == h.Environment && p.Epoch == h.Epoch && p.Generation == h.Generation && p.ID == h.ID
}

// PermitFor is the permit of a generation.
func PermitFor(h Head, at int64) Permit {
	return Permit{Environment: h.Environment, Epoch: h.Epoch, Generation: h.Generation, ID: h.ID, IssuedAt: at}
}

// OpenPermit verifies a signed permit and checks its environment. The error is
// an *Invalid.
func OpenPermit(raw []byte, known note.Verifiers, environment string) (Permit, error) {
	line, err := openLine("permit", raw, known)
	if err != nil {
		return Permit{}, err
	}
	var p Permit
	if err := decodeLine("permit", line, &p); err != nil {
		return Permit{}, err
	}
	if environment == "" || p.Environment != environment {
		return Permit{}, invalid("environment", "", "", fmt.Sprintf("permit is of environment %q, this one is %q", p.Environment, environment))
	}
	if p.Generation == 0 || !Sum(p.ID).valid() {
		return Permit{}, invalid("generation", "", "", "permit names no generation")
	}
	return p, nil
}

// Permit lets speakers that follow this store activate a generation.
func (d *Dir) Permit(p Permit) error {
	if d.signer == nil {
		return d.cannotSign()
	}
	if p.Environment != d.opt.Environment || p.Generation == 0 || !Sum(p.ID).valid() {
		return fmt.Errorf("permit: generation %d of environment %q is none of this store", p.Generation, p.Environment)
	}
	signed, err := signLine(p, d.signer)
	if err != nil {
		return fmt.Errorf("permit generation %d: %w", p.Generation, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.both(func(r replica) error { return writeFile(r.permit(), signed, 0o600) }); err != nil {
		return fmt.Errorf("permit generation %d: %w", p.Generation, err)
	}
	return nil
}

// Revoke removes the permit from both copies: whoever follows stays where it is.
func (d *Dir) Revoke() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, r := range d.replicas {
		if err := os.Remove(r.permit()); err != nil && !missing(err) {
			errs = append(errs, fmt.Errorf("revoke permit: %w", err))
		}
	}
	return errors.Join(errs...)
}

// Signed gives the last-known-good's head and the permit as signed, for those
// who follow. Missing is nil.
func (d *Dir) Signed() (head, permit []byte) {
	for _, r := range d.replicas {
		if raw, err := readFile(r.good(), maxHeadBytes); err == nil && head == nil {
			if _, err := OpenHead(raw, d.verifiers, d.opt.Environment); err == nil {
				head = raw
			}
		}
		if raw, err := readFile(r.permit(), maxHeadBytes); err == nil && permit == nil {
			permit = raw
		}
	}
	return head, permit
}

func (r replica) permit() string { return filepath.Join(r.root, permitFile) }

// openLine verifies a signed note of one line and gives the line.
func openLine(what string, raw []byte, known note.Verifiers) ([]byte, error) {
	if len(raw) > maxHeadBytes {
		return nil, invalid("size."+what, "", "", what+" is too large")
	}
	n, err := note.Open(raw, known)
	if err != nil {
		return nil, invalid("signature", "", "", err.Error()+": the "+what+" was changed or signed with another key")
	}
	line, found := strings.CutSuffix(n.Text, "\n")
	if !found || strings.Contains(line, "\n") {
		return nil, invalid("json", "", "", what+" is not one line")
	}
	return []byte(line), nil
}

// decodeLine reads exactly one JSON value that is written the one way there is.
func decodeLine(what string, line []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return invalid("json", "", "", what+": "+err.Error())
	}
	if _, err := dec.Token(); err != io.EOF {
		return invalid("json", "", "", what+": there is more after the value")
	}
	if again, err := json.Marshal(into); err != nil || !bytes.Equal(again, line) {
		return invalid("canonical", "", "", what+": a field is repeated, missing or written in another way")
	}
	return nil
}

// signLine writes a value as a signed note of one line of JSON.
func signLine(v any, signer note.Signer) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return note.Sign(&note.Note{Text: string(line) + "\n"}, signer)
}

// OpenHead verifies a head against the keys and the environment of the store.
func (d *Dir) OpenHead(raw []byte) (Head, error) {
	return OpenHead(raw, d.verifiers, d.opt.Environment)
}

// OpenPermit verifies a permit against the keys and the environment of the
// store.
func (d *Dir) OpenPermit(raw []byte) (Permit, error) {
	return OpenPermit(raw, d.verifiers, d.opt.Environment)
}
