package snapshots

import "slices"

// History lists the heads in the store, oldest first. Heads that do not verify
// in either copy are left out and noted as Damage.
func (d *Dir) History() []Head {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.history()
}

func (d *Dir) history() []Head {
	if d.heads == nil {
		d.heads = d.readHistory()
	}
	return slices.Clone(d.heads)
}

// readHistory reads every head of both copies. It is done once: Put and Prune
// keep the list up from there.
func (d *Dir) readHistory() []Head {
	found := map[uint64]Head{}
	broken := map[uint64]error{}
	for _, r := range d.replicas {
		generations, err := r.generations()
		if err != nil {
			d.note(r.root, err, false)
		}
		for _, g := range generations {
			if _, have := found[g]; have || d.pruned.has(g) {
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
