package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Letter is a letter of authorisation as it was uploaded.
type Letter struct {
	ID        string    `json:"id"`
	AccountID string    `json:"account_id"`
	Filename  string    `json:"filename"`
	Size      int       `json:"size_bytes"`
	CreatedAt time.Time `json:"created_at"`
}

// Letters keeps letters of authorisation.
type Letters interface {
	// Put keeps a document. The same document of the same account gets the
	// same id, so that a repeat does not double it.
	Put(ctx context.Context, l Letter, pdf []byte) (Letter, error)
	// Get finds a document of the account; anybody else's is not found.
	Get(ctx context.Context, accountID, id string) (Letter, []byte, error)
}

// LetterDir is Letters in a directory, one folder per account. Letters decide
// nothing about the wire, so that they need no place in the database.
type LetterDir string

// Put writes the PDF first and its record last: a record without its document
// cannot be seen.
func (d LetterDir) Put(_ context.Context, l Letter, pdf []byte) (Letter, error) {
	if !isID(l.AccountID) {
		return l, fmt.Errorf("keep letter: account id %q is not one", l.AccountID)
	}
	sum := sha256.Sum256(append([]byte(l.AccountID+"\x00"), pdf...))
	l.ID, l.Size = hex.EncodeToString(sum[:16]), len(pdf)
	if old, _, err := d.Get(context.Background(), l.AccountID, l.ID); err == nil {
		return old, nil
	}
	dir := filepath.Join(string(d), l.AccountID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return l, fmt.Errorf("keep letter: %w", err)
	}
	record, err := json.Marshal(l)
	if err != nil {
		return l, fmt.Errorf("keep letter: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, l.ID+".pdf"), pdf, 0o600); err != nil {
		return l, fmt.Errorf("keep letter: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, l.ID+".json"), record, 0o600); err != nil {
		return l, fmt.Errorf("keep letter: %w", err)
	}
	if err := syncDir(dir); err != nil {
		return l, fmt.Errorf("keep letter: %w", err)
	}
	return l, nil
}

// Get reads a document back.
func (d LetterDir) Get(_ context.Context, accountID, id string) (Letter, []byte, error) {
	missing := &addressing.Error{Code: addressing.CodeNotFound, Op: "find letter", Detail: "no such letter of authorisation", Message: "not_found"}
	if !isID(accountID) || !isID(id) {
		return Letter{}, nil, missing
	}
	base := filepath.Join(string(d), accountID, id)
	record, err := os.ReadFile(base + ".json")
	if errors.Is(err, fs.ErrNotExist) {
		return Letter{}, nil, missing
	}
	var l Letter
	if err == nil {
		err = json.Unmarshal(record, &l)
	}
	if err != nil {
		return Letter{}, nil, fmt.Errorf("read letter: %w", err)
	}
	pdf, err := os.ReadFile(base + ".pdf")
	if err != nil {
		return Letter{}, nil, fmt.Errorf("read letter: %w", err)
	}
	return l, pdf, nil
}
