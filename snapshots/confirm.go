package snapshots

import (
	"context"
	"slices"
)

// Confirm looks whether the parts of a snapshot that was loaded are intact in
// both copies, so that the next Put has only what is new to look at: after a
// restart the first change would wait for that. It writes nothing and may run
// beside everything else; what is not intact is left for Put to write again.
func (d *Dir) Confirm(ctx context.Context, s *Snapshot) {
	if s == nil || s.seal == nil {
		return
	}
	const some = 256 // between two looks at the lock
	for sums := range slices.Chunk(s.seal.manifest.sums(), some) {
		if ctx.Err() != nil {
			return
		}
		d.mu.Lock()
		misses := d.misses
		sums = slices.DeleteFunc(sums, func(sum Sum) bool { return d.known[sum] })
		d.mu.Unlock()
		sums = slices.DeleteFunc(sums, func(sum Sum) bool { return !d.inBoth(sum) })
		d.mu.Lock()
		if misses == d.misses { // no copy was lost meanwhile
			for _, sum := range sums {
				d.known[sum] = true
			}
		}
		d.mu.Unlock()
	}
}

// inBoth reports whether a part is there in both copies, and intact.
func (d *Dir) inBoth(sum Sum) bool {
	for _, r := range d.replicas {
		if !holds(r.part(sum), sum, d.opt.Limits.PartBytes) {
			return false
		}
	}
	return true
}
