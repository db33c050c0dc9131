package snapshots

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// writeFile replaces a file in one step and makes the step durable: temporary
// file, fsync, rename, fsync of the directory.
func writeFile(path string, data []byte, mode fs.FileMode) error {
	if err := replaceFile(path, data, mode); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile is writeFile without the fsync of the directory, for callers
// that write many files and then fsync each directory once.
func replaceFile(path string, data []byte, mode fs.FileMode) error {
	dir := filepath.Dir(path)
	opts := []renameio.Option{renameio.WithTempDir(dir), renameio.WithStaticPermissions(mode)}
	err := renameio.WriteFile(path, data, mode, opts...)
	if missing(err) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if err := syncDir(filepath.Dir(dir)); err != nil {
			return err
		}
		err = renameio.WriteFile(path, data, mode, opts...)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	err = errors.Join(f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("sync %s: %w", dir, err)
	}
	return nil
}

// packed is what a file of old history is called once it is compressed.
const packed = ".zst"

// readStored reads a content-addressed file, compressed or not.
func readStored(path string, limit int64) ([]byte, error) {
	raw, err := readFile(path, limit)
	if !missing(err) {
		return raw, err
	}
	small, errPacked := readFile(path+packed, limit)
	if errPacked != nil {
		return nil, err
	}
	return unpack(small, limit)
}

// readFile reads a regular file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("%s: %d bytes, the limit is %d", path, info.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(f, limit+1))
}
