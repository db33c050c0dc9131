package snapshots

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Retention says how much history is kept: the last Generations whole, and
// beyond them, up to Age, the newest of each Every. The last-known-good always
// stays. What is older than the last Plain generations is compressed.
type Retention struct {
	Generations int
	Age         time.Duration
	Every       time.Duration
	Plain       int
}

// DefaultRetention keeps 1,000 generations and 30 days.
func DefaultRetention() Retention {
	return Retention{Generations: 1000, Age: 30 * 24 * time.Hour, Every: 10 * time.Minute, Plain: 50}
}

// Pruned counts what Prune did.
type Pruned struct {
	Heads   int // generations removed from the history
	Files   int // manifests and parts removed, both copies
	Packed  int // manifests and parts compressed, both copies
	Skipped int // files that could not be compressed, and stay as they are
}

// Prune removes history beyond the retention, then the manifests and parts that
// nothing names any more, and compresses what is old. Generations may be stored
// meanwhile. It removes nothing that it cannot account for: if a head or a
// manifest that stays does not read, every part stays.
func (d *Dir) Prune(keep Retention, now time.Time) (Pruned, error) {
	if keep.Generations <= 0 || keep.Age <= 0 || keep.Every <= 0 {
		return Pruned{}, errors.New("prune: the retention names no generations, age and interval: nothing was removed")
	}
	d.pruning.Lock()
	defer d.pruning.Unlock()
	good, stay, drop, err := d.choose(keep, now)
	if err != nil {
		return Pruned{}, fmt.Errorf("prune: %w: nothing was removed", err)
	}
	defer d.stopTracking()
	alive, young, err := d.alivePlain(good, stay, max(keep.Plain, 1))
	if err != nil {
		return Pruned{}, fmt.Errorf("prune: %w: nothing was removed: verify the store first", err)
	}
	out, err := d.drop(drop, alive)
	if err != nil {
		return out, fmt.Errorf("prune: %w", err)
	}
	for _, r := range d.replicas {
		r.packOld(young, d.opt.Limits, &out)
	}
	return out, nil
}

// choose splits the history into what stays and what goes, and starts to track
// what is stored from now on.
func (d *Dir) choose(keep Retention, now time.Time) (good, stay, drop []Head, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	raws, good := d.goodHeads()
	if len(good) == 0 || len(good) != distinct(raws) {
		return nil, nil, nil, errors.New("a last-known-good does not verify")
	}
	all := d.history()
	recent := max(0, len(all)-keep.Generations)
	stay = append(stay, all[recent:]...)
	slot := int64(-1)
	for _, h := range slices.Backward(all[:recent]) {
		at := h.CreatedAt / int64(keep.Every)
		old := now.Sub(time.Unix(0, h.CreatedAt)) >= keep.Age
		if !slices.Contains(good, h) && (old || at == slot) {
			drop = append(drop, h)
			continue
		}
		slot = at
		stay = append(stay, h)
	}
	slices.SortFunc(stay, Head.Compare)
	d.alive = map[Sum]bool{}
	return good, stay, drop, nil
}

func distinct(m map[int][]byte) int {
	seen := map[string]bool{}
	for _, raw := range m {
		seen[string(raw)] = true
	}
	return len(seen)
}

func (d *Dir) stopTracking() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alive = nil
}

// alivePlain is everything that the heads name, and the part of it that is
// young enough to stay uncompressed. Nothing is locked: these files never change.
func (d *Dir) alivePlain(good, stay []Head, plain int) (alive, young map[Sum]bool, err error) {
	alive, young = map[Sum]bool{}, map[Sum]bool{}
	add := func(h Head, isYoung bool) error {
		if alive[Sum(h.ID)] && (!isYoung || young[Sum(h.ID)]) {
			return nil
		}
		sums, err := d.named(h.ID)
		if err != nil {
			return fmt.Errorf("generation %d: %w", h.Generation, err)
		}
		for _, sum := range append(sums, Sum(h.ID)) {
			alive[sum] = true
			if isYoung {
				young[sum] = true
			}
		}
		return nil
	}
	for i, h := range stay {
		if err := add(h, i >= len(stay)-plain); err != nil {
			return nil, nil, err
		}
	}
	for _, h := range good {
		if err := add(h, true); err != nil {
			return nil, nil, err
		}
	}
	return alive, young, nil
}

// named reads the hashes in a manifest, from either copy.
func (d *Dir) named(id ID) ([]Sum, error) {
	var errs []error
	for _, r := range d.replicas {
		raw, err := readStored(r.manifest(id), d.opt.Limits.ManifestBytes)
		var m Manifest
		if err == nil && sumOf(raw) != Sum(id) {
			err = invalid("hash", "", "", r.manifest(id)+" was changed")
		}
		if err == nil {
			err = json.Unmarshal(raw, &m)
		}
		if err == nil {
			return m.sums(), nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// drop removes heads, and then every manifest and part that is not alive.
func (d *Dir) drop(heads []Head, alive map[Sum]bool) (out Pruned, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(heads) > 0 {
		// First that they are gone: a copy that is away now must not bring them back.
		d.readTombs() // and a copy that came back has a list of its own
		all := d.pruned.with(tombsOf(heads))
		if _, err := d.both(func(r replica) error { return writeFile(r.tombs(), all.encode(), 0o600) }, item{kind: goodItem}); err != nil {
			return out, err
		}
		d.pruned = all
	}
	d.drops++
	gone := make(map[uint64]bool, len(heads))
	for _, h := range heads {
		for _, r := range d.replicas {
			if err := os.Remove(r.head(h.Generation)); err != nil && !missing(err) {
				d.note(r.head(h.Generation), err, false)
				d.owe([]item{{kind: headItem, generation: h.Generation}})
			}
		}
		gone[h.Generation] = true
		out.Heads++
	}
	d.heads = slices.DeleteFunc(d.heads, func(h Head) bool { return gone[h.Generation] })
	for sum := range d.alive {
		alive[sum] = true
	}
	for sum := range d.known {
		if !alive[sum] {
			delete(d.known, sum)
		}
	}
	for _, r := range d.replicas {
		for path, sum := range r.stored() {
			if alive[sum] {
				continue
			}
			if err := os.Remove(path); err != nil && !missing(err) {
				return out, err
			}
			out.Files++
		}
	}
	return out, nil
}

// packOld compresses what is not young.
func (r replica) packOld(young map[Sum]bool, limits Limits, out *Pruned) {
	for path, sum := range r.stored() {
		if young[sum] || strings.HasSuffix(path, packed) {
			continue
		}
		if err := pack(path, sum, limits.PartBytes); err != nil {
			out.Skipped++
			continue
		}
		out.Packed++
	}
}

// stored is every manifest and part of a copy, by path.
func (r replica) stored() map[string]Sum {
	out := map[string]Sum{}
	for _, pattern := range []string{"manifests/*.json*", "parts/??/*.json*"} {
		paths, err := filepath.Glob(filepath.Join(r.root, pattern))
		if err != nil {
			continue // only of a bad pattern
		}
		for _, path := range paths {
			name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), packed), ".json")
			if Sum(name).valid() {
				out[path] = Sum(name)
			}
		}
	}
	return out
}
