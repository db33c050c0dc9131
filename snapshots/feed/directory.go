package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/klauspost/compress/zstd"
)

// Directory is a feed in files: a daemon's snapshot directory, or one copy of
// it, wherever it was carried to.
type Directory struct {
	Root   string
	Report string // file that reports are written to; empty writes none
}

// How often a directory is looked at, and how long Poll waits for a change.
const (
	lookEvery = 200 * time.Millisecond
	lookFor   = 2 * time.Second
)

// copies are the places in which things may lie.
func (d Directory) copies() []string {
	return []string{d.Root, filepath.Join(d.Root, "a"), filepath.Join(d.Root, "b")}
}

// Poll gives the pointer, after a while if it is still the last one.
func (d Directory) Poll(ctx context.Context, last Pointer) (Pointer, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for end := time.Now().Add(lookFor); ; {
		p, err := d.pointer()
		if err != nil || !p.Equal(last) || time.Now().After(end) {
			return p, err
		}
		select {
		case <-ctx.Done():
			return p, ctx.Err()
		case <-tick.C:
		}
	}
}

// pointer reads both notes from the same copy: the one with a head.
func (d Directory) pointer() (Pointer, error) {
	var errs []error
	for _, root := range d.copies() {
		head, err := readBounded(filepath.Join(root, "good.note"), maxPointer)
		if err == nil && len(head) == 0 {
			err = fmt.Errorf("%s: it is empty: nothing new is taken until it is put right", filepath.Join(root, "good.note"))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		permit, err := readBounded(filepath.Join(root, "permit.note"), maxPointer)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Pointer{}, fmt.Errorf("feed: %w", err)
		}
		return Pointer{Head: head, Permit: permit}, nil
	}
	for _, err := range errs {
		if !errors.Is(err, fs.ErrNotExist) {
			return Pointer{}, fmt.Errorf("feed %s: %w", d.Root, err)
		}
	}
	return Pointer{}, fmt.Errorf("feed %s: %w", d.Root, ErrEmpty)
}

// Manifest implements snapshots.Source.
func (d Directory) Manifest(_ context.Context, id snapshots.ID) ([]byte, error) {
	return d.stored(filepath.Join("manifests", filepath.Base(string(id))+".json"), snapshots.DefaultLimits().ManifestBytes)
}

// Parts implements snapshots.Source.
func (d Directory) Parts(ctx context.Context, _, _ snapshots.ID, want []snapshots.PartRef, put func(snapshots.Sum, []byte) error) error {
	for _, ref := range want {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := filepath.Base(string(ref.SHA256))
		if len(name) < 2 {
			return fmt.Errorf("feed %s: %q is no part", d.Root, ref.SHA256)
		}
		raw, err := d.stored(filepath.Join("parts", name[:2], name+".json"), ref.Size)
		if err != nil {
			return err
		}
		if err := put(ref.SHA256, raw); err != nil {
			return fmt.Errorf("feed %s: %s: %w", d.Root, name, err)
		}
	}
	return nil
}

// stored reads from the first copy that has the file, compressed or not.
func (d Directory) stored(name string, limit int64) ([]byte, error) {
	var errs []error
	for _, root := range d.copies() {
		raw, err := readBounded(filepath.Join(root, name), limit)
		if err == nil {
			return raw, nil
		}
		errs = append(errs, err)
		small, err := readBounded(filepath.Join(root, name+".zst"), limit)
		if err != nil {
			continue
		}
		if raw, err = unpack(small, limit); err == nil {
			return raw, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("feed: %w", errors.Join(errs...))
}

func unpack(small []byte, limit int64) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(limit, 1))))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return dec.DecodeAll(small, nil)
}

// Send writes the report to its file, whole or not at all.
func (d Directory) Send(_ context.Context, r Report) error {
	if d.Report == "" {
		return nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(d.Report), 0o700); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if err := renameio.WriteFile(d.Report, append(raw, '\n'), 0o640); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// readBounded reads a regular file of at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case info.Size() > limit:
		return nil, fmt.Errorf("%s: %d bytes, at most %d are taken", path, info.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}
