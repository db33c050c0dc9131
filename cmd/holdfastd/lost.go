package main

import "os"

// noticeLoss lets go of a database whose file was taken away at work, so that it
// can be made anew without a restart: there is nothing to lose any more.
func (d *daemon) noticeLoss() {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.registry.Load() == nil || !missing(d.dir.database()) {
		return
	}
	why := "the database file is gone"
	d.log.Error("desired state was taken away at work", "database", d.dir.database())
	d.pipeline.StopIntentLost(why)
	d.pipeline.AttachDesired(nil)
	d.intent.Store(&why)
	d.registry.Store(nil)
	d.api.Attach(nil)
}

// asideLeftovers moves what belongs to a database that is gone out of the way of
// a new one: a log of writes must not be replayed into it.
func (d *daemon) asideLeftovers() {
	for _, suffix := range []string{"-wal", "-shm"} {
		path := d.dir.database() + suffix
		if err := os.Rename(path, path+".lost"); err == nil {
			d.log.Warn("left over from the database that is gone", "file", path+".lost")
		}
	}
}
