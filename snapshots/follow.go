package snapshots

import (
	"context"
	"errors"
	"fmt"
)

// Source is where a store that follows gets what it lacks. What it gives is
// checked like hostile input.
type Source interface {
	// Manifest gives the bytes of a manifest.
	Manifest(ctx context.Context, id ID) ([]byte, error)
	// Parts gives the parts of manifest id that are wanted, in any order, each
	// to put. base is a manifest that the caller has whole, or empty.
	Parts(ctx context.Context, id, base ID, want []PartRef, put func(sum Sum, raw []byte) error) error
}

// ErrForked means that a generation came under two identities.
var ErrForked = errors.New("this generation is known under another snapshot id")

var errFollower = errors.New("this store follows another one and signs nothing")

// batchBytes is how much of what a Source gives is held in memory before it is
// written.
const batchBytes = 16 << 20

// Accept stages a generation of the store that is followed: its signature, its
// environment and its place in time are checked, what is missing is fetched,
// the whole is validated like any load, and only then it counts as seen. An
// older generation than the highest seen is refused with ErrOlder, whoever
// sends it; one that was accepted before is loaded again. Nothing here makes it
// the last-known-good: Activate does. One Accept at a time; parts that base has
// too are shared with it.
func (d *Dir) Accept(ctx context.Context, signed []byte, from Source, base *Snapshot) (Loaded, error) {
	h, err := OpenHead(signed, d.verifiers, d.opt.Environment)
	if err != nil {
		return Loaded{}, fmt.Errorf("accept: %w", err)
	}
	known, err := d.seen(h)
	if err != nil {
		return Loaded{}, fmt.Errorf("accept (epoch %d, generation %d): %w", h.Epoch, h.Generation, err)
	}
	if err := d.take(ctx, h, from, base); err != nil {
		return Loaded{}, fmt.Errorf("accept generation %d: %w", h.Generation, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, err := d.load(h, base)
	if err != nil {
		return Loaded{}, fmt.Errorf("accept generation %d: %w", h.Generation, err)
	}
	if !known {
		if err := d.remember(h, signed); err != nil {
			return Loaded{}, fmt.Errorf("accept generation %d: %w", h.Generation, err)
		}
	}
	return Loaded{Head: h, Snapshot: s}, nil
}

// seen compares a head with the highest that was ever accepted.
func (d *Dir) seen(h Head) (known bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch top := d.highest; {
	case top.before(h):
		return false, nil
	case top != (mark{h.Epoch, h.Generation}):
		return false, fmt.Errorf("%w (epoch %d, generation %d)", ErrOlder, top.epoch, top.generation)
	}
	for _, r := range d.replicas {
		have, err := d.readHead(r, h.Generation)
		if err != nil {
			continue
		}
		if have != h {
			return false, fmt.Errorf("%w: %s, now %s", ErrForked, have.ID, h.ID)
		}
		known = true
	}
	return known, nil // neither: the mark was written and the head was not
}

// take fetches what neither copy has.
func (d *Dir) take(ctx context.Context, h Head, from Source, base *Snapshot) error {
	m, err := d.takeManifest(ctx, h.ID, from)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	refs := map[Sum]PartRef{m.Network.SHA256: m.Network}
	for _, a := range m.Accounts {
		refs[a.SHA256] = a.Part()
	}
	if base != nil && base.seal != nil {
		for _, sum := range base.seal.manifest.sums() {
			delete(refs, sum) // it was loaded from here
		}
	}
	var want []PartRef
	for sum, ref := range refs {
		if !d.has(func(r replica) string { return r.part(sum) }, sum, d.opt.Limits.PartBytes) {
			want = append(want, ref)
		}
	}
	if len(want) == 0 {
		return nil
	}
	return d.takeParts(ctx, h.ID, base.ID(), from, want, refs)
}

func (d *Dir) has(path func(replica) string, sum Sum, limit int64) bool {
	for _, r := range d.replicas {
		if holds(path(r), sum, limit) {
			return true
		}
	}
	return false
}

func (d *Dir) takeManifest(ctx context.Context, id ID, from Source) (Manifest, error) {
	want := Expect{Environment: d.opt.Environment, Limits: d.opt.Limits}
	if m, err := d.Manifest(id); err == nil {
		return m, nil
	}
	raw, err := from.Manifest(ctx, id)
	if err != nil {
		return Manifest{}, err
	}
	if int64(len(raw)) > d.opt.Limits.ManifestBytes {
		return Manifest{}, invalid("size.manifest", "", "", "manifest is too large")
	}
	m, err := decodeManifest(raw, id, want)
	if err != nil {
		return m, err
	}
	_, err = d.both(func(r replica) error {
		return writeOnce(map[string][]byte{r.manifest(id): raw}, d.opt.Limits.ManifestBytes)
	}, item{kind: manifestItem, sum: Sum(id)})
	return m, err
}

// takeParts writes what comes in batches, so that a full table is neither held
// in memory nor written with one fsync of a directory for each part.
func (d *Dir) takeParts(ctx context.Context, id, base ID, from Source, want []PartRef, refs map[Sum]PartRef) error {
	batch, size := map[Sum][]byte{}, 0
	flush := func() error {
		var about []item
		for sum := range batch {
			about = append(about, item{kind: partItem, sum: sum})
		}
		_, err := d.both(func(r replica) error {
			files := make(map[string][]byte, len(batch))
			for sum, raw := range batch {
				files[r.part(sum)] = raw
			}
			return writeOnce(files, d.opt.Limits.PartBytes)
		}, about...)
		clear(batch)
		size = 0
		return err
	}
	err := from.Parts(ctx, id, base, want, func(sum Sum, raw []byte) error {
		ref, wanted := refs[sum]
		if !wanted {
			return nil
		}
		if err := checkBytes(raw, ref); err != nil {
			return err
		}
		batch[sum] = raw
		if size += len(raw); size < batchBytes {
			return nil
		}
		return flush()
	})
	if err != nil {
		return fmt.Errorf("parts: %w", err)
	}
	return flush()
}

// remember writes the mark and then the head: a head that can be read has
// everything it names, and its number is spent.
func (d *Dir) remember(h Head, signed []byte) error {
	next := mark{h.Epoch, h.Generation}
	if _, err := d.both(func(r replica) error {
		if err := r.writeMark(next); err != nil {
			return err
		}
		return writeFile(r.head(h.Generation), signed, 0o600)
	}, item{kind: headItem, generation: h.Generation}, item{kind: goodItem}); err != nil {
		return err
	}
	d.highest = next
	if d.heads != nil {
		d.heads = append(d.heads, h)
	}
	return nil
}

// Activate makes an accepted generation the last-known-good, in both copies.
func (d *Dir) Activate(h Head) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	signed, err := d.signed(h)
	if err != nil {
		return fmt.Errorf("activate: %w", err)
	}
	if _, err := d.both(func(r replica) error { return writeFile(r.good(), signed, 0o600) }); err != nil {
		return fmt.Errorf("activate generation %d: %w", h.Generation, err)
	}
	return nil
}

// Stored reads a manifest or a part by content, from whichever copy has it
// intact, for those who follow this store.
func (d *Dir) Stored(sum Sum, manifest bool) ([]byte, error) {
	if !sum.valid() {
		return nil, fmt.Errorf("%q: %w", sum, ErrUnknown)
	}
	path, limit := func(r replica) string { return r.part(sum) }, d.opt.Limits.PartBytes
	if manifest {
		path, limit = func(r replica) string { return r.manifest(ID(sum)) }, d.opt.Limits.ManifestBytes
	}
	for _, r := range d.replicas {
		if raw, err := readStored(path(r), limit); err == nil && sumOf(raw) == sum {
			return raw, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", sum, ErrUnknown)
}
