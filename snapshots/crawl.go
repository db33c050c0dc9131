package snapshots

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Layer is what found that the copies differ, and healed it.
type Layer uint8

const (
	LayerWrite Layer = iota // a write that failed in one copy, and was tried again
	LayerRead               // a read that found the copy it asked first wanting
	LayerCrawl              // Crawl and Verify
	layers
)

func (l Layer) String() string { return [layers]string{"write", "read", "crawl"}[l] }

// Healed counts the files that were put back, by layer, since the store was
// opened.
func (d *Dir) Healed() (n [layers]uint64) {
	for i := range n {
		n[i] = d.healed[i].Load()
	}
	return n
}

// Behind is how many files one copy lacks because it could not be written.
func (d *Dir) Behind() int {
	d.noteMu.Lock()
	defer d.noteMu.Unlock()
	return len(d.late)
}

// item is one file of a copy, by what it is.
type item struct {
	kind       itemKind
	sum        Sum    // of a part or a manifest
	generation uint64 // of a head
}

type itemKind uint8

const (
	partItem itemKind = iota
	manifestItem
	headItem
	goodItem // and the small files beside it
)

const (
	maxLate    = 100_000          // files; what is beyond them the crawl finds
	fullEvery  = 30 * time.Minute // until a file is read again that seems untouched, at least; at most twice that
	racyClock  = 2 * time.Second  // a file that was changed less than this ago may change again unseen
	maxTombs   = 4 << 20          // bytes
	prunedFile = "pruned"
)

// owe remembers what could not be written to one copy, once each.
func (d *Dir) owe(items []item) {
	d.noteMu.Lock()
	defer d.noteMu.Unlock()
	for _, i := range items {
		if len(d.late) < maxLate {
			d.late[i] = true
		}
	}
}

// owed takes up to n files off the queue.
func (d *Dir) owed(n int) (out []item) {
	d.noteMu.Lock()
	defer d.noteMu.Unlock()
	for i := range d.late {
		if len(out) == n {
			break
		}
		out = append(out, i)
		delete(d.late, i)
	}
	// A head after what it names.
	slices.SortFunc(out, func(a, b item) int { return int(a.kind) - int(b.kind) })
	return out
}

// Crawl compares the two copies file by file, round after round, and heals what
// one lacks or has damaged. It looks without the store's lock and takes it for
// one file at a time, so that nothing which is on its way to the wire waits for
// more than that. A file that was found sound is read again when its inode says
// that it was touched, and once an hour in any case. For one goroutine.
type Crawl struct {
	d     *Dir
	todo  []item
	sound map[string]stamp // by path
	alive map[Sum]bool     // what the history names; nil until it is needed
	all   bool             // a manifest does not read: everything may be named
	drops int              // Dir.drops when alive was read
	reads int              // files read, not just looked at
}

// stamp is how a file looked when it was read and found sound.
type stamp struct {
	inode, size uint64
	changed     int64
	until       time.Time // it is read again
}

// NewCrawl starts at the beginning.
func (d *Dir) NewCrawl() *Crawl { return &Crawl{d: d, sound: map[string]stamp{}} }

// Step tries again what could not be written and looks at n more files; done
// says that the round is over, and the next Step starts another one.
func (c *Crawl) Step(n int, now time.Time) (done bool) {
	if c.d.opt.ReadOnly {
		return true
	}
	c.Retry(n)
	if len(c.todo) == 0 {
		c.todo, c.alive, c.all = c.d.items(), nil, false
	}
	n = min(n, len(c.todo))
	for _, i := range c.todo[:n] {
		c.look(i, now)
	}
	c.todo = c.todo[n:]
	return len(c.todo) == 0
}

// Retry tries again to write up to n files that could not be written to one
// copy, and stops at the first that still cannot.
func (c *Crawl) Retry(n int) {
	for late := c.d.owed(n); len(late) > 0; late = late[1:] {
		if !c.d.mend(late[0], LayerWrite, func() bool { return true }) {
			c.d.owe(late) // that copy is still away
			return
		}
	}
}

// items is every file that either copy has, heads after what they name.
func (d *Dir) items() []item {
	seen := map[item]bool{{kind: goodItem}: true}
	for _, r := range d.replicas {
		for path, sum := range r.stored() {
			kind := partItem
			if filepath.Base(filepath.Dir(path)) == "manifests" {
				kind = manifestItem
			}
			seen[item{kind: kind, sum: sum}] = true
		}
		generations, _ := r.generations() // one that cannot be listed has none
		for _, g := range generations {
			seen[item{kind: headItem, generation: g}] = true
		}
	}
	out := make([]item, 0, len(seen))
	for i := range seen {
		out = append(out, i)
	}
	slices.SortFunc(out, func(a, b item) int {
		switch {
		case a.kind != b.kind:
			return int(a.kind) - int(b.kind)
		case a.generation != b.generation:
			if a.generation < b.generation {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a.sum), string(b.sum))
	})
	return out
}

func (c *Crawl) look(i item, now time.Time) {
	if i.kind == goodItem {
		c.d.mend(i, LayerCrawl, nil)
		return
	}
	whole := true
	for _, r := range c.d.replicas {
		whole = c.intact(i, r, now) && whole
	}
	switch {
	case i.kind == headItem && (!whole || c.dead(i.generation) || !c.sameHead(i.generation)):
		c.d.mend(i, LayerCrawl, nil)
	case i.kind != headItem && !whole:
		c.d.mend(i, LayerCrawl, c.named(i.sum))
	}
}

func (c *Crawl) dead(generation uint64) bool {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	return c.d.pruned.has(generation)
}

// sameHead compares a head's two files. They are small and were just read.
func (c *Crawl) sameHead(generation uint64) bool {
	a, err1 := readFile(c.d.replicas[0].head(generation), maxHeadBytes)
	b, err2 := readFile(c.d.replicas[1].head(generation), maxHeadBytes)
	return err1 == nil && err2 == nil && string(a) == string(b)
}

// intact reads one copy of a file, unless its inode says that nobody touched it
// since it was read last.
func (c *Crawl) intact(i item, r replica, now time.Time) bool {
	path := c.d.path(i, r)
	at, err := stat(path)
	if err != nil && i.kind != headItem {
		at, err = stat(path + packed)
	}
	if err != nil {
		delete(c.sound, path)
		return false
	}
	was, known := c.sound[path]
	at.until = was.until
	if known && at == was && now.Before(was.until) {
		return true
	}
	c.reads++
	if delete(c.sound, path); !c.d.reads(i, r) {
		return false
	}
	if now.Sub(time.Unix(0, at.changed)) > racyClock {
		spread := uint64(len(path))
		if len(i.sum) > 1 {
			spread = uint64(i.sum[0])<<8 | uint64(i.sum[1])
		}
		at.until = now.Add(fullEvery + time.Duration(spread%1024)*fullEvery/1024)
		c.sound[path] = at
	}
	return true
}

func stat(path string) (stamp, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return stamp{}, err
	}
	return stamp{inode: st.Ino, size: uint64(st.Size), changed: st.Ctim.Nano()}, nil
}

// named tells, with the lock held, whether the history names a part or a
// manifest: what Prune has removed from one copy while the other was away must
// not come back from there. What that takes is read now, without the lock.
func (c *Crawl) named(sum Sum) func() bool {
	d := c.d
	d.mu.Lock()
	drops, heads := d.drops, d.history()
	_, good := d.goodHeads()
	d.mu.Unlock()
	if c.alive == nil || c.drops != drops {
		c.drops, c.all, c.alive = drops, false, map[Sum]bool{}
		for _, h := range append(heads, good...) {
			if c.alive[Sum(h.ID)] {
				continue
			}
			c.alive[Sum(h.ID)] = true
			sums, err := d.named(h.ID)
			c.all = c.all || err != nil
			for _, s := range sums {
				c.alive[s] = true
			}
		}
	}
	// Something that was pruned meanwhile is left to the next round.
	return func() bool { return d.drops == c.drops && (c.all || c.alive[sum]) }
}

func (d *Dir) path(i item, r replica) string {
	switch i.kind {
	case headItem:
		return r.head(i.generation)
	case manifestItem:
		return r.manifest(ID(i.sum))
	case goodItem:
		return r.good()
	}
	return r.part(i.sum)
}

func (d *Dir) limit(i item) int64 {
	if i.kind == manifestItem {
		return d.opt.Limits.ManifestBytes
	}
	return d.opt.Limits.PartBytes
}

// reads reports whether a copy has a file intact.
func (d *Dir) reads(i item, r replica) bool {
	if i.kind == headItem {
		_, err := d.readHead(r, i.generation)
		return err == nil
	}
	return holds(d.path(i, r), i.sum, d.limit(i))
}

// mend looks at one file again, with the lock held, and makes both copies the
// same. named says of a part or manifest whether it may be put back. It is
// false if a copy could not be written.
func (d *Dir) mend(i item, by Layer, named func() bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch i.kind {
	case headItem:
		return d.mendHead(i.generation, by)
	case goodItem:
		return d.mendTombs(by) && d.mendMarks(by) && d.mendGood(by)
	}
	path := func(r replica) string { return d.path(i, r) }
	var broken []replica
	var whole []byte
	for _, r := range d.replicas {
		raw, err := readStored(path(r), d.limit(i))
		if err == nil && sumOf(raw) == i.sum {
			whole = raw
			continue
		}
		broken = append(broken, r)
	}
	if whole == nil || len(broken) == 0 || !named() {
		return true
	}
	return d.heal(by, broken, path, whole, []error{errDiffers})
}

var errDiffers = errors.New("missing or changed")

func (d *Dir) mendHead(generation uint64, by Layer) bool {
	want, do := settle(d.pruned.has(generation), d.places(func(r replica) string { return r.head(generation) }, func(r replica) (Head, error) { return d.readHead(r, generation) }))
	return d.carryOut(do, want, by, func(r replica) string { return r.head(generation) })
}

func (d *Dir) mendGood(by Layer) bool {
	want, do := settle(false, d.places(replica.good, d.readGood))
	return d.carryOut(do, want, by, replica.good)
}

func (d *Dir) readGood(r replica) (Head, error) {
	raw, err := readFile(r.good(), maxHeadBytes)
	if err != nil {
		return Head{}, err
	}
	return OpenHead(raw, d.verifiers, d.opt.Environment)
}

// places is what the copies have where a head belongs.
func (d *Dir) places(path func(replica) string, read func(replica) (Head, error)) (has [2]place) {
	for i, r := range d.replicas {
		h, err := read(r)
		_, gone := os.Lstat(path(r))
		has[i] = place{there: gone == nil, sound: err == nil, head: h}
	}
	return has
}

func (d *Dir) carryOut(do [2]remedy, want Head, by Layer, path func(replica) string) bool {
	done := true
	for i, r := range d.replicas {
		switch do[i] {
		case write:
			signed, err := d.signed(want)
			if err != nil {
				d.note(path(r), err, false)
				return true // no copy can give it: trying again does not help
			}
			done = d.heal(by, []replica{r}, path, signed, []error{errDiffers}) && done
		case remove:
			err := os.Remove(path(r))
			d.note(path(r), errors.Join(errors.New("was pruned"), err), err == nil)
			done = done && err == nil
		}
	}
	return done
}

func (d *Dir) mendMarks(by Layer) bool {
	done := true
	var has [2]mark
	for i, r := range d.replicas {
		has[i], _ = r.readMark() // one that does not read is the lowest
		d.highest = d.highest.join(has[i])
	}
	for i, r := range d.replicas {
		if has[i] != d.highest {
			done = d.heal(by, []replica{r}, replica.mark, d.highest.encode(), []error{errDiffers}) && done
		}
	}
	return done
}

// mendTombs brings the copies' lists of what was pruned together.
func (d *Dir) mendTombs(by Layer) bool {
	done := true
	before := d.pruned
	raws := d.readTombs()
	if !slices.Equal(before, d.pruned) && d.heads != nil {
		d.heads = slices.DeleteFunc(d.heads, func(h Head) bool { return d.pruned.has(h.Generation) })
	}
	if len(d.pruned) == 0 {
		return true
	}
	want := d.pruned.encode()
	for i, r := range d.replicas {
		if string(raws[i]) != string(want) {
			done = d.heal(by, []replica{r}, replica.tombs, want, []error{errDiffers}) && done
		}
	}
	return done
}

// readTombs adds what either copy knows to have been pruned.
func (d *Dir) readTombs() (raws [2][]byte) {
	for i, r := range d.replicas {
		raw, err := readFile(r.tombs(), maxTombs)
		if missing(err) {
			continue
		}
		var t tombs
		if err == nil {
			t, err = decodeTombs(raw)
		}
		if err != nil {
			d.note(r.tombs(), err, false)
			continue
		}
		raws[i], d.pruned = raw, d.pruned.with(t)
	}
	return raws
}
