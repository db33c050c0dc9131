package snapshots

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// replica is one of the two directories that hold the same things:
//
//	parts/ab/<sha256>.json       account and network parts
//	manifests/<id>.json          manifests
//	heads/<generation>.note      history, one signed head each
//	good.note                    the head of the last-known-good
//	generation                   the highest (epoch, generation) ever stored
//	pruned                       generations that were removed from the history
type replica struct{ root string }

const (
	goodFile       = "good.note"
	generationFile = "generation"
)

func (r replica) part(s Sum) string {
	return filepath.Join(r.root, "parts", string(s[:2]), string(s)+".json")
}
func (r replica) manifest(id ID) string {
	return filepath.Join(r.root, "manifests", string(id)+".json")
}
func (r replica) head(generation uint64) string {
	return filepath.Join(r.root, "heads", fmt.Sprintf("%020d.note", generation))
}
func (r replica) good() string  { return filepath.Join(r.root, goodFile) }
func (r replica) mark() string  { return filepath.Join(r.root, generationFile) }
func (r replica) tombs() string { return filepath.Join(r.root, prunedFile) }

// create makes the directories.
func (r replica) create() error {
	for _, sub := range []string{"parts", "manifests", "heads"} {
		if err := os.MkdirAll(filepath.Join(r.root, sub), 0o700); err != nil {
			return fmt.Errorf("snapshot directory: %w", err)
		}
	}
	return syncDir(r.root)
}

// generations lists the generations in the history, ascending.
func (r replica) generations() ([]uint64, error) {
	entries, err := os.ReadDir(filepath.Join(r.root, "heads"))
	if err != nil {
		return nil, err
	}
	var out []uint64
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), ".note")
		if g, err := strconv.ParseUint(name, 10, 64); found && err == nil && len(name) == 20 {
			out = append(out, g)
		}
	}
	slices.Sort(out)
	return out, nil
}

// mark is the highest (epoch, generation) that was ever stored.
type mark struct{ epoch, generation uint64 }

func (m mark) before(h Head) bool {
	return h.Epoch > m.epoch && h.Generation > m.generation || h.Epoch == m.epoch && h.Generation > m.generation
}

func (r replica) readMark() (mark, error) { return readMark(r.mark()) }

func (r replica) writeMark(m mark) error { return writeMark(r.mark(), m) }

func readMark(path string) (mark, error) {
	raw, err := readFile(path, 1024)
	if err != nil {
		return mark{}, err
	}
	epoch, generation, found := strings.Cut(strings.TrimSuffix(string(raw), "\n"), " ")
	e, err1 := strconv.ParseUint(epoch, 10, 64)
	g, err2 := strconv.ParseUint(generation, 10, 64)
	if !found || err1 != nil || err2 != nil || !strings.HasSuffix(string(raw), "\n") {
		return mark{}, fmt.Errorf("%s: not an epoch and a generation", path)
	}
	return mark{e, g}, nil
}

func writeMark(path string, m mark) error {
	return writeFile(path, m.encode(), 0o600)
}

func (m mark) encode() []byte { return fmt.Appendf(nil, "%d %d\n", m.epoch, m.generation) }

// holds reports whether a content-addressed file is there and intact.
func holds(path string, sum Sum, limit int64) bool {
	raw, err := readStored(path, limit)
	return err == nil && sumOf(raw) == sum
}

// writeOnce writes content-addressed files that are not there or not intact,
// and fsyncs each directory once.
func writeOnce(files map[string][]byte, limit int64) error {
	paths := make([]string, 0, len(files))
	for p := range files {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	written := make([]bool, len(paths))
	if err := each(len(paths), func(i int) error {
		raw := files[paths[i]]
		if holds(paths[i], sumOf(raw), limit) {
			return nil
		}
		written[i] = true
		return replaceFile(paths[i], raw, 0o600)
	}); err != nil {
		return err
	}
	dirs := map[string]bool{}
	for i, p := range paths {
		if written[i] {
			dirs[filepath.Dir(p)] = true
		}
	}
	for dir := range dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
