package snapshots

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

// Names inside a store's directory.
const (
	stampFile = "environment"
	lockFile  = "lock"
	stampText = "holdfast snapshots 1 "
)

// Sentinels of the store.
var (
	ErrNone           = errors.New("there is no snapshot yet")
	ErrNotInitialised = errors.New("snapshot directory is not initialised")
	ErrOlder          = errors.New("generation is not newer than the newest stored")
	ErrUnknown        = errors.New("generation is not in the history")
	ErrUnsigned       = errors.New("the signing key cannot be used")
)

// Options of a store.
type Options struct {
	Environment string // required
	Second      string // directory of the second copy; empty is "b" inside the store
	Limits      Limits // zero means DefaultLimits
	ReadOnly    bool   // no lock, no writing, no healing
	// Follow pins the keys of another store, one verifier key each. The store
	// then holds copies of that one's generations, taken with Accept, and signs
	// nothing itself.
	Follow []string
	// Marker is a file outside the store that holds the highest generation too,
	// so that losing the whole store lets no number be used twice; empty is none.
	Marker string
}

// Dir is the directory store of snapshots. Everything in it is content-addressed
// or signed and exists twice; what is read is checked like hostile input, and a
// copy that is missing, torn or changed is replaced by the good one. Safe for
// concurrent use by one process; a second one is kept out by a lock.
type Dir struct {
	root      string
	opt       Options
	replicas  [2]replica
	signer    note.Signer
	verifiers note.Verifiers
	unsigned  string // why signer is nil
	lock      *os.File

	mu      sync.Mutex
	highest mark
	known   map[Sum]bool // parts that this process has written to both copies, or found there
	misses  int          // how often a copy was found gone
	heads   []Head       // the history, once it was read
	alive   map[Sum]bool // while Prune is at work: what it must not remove
	pruned  tombs        // generations that must not come back
	drops   int          // how often Prune has removed something

	pruning sync.Mutex // one Prune at a time
	noteMu  sync.Mutex // parts are read in parallel
	damage  []Damage
	late    map[item]bool // what one copy lacks because it could not be written
	healed  [layers]atomic.Uint64
}

// Damage is something that was found wrong in the store, and what became of it.
type Damage struct {
	Path   string `json:"path"`
	Why    string `json:"why"`
	Healed bool   `json:"healed"`
}

func (o Options) replicas(root string) [2]replica {
	second := o.Second
	if second == "" {
		second = filepath.Join(root, "b")
	}
	return [2]replica{{filepath.Join(root, "a")}, {second}}
}

// Init makes an empty store with a signing key of its own. It refuses a
// directory that is initialised already; keys that are there stay.
func Init(root string, o Options) error {
	if !validID(o.Environment) {
		return fmt.Errorf("init snapshots %s: environment %q: 1 to %d letters, digits, '-', '_' or '.'", root, o.Environment, maxID)
	}
	if initialised(root) {
		return fmt.Errorf("init snapshots %s: it is initialised already: nothing was changed", root)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return fmt.Errorf("init snapshots: %w", err)
	}
	for _, r := range o.replicas(root) {
		if err := r.create(); err != nil {
			return fmt.Errorf("init snapshots: %w", err)
		}
	}
	if len(o.Follow) == 0 {
		if err := makeKeys(root, o.Environment); err != nil {
			return fmt.Errorf("init snapshots: %w", err)
		}
	}
	// The stamp comes last: it is what makes the directory initialised.
	return writeFile(filepath.Join(root, stampFile), []byte(stampText+o.Environment+"\n"), 0o644)
}

func initialised(root string) bool {
	_, err := os.Lstat(filepath.Join(root, stampFile))
	return err == nil
}

// Open opens a store and takes its lock.
func Open(root string, o Options) (*Dir, error) {
	if !initialised(root) {
		return nil, fmt.Errorf("open snapshots %s: %w: run holdfastd init, or restore the directory from a backup", root, ErrNotInitialised)
	}
	if err := checkStamp(root, o.Environment); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	o.Limits = o.Limits.orDefault()
	d := &Dir{root: root, opt: o, replicas: o.replicas(root), known: map[Sum]bool{}, late: map[item]bool{}}
	if err := d.loadKeys(); err != nil {
		return nil, fmt.Errorf("open snapshots: %w", err)
	}
	if !o.ReadOnly {
		if err := d.takeLock(); err != nil {
			return nil, fmt.Errorf("open snapshots: %w", err)
		}
		for _, r := range d.replicas {
			if err := r.create(); err != nil {
				d.note(r.root, err, false)
			}
		}
	}
	d.readTombs()
	d.highest = d.findHighest()
	return d, nil
}

func checkStamp(root, environment string) error {
	path := filepath.Join(root, stampFile)
	raw, err := readFile(path, 1024)
	if err != nil {
		return err
	}
	have, found := strings.CutPrefix(strings.TrimSuffix(string(raw), "\n"), stampText)
	if !found {
		return fmt.Errorf("%s: not written by this version: install one that reads it, or restore the file from a backup", path)
	}
	if environment == "" || have != environment {
		return fmt.Errorf("%s: this directory is of environment %q, the configuration says %q: point data_dir at the right one", path, have, environment)
	}
	return nil
}

func (d *Dir) takeLock() error {
	f, err := os.OpenFile(filepath.Join(d.root, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("%s: another holdfastd has it: stop that one first: %w", f.Name(), err)
	}
	d.lock = f
	return nil
}

// Close releases the lock.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	err := d.lock.Close()
	d.lock = nil
	return err
}

// Initialised reports whether the store was initialised and has ever held a
// snapshot.
func (d *Dir) Initialised() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.highest.generation > 0
}

// Highest is the highest (epoch, generation) that was ever stored; (0, 0) if
// there was none. It never goes back, whatever is lost.
func (d *Dir) Highest() (epoch, generation uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.highest.epoch, d.highest.generation
}

// findHighest is the maximum of the markers and of the newest verified head in
// each copy, so that no single lost file, and no lost store, lets a number be
// used twice.
func (d *Dir) findHighest() mark {
	var top mark
	if d.opt.Marker != "" {
		m, err := readMark(d.opt.Marker)
		if top = m; err != nil && !missing(err) {
			d.note(d.opt.Marker, err, false)
		}
	}
	for _, r := range d.replicas {
		if m, err := r.readMark(); err == nil {
			top = top.join(m)
		} else if !missing(err) {
			d.note(r.root, err, false)
		}
		generations, _ := r.generations()
		for _, g := range slices.Backward(generations) {
			if g <= top.generation {
				break
			}
			if h, err := d.readHead(r, g); err == nil {
				top = top.join(mark{h.Epoch, h.Generation})
				break
			}
		}
	}
	return top
}

func (d *Dir) readHead(r replica, generation uint64) (Head, error) {
	raw, err := readFile(r.head(generation), maxHeadBytes)
	if err != nil {
		return Head{}, err
	}
	h, err := OpenHead(raw, d.verifiers, d.opt.Environment)
	if err != nil {
		return Head{}, fmt.Errorf("%s: %w", r.head(generation), err)
	}
	if h.Generation != generation {
		return Head{}, invalid("generation", "", "", fmt.Sprintf("%s holds generation %d", r.head(generation), h.Generation))
	}
	return h, nil
}

// Put stores a snapshot and its head, without making it the last-known-good.
// Only parts that are not there yet are written. The head's generation must be
// newer than everything ever stored (ErrOlder), its ID and environment those of
// the snapshot. One copy is enough: what the other lacks is Damage.
func (d *Dir) Put(h Head, s *Snapshot) error {
	if d.signer == nil {
		return d.cannotSign()
	}
	if s.ID() == "" || h.ID != s.ID() {
		return fmt.Errorf("store generation %d: head names %q, snapshot is %q", h.Generation, h.ID, s.ID())
	}
	if h.Environment != d.opt.Environment || s.Environment != d.opt.Environment {
		return fmt.Errorf("store generation %d: %w", h.Generation, invalid("environment", "", "", fmt.Sprintf("store is of environment %q, head %q, snapshot %q", d.opt.Environment, h.Environment, s.Environment)))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missCopies()
	if !d.highest.before(h) {
		return fmt.Errorf("store (epoch %d, generation %d): %w (epoch %d, generation %d)", h.Epoch, h.Generation, ErrOlder, d.highest.epoch, d.highest.generation)
	}
	signed, err := SignHead(h, d.signer)
	if err != nil {
		return fmt.Errorf("store generation %d: %w", h.Generation, err)
	}
	parts, err := d.newParts(s)
	if err != nil {
		return fmt.Errorf("store generation %d: %w", h.Generation, err)
	}
	next := mark{h.Epoch, h.Generation}
	if d.opt.Marker != "" {
		if err := writeMark(d.opt.Marker, next); err != nil {
			d.note(d.opt.Marker, err, false)
		}
	}
	items := []item{{kind: goodItem}, {kind: manifestItem, sum: Sum(h.ID)}, {kind: headItem, generation: h.Generation}}
	for sum := range parts {
		items = append(items, item{kind: partItem, sum: sum})
	}
	whole, err := d.both(func(r replica) error { return d.putIn(r, h, s, parts, signed, next) }, items...)
	if err != nil {
		return fmt.Errorf("store generation %d: %w", h.Generation, err)
	}
	d.highest = next
	if d.heads != nil {
		d.heads = append(d.heads, h)
	}
	if d.alive != nil {
		d.alive[Sum(h.ID)] = true
		for _, sum := range s.seal.manifest.sums() {
			d.alive[sum] = true
		}
	}
	for sum := range parts {
		d.known[sum] = whole
	}
	return nil
}

// missCopies forgets what was written to a copy that is gone, so that the next
// generation is whole there again, and learns of what one that came back has seen.
func (d *Dir) missCopies() {
	if d.highest.generation == 0 {
		return
	}
	for _, r := range d.replicas {
		m, err := r.readMark()
		if d.highest = d.highest.join(m); missing(err) {
			d.note(r.root, errors.New("this copy is gone: what is stored next is written whole"), true)
			clear(d.known)
			d.misses++
		}
	}
}

// putIn writes the parts, then the manifest, then the marker, then the head: a
// head that can be read has everything it names, and its number is spent.
func (d *Dir) putIn(r replica, h Head, s *Snapshot, parts map[Sum][]byte, signed []byte, m mark) error {
	files := make(map[string][]byte, len(parts))
	for sum, raw := range parts {
		files[r.part(sum)] = raw
	}
	if err := writeOnce(files, d.opt.Limits.PartBytes); err != nil {
		return err
	}
	if err := writeOnce(map[string][]byte{r.manifest(h.ID): s.seal.raw}, d.opt.Limits.ManifestBytes); err != nil {
		return err
	}
	if err := r.writeMark(m); err != nil {
		return err
	}
	return writeFile(r.head(h.Generation), signed, 0o600)
}

// newParts is the canonical form of the parts that are not known to be intact
// in both copies.
func (d *Dir) newParts(s *Snapshot) (map[Sum][]byte, error) {
	var mu sync.Mutex
	out := map[Sum][]byte{}
	var found []Sum // here already
	m := &s.seal.manifest
	err := each(len(m.Accounts)+1, func(i int) error {
		sum, part := m.Network.SHA256, any(s.Network)
		if i < len(m.Accounts) {
			sum, part = m.Accounts[i].SHA256, any(&s.Accounts[i])
		}
		if d.known[sum] {
			return nil
		}
		if d.inBoth(sum) {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, sum)
			return nil
		}
		raw, err := canonical(part)
		if err != nil {
			return err
		}
		if sumOf(raw) != sum {
			return fmt.Errorf("part %s: snapshot was written to after it was sealed", sum)
		}
		mu.Lock()
		defer mu.Unlock()
		out[sum] = raw
		return nil
	})
	for _, sum := range found {
		d.known[sum] = true
	}
	return out, err
}

// MarkGood makes a stored generation the last-known-good, in both copies. A
// copy that has a newer one already keeps it.
func (d *Dir) MarkGood(h Head) error {
	if d.signer == nil {
		return d.cannotSign()
	}
	signed, err := SignHead(h, d.signer)
	if err != nil {
		return fmt.Errorf("mark generation %d good: %w", h.Generation, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.both(func(r replica) error { return d.replaceGood(r, h, signed) }, item{kind: goodItem}); err != nil {
		return fmt.Errorf("mark generation %d good: %w", h.Generation, err)
	}
	return nil
}

func (d *Dir) replaceGood(r replica, h Head, signed []byte) error {
	have, err := d.readGood(r)
	if !(place{sound: err == nil, head: have}).yields(h) {
		return nil
	}
	return writeFile(r.good(), signed, 0o600)
}

// both runs f on both copies at once. One success is enough; the other's error
// is kept as Damage, and the files that it was about are tried again by Crawl.
// whole says that both succeeded.
func (d *Dir) both(f func(replica) error, about ...item) (whole bool, err error) {
	var errs [2]error
	var g errgroup.Group
	for i, r := range d.replicas {
		g.Go(func() error { errs[i] = f(r); return nil })
	}
	_ = g.Wait()
	if errs[0] != nil && errs[1] != nil {
		return false, errors.Join(errs[:]...)
	}
	for i, err := range errs {
		if err != nil {
			d.note(d.replicas[i].root, err, false)
			d.owe(about)
		}
	}
	return errs[0] == nil && errs[1] == nil, nil
}

const maxDamage = 1000

func (d *Dir) note(path string, err error, healed bool) {
	d.noteMu.Lock()
	defer d.noteMu.Unlock()
	if len(d.damage) < maxDamage {
		d.damage = append(d.damage, Damage{path, err.Error(), healed})
	}
}

// Damage returns what was found wrong since it was last asked, and forgets it.
func (d *Dir) Damage() []Damage {
	d.noteMu.Lock()
	defer d.noteMu.Unlock()
	out := d.damage
	d.damage = nil
	return out
}
