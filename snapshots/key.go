package snapshots

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
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

// keyName is the name in a store's keys.
func keyName(environment string) string { return "holdfast/" + environment }

// publicOf is the verifier key of a private key, so that one file of the two is
// enough to read everything that this key ever signed.
func publicOf(private string) (string, error) {
	fields := strings.Split(strings.TrimPrefix(private, "PRIVATE+KEY+"), "+")
	if len(fields) < 3 {
		return "", errors.New("not a private key")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.Join(fields[2:], "+"))
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return "", errors.New("not an ed25519 private key")
	}
	return note.NewEd25519VerifierKey(fields[0], ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey))
}

// makeKeys creates the key pair of a store that has none. What is there of an
// older one stays, usable or not: an older head must stay readable, and a new key
// is for a person to make. A key of another environment is refused (invariant 12).
func makeKeys(dir, environment string) error {
	signer, err := LoadSigner(filepath.Join(dir, signerFile))
	if err == nil && signer.Name() != keyName(environment) {
		return fmt.Errorf("%s is a key of %s, this is %s: point data_dir at the right directory", filepath.Join(dir, signerFile), signer.Name(), keyName(environment))
	}
	if _, noPublic := os.Lstat(filepath.Join(dir, verifierFile)); !missing(err) || !missing(noPublic) {
		return nil
	}
	return newKeys(dir, environment)
}

// newKeys writes a new key pair. Verifier keys that are there stay.
func newKeys(dir, environment string) error {
	private, public, err := note.GenerateKey(rand.Reader, keyName(environment))
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	had, err := os.ReadFile(filepath.Join(dir, verifierFile))
	if err != nil && !missing(err) {
		return fmt.Errorf("verifier keys: %w", err)
	}
	if err := writeFile(filepath.Join(dir, verifierFile), append(had, public+"\n"...), 0o644); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, signerFile), []byte(private+"\n"), 0o600)
}

// Rekey gives a store whose signing key is lost a new one, and returns its
// verifier key. The old verifier keys stay, so that older heads can be read. A
// store that has its key is refused, and so is one that a daemon has open.
func Rekey(root, environment string) (public string, err error) {
	d, err := Open(root, Options{Environment: environment})
	if err != nil {
		return "", fmt.Errorf("rekey: %w", err)
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if d.Unsigned() == "" {
		return "", fmt.Errorf("rekey: %s is there and usable: nothing was changed", filepath.Join(root, signerFile))
	}
	path := filepath.Join(root, signerFile)
	if err := os.Rename(path, path+".damaged"); err != nil && !missing(err) {
		return "", fmt.Errorf("rekey: %w", err)
	}
	if _, err := LoadVerifiers(filepath.Join(root, verifierFile)); err != nil && !missing(err) {
		if err := os.Rename(filepath.Join(root, verifierFile), filepath.Join(root, verifierFile+".damaged")); err != nil {
			return "", fmt.Errorf("rekey: %w", err)
		}
	}
	if err := newKeys(root, environment); err != nil {
		return "", fmt.Errorf("rekey: %w", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("rekey: %w", err)
	}
	return publicOf(strings.TrimSpace(string(raw)))
}

// loadKeys reads the store's own keys, or takes the pinned ones of the store
// that is followed. A key that is gone keeps nothing from being read that
// another one can vouch for: the daemon must start, and say so (invariant 3).
func (d *Dir) loadKeys() (err error) {
	if len(d.opt.Follow) > 0 {
		d.verifiers, err = Verifiers(d.opt.Follow)
		return err
	}
	public := filepath.Join(d.root, verifierFile)
	d.verifiers, err = LoadVerifiers(public)
	if d.opt.ReadOnly {
		return err
	}
	signer, unsigned := LoadSigner(filepath.Join(d.root, signerFile))
	if unsigned == nil {
		d.signer = signer
	} else {
		d.unsigned = unsigned.Error()
		d.note(filepath.Join(d.root, signerFile), unsigned, false)
	}
	if err == nil {
		return nil
	}
	d.verifiers = note.VerifierList()
	lost := err
	if d.signer != nil {
		lost = d.rederive(public)
	}
	d.note(public, err, lost == nil)
	if lost != nil {
		d.unsigned = strings.TrimPrefix(d.unsigned+"; "+err.Error(), "; ")
		d.signer = nil
	}
	return nil
}

// rederive writes the verifier key of the private one.
func (d *Dir) rederive(path string) error {
	raw, err := os.ReadFile(filepath.Join(d.root, signerFile))
	if err != nil {
		return err
	}
	public, err := publicOf(strings.TrimSpace(string(raw)))
	if err != nil {
		return err
	}
	if d.verifiers, err = Verifiers([]string{public}); err != nil {
		return err
	}
	_ = os.Rename(path, path+".damaged") // it may have held older keys
	return writeFile(path, []byte(public+"\n"), 0o644)
}

// Unsigned says why the store can sign nothing; empty if it can. It still reads
// what it can verify, and a new generation is an error.
func (d *Dir) Unsigned() string { return d.unsigned }

// cannotSign is why a store without a signer stores nothing.
func (d *Dir) cannotSign() error {
	if d.unsigned == "" {
		return errFollower
	}
	return fmt.Errorf("%w: %s: put the file back from a backup, or stop the daemon and make a new one with holdfastd rekey", ErrUnsigned, d.unsigned)
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
