package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// dataDir is where everything lives that must survive a restart. Only intent is
// named *.db: journal, snapshots, keys and marker are plain files, so that no
// loss of a database takes them along (DESIGN section 4).
type dataDir string

func (d dataDir) snapshots() string   { return filepath.Join(string(d), "snapshots") }
func (d dataDir) journal() string     { return filepath.Join(string(d), "journal") }
func (d dataDir) database() string    { return filepath.Join(string(d), "intent.db") }
func (d dataDir) tokens() string      { return filepath.Join(string(d), "auth.json") }
func (d dataDir) adjRIBOut() string   { return filepath.Join(string(d), "adj-rib-out") }
func (d dataDir) speakers() string    { return filepath.Join(string(d), "speakers") }
func (d dataDir) letters() string     { return filepath.Join(string(d), "letters") }
func (d dataDir) evidence() string    { return filepath.Join(string(d), "evidence") }
func (d dataDir) emergencies() string { return filepath.Join(string(d), "emergency.json") }
func (d dataDir) approvals() string   { return filepath.Join(string(d), "approvals.json") }
func (d dataDir) limits() string      { return filepath.Join(string(d), "limits.json") }
func (d dataDir) held() string        { return filepath.Join(string(d), "held.json") }
func (d dataDir) notices() string     { return filepath.Join(string(d), "notices.json") }
func (d dataDir) rollouts() string    { return filepath.Join(string(d), "rollouts.json") }
func (d dataDir) machines() string    { return filepath.Join(string(d), "edge.json") }
func (d dataDir) generation() string  { return filepath.Join(string(d), "generation") }
func (d dataDir) marker() string      { return filepath.Join(string(d), "initialised") }

// initialise makes an empty directory ready and says whether this was its
// first start. The marker is written last: a start that dies before is simply
// repeated. A directory that was used but has no marker has lost something:
// nothing but the marker is made anew in it, so that a lost journal means open,
// and the daemon starts, because one that does not withdraws everything once
// the neighbors' restart time is over (invariants 3 and 7).
func (d dataDir) initialise(environment string, at time.Time) (first bool, err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return false, fmt.Errorf("data directory: %w", err)
	}
	switch _, err := os.Lstat(d.marker()); {
	case err == nil:
		return false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return false, fmt.Errorf("data directory: %w", err)
	}
	if d.used() {
		_ = d.mark(environment) // tried again at the next start
		return false, nil
	}
	if err := d.make(environment, at); err != nil {
		return false, fmt.Errorf("data directory %s: %w", d, err)
	}
	return true, d.mark(environment)
}

func (d dataDir) mark(environment string) error {
	if err := renameio.WriteFile(d.marker(), []byte("holdfast data directory of environment "+environment+"\n"), 0o644); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return syncDir(string(d))
}

// used reports whether a daemon ever ran here: the database, the first
// generation and what the neighbors were told are made after the marker.
func (d dataDir) used() bool {
	for _, made := range []string{d.database(), d.generation(), d.adjRIBOut()} {
		if _, err := os.Lstat(made); err == nil {
			return true
		}
	}
	heads, err := filepath.Glob(filepath.Join(d.snapshots(), "*", "heads", "*"))
	return err == nil && len(heads) > 0
}

// make creates what is missing: the signing key and the closed journal.
func (d dataDir) make(environment string, at time.Time) error {
	if _, err := os.Lstat(d.snapshots()); errors.Is(err, fs.ErrNotExist) {
		if err := snapshots.Init(d.snapshots(), snapshots.Options{Environment: environment}); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.journal(), 0o700); err != nil {
		return err
	}
	// A journal that is there already stays: it may have been charged.
	if files, err := os.ReadDir(d.journal()); err != nil || len(files) > 0 {
		return err
	}
	return breaker.Init(d.journal(), at)
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
