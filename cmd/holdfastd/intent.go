package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
)

// retryDatabase is how often a database that could not be opened is tried again.
const retryDatabase = 5 * time.Second

// openMirror opens the token mirror. A damaged one is kept aside: the database
// writes it anew, and the admin socket needs no token.
func openMirror(file string, log *slog.Logger) (*api.Mirror, error) {
	m, err := api.OpenMirror(file)
	if err == nil {
		return m, nil
	}
	log.Error("token mirror set aside; without the database only the admin socket lets anybody in", "error", err)
	if err := os.Rename(file, file+".damaged"); err != nil {
		return nil, fmt.Errorf("token mirror: %w", err)
	}
	return api.OpenMirror(file)
}

// keepDatabase opens the database and tries again while it cannot be used. The
// wire does not notice. An empty database is never made where a snapshot says
// that there was one (DESIGN section 4, lost database).
func (d *daemon) keepDatabase(ctx context.Context, hadSnapshot bool) {
	for {
		err := d.openDatabase(ctx, hadSnapshot)
		if err == nil {
			return
		}
		why := err.Error()
		if was := d.intent.Swap(&why); was == nil || *was != why {
			d.log.Error("desired state cannot be used; the wire stays as it is", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryDatabase):
		}
	}
}

// probeEvery is how old what status and the metrics say about the database may be.
const probeEvery = time.Second

// probeDatabase keeps what is said about the database true while nobody asks it
// for anything: a file that was removed, a disk that went away and came back.
func (d *daemon) probeDatabase(ctx context.Context) {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.api.Probe(ctx)
		}
	}
}

func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func (d *daemon) openDatabase(ctx context.Context, hadSnapshot bool) error {
	d.opening.Lock()
	defer d.opening.Unlock()
	if d.registry.Load() != nil {
		return nil // made anew by a restore meanwhile
	}
	registry, err := d.intentIn(ctx, !hadSnapshot)
	if err != nil {
		return err
	}
	if err := d.emergency().bringBack(ctx, registry); err != nil {
		return err
	}
	d.mirrorTokens(ctx, registry)
	d.intent.Store(nil)
	d.registry.Store(registry)
	d.api.Attach(registry)
	d.pipeline.AttachDesired(registry)
	d.log.Info("desired state attached", "database", d.dir.database())
	return nil
}

func (d *daemon) intentIn(ctx context.Context, create bool) (*addressing.Registry, error) {
	store, err := sqlite.Open(ctx, sqlite.Options{Path: d.dir.database(), Environment: d.cfg.Environment, Create: create})
	if err != nil {
		return nil, err
	}
	return addressing.NewRegistry(store, d.gate, addressing.Options{
		Entropy:      rand.Reader,
		Notify:       d.committed,
		OnTokens:     d.keepTokens,
		AllowSpecial: d.cfg.API.AllowSpecialPurpose,
		Drain:        func() time.Duration { return d.configNow().BGP.Drain.Prefixes },
	}), nil
}

// emptyDatabase makes an empty database for a restore to fill, if none is
// open. It is not attached to the API: the builder must be stopped, and nobody
// may change what is only half there.
func (d *daemon) emptyDatabase(ctx context.Context) (registry *addressing.Registry, fresh bool, err error) {
	d.opening.Lock()
	defer d.opening.Unlock()
	if registry = d.registry.Load(); registry != nil {
		return registry, false, nil
	}
	if missing(d.dir.database()) {
		d.asideLeftovers()
	}
	if registry, err = d.intentIn(ctx, true); err != nil {
		return nil, false, err
	}
	d.log.Warn("an empty database was made to be rebuilt from the snapshot", "database", d.dir.database())
	d.intent.Store(nil)
	d.registry.Store(registry)
	d.pipeline.AttachDesired(registry)
	return registry, true, nil
}

// committed takes in a change set that desired state has.
func (d *daemon) committed(c addressing.ChangeSet) {
	if d.queue != nil {
		if err := d.queue.Committed(c); err != nil {
			d.log.Error("held changes", "error", err)
		}
	}
	d.pipeline.Notify(c)
}

// keepTokens mirrors the tokens; who may agree to what is among them.
func (d *daemon) keepTokens(all []addressing.TokenRecord) error {
	err := d.mirror.Save(all)
	d.policy()
	return err
}

// mirrorTokens writes the token mirror as the database has it: a crash may have
// left it one change ahead. A database that has lost its tokens does not empty
// the mirror, which is there for that case.
func (d *daemon) mirrorTokens(ctx context.Context, registry *addressing.Registry) {
	tokens, err := registry.Tokens(ctx, addressing.EveryAccount())
	switch {
	case err == nil && len(tokens) == 0:
		return
	case err == nil:
		err = registry.MirrorTokens(ctx)
	}
	if err != nil {
		d.log.Error("token mirror not written", "error", err)
	}
}
