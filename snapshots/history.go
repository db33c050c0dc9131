package snapshots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// History lists the heads in the store, oldest first. Heads that do not verify
// in either copy are left out and noted as Damage.
func (d *Dir) History() []Head {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.history()
}

func (d *Dir) history() []Head {
	found := map[uint64]Head{}
	broken := map[uint64]error{}
	for _, r := range d.replicas {
		generations, err := r.generations()
		if err != nil {
			d.note(r.root, err, false)
		}
		for _, g := range generations {
			if _, have := found[g]; have {
				continue
			}
			if h, err := d.readHead(r, g); err == nil {
				found[g] = h
				delete(broken, g)
			} else {
				broken[g] = err
			}
		}
	}
	for g, err := range broken {
		d.note(d.replicas[0].head(g), err, false)
	}
	out := make([]Head, 0, len(found))
	for _, h := range found {
		out = append(out, h)
	}
	slices.SortFunc(out, Head.Compare)
	return out
}

// Retention says how much history is kept. A head stays while it is among the
// last Generations or younger than Age; the last-known-good always stays. The
// zero Retention keeps everything.
type Retention struct {
	Generations int
	Age         time.Duration
}

// DefaultRetention keeps 1,000 generations and 30 days, whichever is more.
func DefaultRetention() Retention { return Retention{Generations: 1000, Age: 30 * 24 * time.Hour} }

// Prune removes history beyond the retention, and then the manifests and parts
// that no remaining head names. It removes nothing that it cannot account for:
// if a remaining head or manifest does not read, no part is removed.
func (d *Dir) Prune(keep Retention, now time.Time) (heads, files int, err error) {
	if keep.Generations <= 0 || keep.Age <= 0 {
		return 0, 0, errors.New("prune: retention names no generations and age: nothing was removed")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	raws, good := d.goodHeads()
	if len(good) != len(uniqueBytes(raws)) {
		return 0, 0, errors.New("prune: a last-known-good does not verify: nothing was removed: verify the store first")
	}
	all := d.history()
	remain := slices.Clone(good)
	for i, h := range all {
		if i >= len(all)-keep.Generations || now.Sub(time.Unix(0, h.CreatedAt)) < keep.Age || slices.Contains(good, h) {
			remain = append(remain, h)
			continue
		}
		for _, r := range d.replicas {
			if err := os.Remove(r.head(h.Generation)); err != nil && !missing(err) {
				return heads, 0, fmt.Errorf("prune: %w", err)
			}
		}
		heads++
	}
	if heads == 0 {
		return 0, 0, nil
	}
	files, err = d.sweep(remain)
	return heads, files, err
}

func uniqueBytes(m map[int][]byte) map[string]bool {
	out := map[string]bool{}
	for _, raw := range m {
		out[string(raw)] = true
	}
	return out
}

// sweep removes manifests and parts that none of the heads names.
func (d *Dir) sweep(remain []Head) (files int, err error) {
	live := map[string]bool{}
	for _, h := range remain {
		m, err := d.manifest(h.ID)
		if err != nil {
			return 0, fmt.Errorf("prune: %w: parts were left alone", err)
		}
		live[string(h.ID)] = true
		live[string(m.Network.SHA256)] = true
		for _, a := range m.Accounts {
			live[string(a.SHA256)] = true
		}
	}
	for _, r := range d.replicas {
		n, err := removeOthers(r, live)
		files += n
		if err != nil {
			return files, fmt.Errorf("prune: %w", err)
		}
	}
	for sum := range d.known {
		if !live[string(sum)] {
			delete(d.known, sum)
		}
	}
	return files, nil
}

func removeOthers(r replica, live map[string]bool) (n int, err error) {
	for _, pattern := range []string{"manifests/*.json", "parts/??/*.json"} {
		paths, err := filepath.Glob(filepath.Join(r.root, pattern))
		if err != nil {
			return n, err
		}
		for _, path := range paths {
			name := strings.TrimSuffix(filepath.Base(path), ".json")
			if !Sum(name).valid() || live[name] {
				continue
			}
			if err := os.Remove(path); err != nil && !missing(err) {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

func (d *Dir) manifest(id ID) (Manifest, error) {
	var m Manifest
	want := Expect{Environment: d.opt.Environment, Limits: d.opt.Limits}
	_, err := d.fetch(Sum(id), func(r replica) string { return r.manifest(id) }, d.opt.Limits.ManifestBytes, func(raw []byte) (err error) {
		m, err = decodeManifest(raw, id, want)
		return err
	})
	return m, err
}

// Manifest reads the manifest of one generation, without its parts.
func (d *Dir) Manifest(id ID) (Manifest, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.manifest(id)
}
