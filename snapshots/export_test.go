package snapshots

// For tests of the stored form.
var (
	Canonical = canonical
	SumOf     = sumOf
)

// Files names the files of one copy of a store.
func (d *Dir) Files(copy int, h Head) (good, head, manifest, mark string) {
	r := d.replicas[copy]
	return r.good(), r.head(h.Generation), r.manifest(h.ID), r.root + "/" + generationFile
}

// PartFile names a part's file in one copy.
func (d *Dir) PartFile(copy int, s Sum) string { return d.replicas[copy].part(s) }
