package snapshots

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Names of the key files inside a store.
const (
	signerFile   = "signing.key" // 0600
	verifierFile = "signing.pub" // one verifier key a line; old ones stay for old heads
)

// makeKeys creates the key pair of a store. The key's name carries the
// environment, so that a head of another one does not even verify.
func makeKeys(dir, environment string) error {
	private, public, err := note.GenerateKey(rand.Reader, "holdfast/"+environment)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	if err := writeFile(filepath.Join(dir, verifierFile), []byte(public+"\n"), 0o644); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, signerFile), []byte(private+"\n"), 0o600)
}

// LoadSigner reads a private key file. One that others can read is refused.
func LoadSigner(path string) (note.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("signing key %s: mode %04o lets others read it: chmod 600 it, and make a new key if somebody may have", path, info.Mode().Perm())
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("signing key: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(raw)))
	if err != nil {
		return nil, fmt.Errorf("signing key %s: %w: put the file back from a backup", path, err)
	}
	return signer, nil
}

// LoadVerifiers reads a file of verifier keys, one a line.
func LoadVerifiers(path string) (note.Verifiers, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("verifier keys: %w", err)
	}
	var keys []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" {
			keys = append(keys, line)
		}
	}
	list, err := Verifiers(keys)
	if err != nil {
		return nil, fmt.Errorf("verifier keys %s: %w: put the file back from a backup", path, err)
	}
	return list, nil
}

// Verifiers reads verifier keys as signing.pub has them: name+hash+key. There
// must be one at least.
func Verifiers(keys []string) (note.Verifiers, error) {
	var list []note.Verifier
	for _, key := range keys {
		v, err := note.NewVerifier(key)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		list = append(list, v)
	}
	if len(list) == 0 {
		return nil, errors.New("there is none")
	}
	return note.VerifierList(list...), nil
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
