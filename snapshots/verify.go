package snapshots

import (
	"errors"
	"fmt"
)

// Verify reads the whole store, both copies: every head, manifest and part that
// the history or the last-known-good names. What one copy lacks is healed from
// the other and noted as Damage. The error names what neither copy has.
func (d *Dir) Verify() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, heads := d.goodHeads()
	var errs []error
	if len(heads) == 0 && d.highest.generation > 0 {
		errs = append(errs, errors.New("no last-known-good verifies"))
	}
	d.heads = nil // read them again
	heads = append(heads, d.history()...)
	if !d.opt.ReadOnly {
		d.mendTombs(LayerCrawl)
		d.mendMarks(LayerCrawl)
		for _, h := range heads {
			d.mendHead(h.Generation, LayerCrawl)
		}
	}
	seen := map[ID]bool{}
	parts := map[Sum]bool{}
	for _, h := range heads {
		if seen[h.ID] {
			continue
		}
		seen[h.ID] = true
		m, err := d.verifyManifest(h.ID)
		if err != nil {
			errs = append(errs, fmt.Errorf("generation %d: manifest: %w", h.Generation, err))
			continue
		}
		errs = append(errs, d.verifyParts(m, parts)...)
	}
	return errors.Join(errs...)
}

func (d *Dir) verifyManifest(id ID) (m Manifest, err error) {
	want := Expect{Environment: d.opt.Environment, Limits: d.opt.Limits}
	err = d.verifyFile(Sum(id), func(r replica) string { return r.manifest(id) }, d.opt.Limits.ManifestBytes, func(raw []byte) (err error) {
		m, err = decodeManifest(raw, id, want)
		return err
	})
	return m, err
}

func (d *Dir) verifyParts(m Manifest, seen map[Sum]bool) []error {
	refs := []PartRef{m.Network}
	for _, a := range m.Accounts {
		refs = append(refs, a.Part())
	}
	var errs []error
	for _, ref := range refs {
		if seen[ref.SHA256] {
			continue
		}
		seen[ref.SHA256] = true
		path := func(r replica) string { return r.part(ref.SHA256) }
		if err := d.verifyFile(ref.SHA256, path, d.opt.Limits.PartBytes, func(raw []byte) error { return checkBytes(raw, ref) }); err != nil {
			errs = append(errs, fmt.Errorf("part: %w", err))
		}
	}
	return errs
}

// verifyFile is fetch that looks at both copies.
func (d *Dir) verifyFile(sum Sum, path func(replica) string, limit int64, decode func([]byte) error) error {
	raw, err := d.fetch(sum, path, limit, decode)
	if err != nil {
		return err
	}
	for _, r := range d.replicas {
		if !holds(path(r), sum, limit) {
			d.heal(LayerCrawl, []replica{r}, path, raw, []error{errDiffers})
		}
	}
	return nil
}
