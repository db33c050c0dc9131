package snapshots

import (
	"errors"
	"fmt"
	"slices"
)

// Loaded is a snapshot read from the store.
type Loaded struct {
	Head     Head
	Snapshot *Snapshot
	Fallback bool // the last-known-good itself could not be used; this is an older one
}

var errNoHead = errors.New("no head verifies")

// Good loads the last-known-good: the newest head that both verifies and loads
// whole. What one copy lacks is taken from the other and healed; if neither
// copy has a usable last-known-good, the newest generation of the history that
// loads is taken. ErrNone means that the store has never held a snapshot; any
// other error means that it has, and that none can be read. A store that follows
// never falls back to its history: what is there may never have been permitted.
func (d *Dir) Good() (Loaded, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	raws, heads := d.goodHeads()
	tried := map[ID]bool{}
	var last error
	for _, h := range heads {
		tried[h.ID] = true
		s, err := d.load(h, nil)
		if err != nil {
			last = err
			continue
		}
		d.healGood(h, raws)
		return Loaded{Head: h, Snapshot: s, Fallback: last != nil}, nil
	}
	if d.highest.generation == 0 && len(raws) == 0 {
		return Loaded{}, fmt.Errorf("load last-known-good from %s: %w", d.root, ErrNone)
	}
	if d.signer == nil && len(d.opt.Follow) > 0 {
		// What else is here was staged, and perhaps never permitted.
		return Loaded{}, fmt.Errorf("load last-known-good from %s: no copy can be used (%w): %w", d.root, errors.Join(last, errNoHead), ErrNone)
	}
	for _, h := range slices.Backward(d.history()) {
		if tried[h.ID] {
			continue
		}
		tried[h.ID] = true
		s, err := d.load(h, nil)
		if err != nil {
			last = err
			continue
		}
		d.healGood(h, raws)
		return Loaded{Head: h, Snapshot: s, Fallback: true}, nil
	}
	if last == nil {
		last = errNoHead
	}
	return Loaded{}, fmt.Errorf("load last-known-good from %s: no copy can be used: %w: restore the directory from a backup or the other site, or accept a new snapshot from desired state", d.root, last)
}

// goodHeads reads good.note of both copies; the distinct heads that verify,
// newest first.
func (d *Dir) goodHeads() (raws map[int][]byte, heads []Head) {
	raws = map[int][]byte{}
	for i, r := range d.replicas {
		raw, err := readFile(r.good(), maxHeadBytes)
		if err != nil {
			if !missing(err) || d.highest.generation > 0 {
				d.note(r.good(), err, false)
			}
			continue
		}
		raws[i] = raw
		h, err := OpenHead(raw, d.verifiers, d.opt.Environment)
		if err != nil {
			d.note(r.good(), err, false)
			continue
		}
		if !slices.Contains(heads, h) {
			heads = append(heads, h)
		}
	}
	slices.SortFunc(heads, func(a, b Head) int { return b.version(a) })
	return raws, heads
}

// healGood writes the head of the last-known-good, as it was signed, to every
// copy that has another one.
func (d *Dir) healGood(h Head, raws map[int][]byte) {
	if d.opt.ReadOnly {
		return
	}
	signed, err := d.signed(h)
	if err != nil {
		d.note(d.root, err, false)
		return
	}
	for i, r := range d.replicas {
		if string(raws[i]) == string(signed) {
			continue
		}
		d.heal(LayerRead, []replica{r}, replica.good, signed, []error{fmt.Errorf("was not generation %d", h.Generation)})
	}
}

// signed is a head with its signature: made anew, or by a store that follows,
// found where it was kept.
func (d *Dir) signed(h Head) ([]byte, error) {
	if d.signer != nil {
		return SignHead(h, d.signer)
	}
	for _, r := range d.replicas {
		for _, path := range []string{r.head(h.Generation), r.good()} {
			raw, err := readFile(path, maxHeadBytes)
			if err != nil {
				continue
			}
			if have, err := OpenHead(raw, d.verifiers, d.opt.Environment); err == nil && have == h {
				return raw, nil
			}
		}
	}
	return nil, fmt.Errorf("generation %d: no copy has its signed head", h.Generation)
}

// Get loads one generation of the history. Parts that base has too are shared
// with it; base may be nil.
func (d *Dir) Get(generation uint64, base *Snapshot) (Loaded, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var last error
	for _, r := range d.replicas {
		if d.pruned.has(generation) {
			break
		}
		h, err := d.readHead(r, generation)
		if err != nil {
			if !missing(err) {
				last = err
			}
			continue
		}
		s, err := d.load(h, base)
		if err != nil {
			return Loaded{}, fmt.Errorf("load generation %d: %w", generation, err)
		}
		return Loaded{Head: h, Snapshot: s}, nil
	}
	if last != nil {
		return Loaded{}, fmt.Errorf("load generation %d: %w", generation, last)
	}
	return Loaded{}, fmt.Errorf("load generation %d: %w: list it with holdfast snapshot list", generation, ErrUnknown)
}

// load reads and validates everything a head names.
func (d *Dir) load(h Head, base *Snapshot) (*Snapshot, error) {
	want := Expect{Environment: d.opt.Environment, Limits: d.opt.Limits}
	var m Manifest
	raw, err := d.fetch(Sum(h.ID), func(r replica) string { return r.manifest(h.ID) }, d.opt.Limits.ManifestBytes, func(raw []byte) (err error) {
		m, err = decodeManifest(raw, h.ID, want)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	s := &Snapshot{Environment: m.Environment, Accounts: make([]AccountPart, len(m.Accounts))}
	if err := d.loadNetwork(s, m, base); err != nil {
		return nil, err
	}
	known := make([]bool, len(m.Accounts))
	tallies := make([]Tally, len(m.Accounts))
	if err := each(len(m.Accounts), func(i int) error {
		return d.loadAccount(s, m.Accounts[i], i, base, known, tallies)
	}); err != nil {
		return nil, err
	}
	if err := validate(s, want, trusted(base, s, known)); err != nil {
		return nil, err
	}
	s.seal = &seal{id: h.ID, manifest: m, raw: raw, tallies: tallies}
	return s, nil
}

func (d *Dir) loadNetwork(s *Snapshot, m Manifest, base *Snapshot) error {
	if base.NetworkSum() == m.Network.SHA256 {
		s.Network = base.Network
		return nil
	}
	_, err := d.fetch(m.Network.SHA256, func(r replica) string { return r.part(m.Network.SHA256) }, d.opt.Limits.PartBytes, func(raw []byte) (err error) {
		s.Network, err = decodeNetwork(raw, m.Network)
		return err
	})
	if err != nil {
		return fmt.Errorf("network part: %w", err)
	}
	return nil
}

func (d *Dir) loadAccount(s *Snapshot, ref AccountRef, i int, base *Snapshot, known []bool, tallies []Tally) error {
	if base != nil && base.seal != nil {
		if j, found := base.find(ref.Account); found && base.seal.manifest.Accounts[j] == ref {
			s.Accounts[i], tallies[i], known[i] = base.Accounts[j], base.seal.tallies[j], true
			return nil
		}
	}
	_, err := d.fetch(ref.SHA256, func(r replica) string { return r.part(ref.SHA256) }, d.opt.Limits.PartBytes, func(raw []byte) (err error) {
		s.Accounts[i], err = decodeAccount(raw, ref)
		return err
	})
	if err != nil {
		return fmt.Errorf("part of account %s: %w", ref.Account, err)
	}
	tallies[i] = TallyOf(&s.Accounts[i])
	return nil
}

// fetch reads a content-addressed file from whichever copy has it intact, and
// heals the one that does not. Which copy is asked first depends on the
// content, so that both are in use and neither rots unseen.
func (d *Dir) fetch(sum Sum, path func(replica) string, limit int64, decode func([]byte) error) ([]byte, error) {
	var errs []error
	var broken []replica
	first := 0
	if sum.valid() {
		first = int(sum[len(sum)-1]) & 1
	}
	for i := range d.replicas {
		r := d.replicas[(first+i)%len(d.replicas)]
		raw, err := readStored(path(r), limit)
		if err == nil {
			err = decode(raw)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path(r), err))
			broken = append(broken, r)
			continue
		}
		d.heal(LayerRead, broken, path, raw, errs)
		return raw, nil
	}
	return nil, errors.Join(errs...)
}

// heal writes good bytes over broken copies, and notes what was wrong. It is
// false if one could not be written.
func (d *Dir) heal(by Layer, broken []replica, path func(replica) string, raw []byte, why []error) (done bool) {
	done = true
	for i, r := range broken {
		healed := false
		if !d.opt.ReadOnly {
			if err := writeFile(path(r), raw, 0o600); err != nil {
				d.note(path(r), err, false)
			} else {
				healed = true
				d.healed[by].Add(1)
			}
		}
		done = done && healed
		d.note(path(r), why[i], healed)
	}
	return done
}
