package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// checkupTime bounds one checkup: a disk that hangs is a finding, not a reason
// to hang.
const checkupTime = 5 * time.Second

// checkup looks at one thing that the daemon depends on. It changes nothing,
// needs nothing that can be down, and says what it found, well or not.
type checkup struct {
	name string
	look func(ctx context.Context, at time.Time) []api.Diagnosis
}

// checkups is everything that `holdfast doctor` looks at, in the order it is
// told.
func (d *daemon) checkups() []checkup {
	return []checkup{
		{"environment", d.checkEnvironment},
		{"data directory", func(context.Context, time.Time) []api.Diagnosis { return checkDataDir(d.dir) }},
		{"disk", func(context.Context, time.Time) []api.Diagnosis { return checkDisk(d.dir) }},
		{"journal", func(context.Context, time.Time) []api.Diagnosis { return checkJournal(d.dir) }},
		{"breaker", d.checkBreaker},
		{"kill switches", d.checkSwitches},
		{"database", d.checkDatabase},
		{"snapshot", d.checkSnapshot},
		{"clock", d.checkClock},
		{"certificate", func(_ context.Context, at time.Time) []api.Diagnosis {
			return checkCertificate(d.cfg.API.CertFile, d.cfg.API.KeyFile, at)
		}},
		{"neighbors", d.checkNeighbors},
		{"survival", d.checkSurvival},
		{"sources", d.checkSources},
	}
}

// doctor runs the checkups. Each runs on its own: one that hangs or breaks is
// a risk of its own and hides no other.
type doctor struct{ checkups func() []checkup }

var _ api.Doctor = doctor{}

// Examine implements api.Doctor.
func (d doctor) Examine(ctx context.Context, at time.Time) []api.Diagnosis {
	ctx, cancel := context.WithTimeout(ctx, checkupTime)
	defer cancel()
	all := d.checkups()
	answers := make([]chan []api.Diagnosis, len(all))
	for i, c := range all {
		answers[i] = make(chan []api.Diagnosis, 1)
		go func() {
			defer func() {
				if p := recover(); p != nil {
					answers[i] <- risk("the check itself broke: "+fmt.Sprint(p), "report it; look at the daemon's log")
				}
			}()
			answers[i] <- c.look(ctx, at)
		}()
	}
	var out []api.Diagnosis
	for i, c := range all {
		var found []api.Diagnosis
		select {
		case found = <-answers[i]:
		case <-ctx.Done():
			select {
			case found = <-answers[i]: // it had answered in time
			default:
				found = risk(fmt.Sprintf("no answer within %s", checkupTime), "something under it hangs: look at the disk and at the daemon's log")
			}
		}
		for _, f := range found {
			f.Check = c.name
			out = append(out, f)
		}
	}
	return out
}

func fine(detail string) []api.Diagnosis {
	return []api.Diagnosis{{Verdict: api.DiagnosisVerdictOk, Detail: detail}}
}

func warning(detail, next string) []api.Diagnosis {
	return []api.Diagnosis{{Verdict: api.DiagnosisVerdictWarning, Detail: detail, Next: &next}}
}

func risk(detail, next string) []api.Diagnosis {
	return []api.Diagnosis{{Verdict: api.DiagnosisVerdictRisk, Detail: detail, Next: &next}}
}

// risks is the details of those that are risks, for /v1/status.
func risks(name string, all []api.Diagnosis) []string {
	var out []string
	for _, f := range all {
		if f.Verdict == api.DiagnosisVerdictRisk {
			out = append(out, name+": "+f.Detail)
		}
	}
	return out
}

func (d *daemon) checkEnvironment(context.Context, time.Time) []api.Diagnosis {
	return fine(fmt.Sprintf("%s, configured in %s", d.cfg.Environment, d.cfg.File))
}

// checkDataDir tries what every change needs: a file that is written and
// forced to the disk.
func checkDataDir(dir dataDir) []api.Diagnosis {
	info, err := os.Stat(string(dir))
	if err != nil {
		return risk(err.Error(), "mount or restore the data directory; the wire stays as it is meanwhile")
	}
	if err := tryWrite(string(dir)); err != nil {
		return risk("cannot be written, so no change can be stored: "+err.Error(), "make room or mend permissions; the wire stays as it is meanwhile")
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return warning(fmt.Sprintf("%s is open to others (mode %04o); it holds keys and token hashes", dir, mode), "chmod 0700 "+string(dir))
	}
	return fine(string(dir) + " can be written")
}

// tryWrite writes a page, forces it to the disk and removes it.
func tryWrite(dir string) (err error) {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(make([]byte, 64<<10))
	return errors.Join(err, f.Sync(), f.Close())
}

// Free space below which a person should act, and below which the next
// snapshot or an evidence bundle may not fit.
const (
	spaceLow  = 1 << 30
	spaceGone = 64 << 20
)

func checkDisk(dir dataDir) []api.Diagnosis {
	var s unix.Statfs_t
	if err := unix.Statfs(string(dir), &s); err != nil {
		return risk("free space is unknown: "+err.Error(), "look at the file system of "+string(dir))
	}
	free, total := s.Bavail*uint64(s.Bsize), s.Blocks*uint64(s.Bsize)
	text := fmt.Sprintf("%d MiB of %d MiB free", free>>20, total>>20)
	switch {
	case free < spaceGone:
		return risk(text, "make room: with a full disk nothing that loses reachability is admitted, and no snapshot is kept")
	case free < spaceLow:
		return warning(text, "make room before it is full")
	case s.Files > 0 && s.Ffree < 1000:
		return risk(fmt.Sprintf("%d inodes left", s.Ffree), "make room: each generation needs some")
	}
	return fine(text)
}

// checkJournal looks at whether losses can be recorded. The breaker admits
// none that it cannot record.
func checkJournal(dir dataDir) []api.Diagnosis {
	const next = "make room or mend permissions, then restart if the log says that the journal cannot be used; restores and the wire are not concerned"
	files, err := filepath.Glob(filepath.Join(dir.journal(), "*.journal"))
	if err != nil || len(files) == 0 {
		return risk("there is no journal: the breaker is open, and every loss is refused", "restart with the data directory in place; then holdfast breaker reset")
	}
	for _, file := range files {
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			return risk("cannot be written, so every loss is refused whatever the breaker's state: "+err.Error(), next)
		}
		f.Close()
	}
	if err := tryWrite(dir.journal()); err != nil {
		return risk("cannot be written, so every loss is refused whatever the breaker's state: "+err.Error(), next)
	}
	return fine("losses can be recorded")
}

func (d *daemon) checkBreaker(_ context.Context, at time.Time) []api.Diagnosis {
	var out []api.Diagnosis
	for _, s := range d.breaker.Status(at) {
		name := strings.TrimSpace(s.Scope.String())
		text := fmt.Sprintf("%s is %s since %s: %s", name, s.State, s.Since.UTC().Format(time.RFC3339), s.Reason)
		switch s.State {
		case breaker.Closed:
		case breaker.Recovering:
			out = append(out, warning(text, "nothing to do: it closes by itself unless it is tripped again")...)
		default:
			out = append(out, risk(text, "find out why (holdfast incident list), then holdfast breaker reset")...)
		}
	}
	if out == nil {
		return fine("closed")
	}
	return out
}

func (d *daemon) checkSwitches(context.Context, time.Time) []api.Diagnosis {
	var out []api.Diagnosis
	for _, k := range d.breaker.Switches() {
		if k.Off {
			out = append(out, warning(fmt.Sprintf("%s is off: %s", k.Name, k.Effect), "holdfast kill-switch set "+k.Name+" on, once its cause is gone")...)
		}
	}
	if out == nil {
		return fine("none is used")
	}
	return out
}

func (d *daemon) checkDatabase(ctx context.Context, _ time.Time) []api.Diagnosis {
	r := d.registry.Load()
	if r == nil {
		why := "it is not open yet"
		if w := d.intent.Load(); w != nil {
			why = *w
		}
		return risk("desired state cannot be used, nothing can be changed: "+why, "put a backup back, or rebuild it: holdfast restore --all")
	}
	if _, err := r.Services(ctx); err != nil {
		return risk("desired state cannot be read: "+err.Error(), "holdfast restore --all rebuilds it from the last snapshot")
	}
	return fine(d.dir.database() + " answers")
}

func (d *daemon) checkSnapshot(_ context.Context, at time.Time) []api.Diagnosis {
	if !d.store.Initialised() {
		return risk("the store of snapshots is not there", "put "+d.dir.snapshots()+" back from a backup of the data directory")
	}
	_, head := d.pipeline.Active()
	if head.Generation == 0 {
		return warning("none yet: every neighbor holds 0 routes", "add, approve, bind and advertise a prefix")
	}
	good, err := d.store.Good()
	if err != nil {
		return risk("the last-known-good does not verify, neither copy: "+err.Error(), "do not restart; holdfast snapshot verify, then back the data directory up")
	}
	var out []api.Diagnosis
	if pin, pinned := d.store.Pinned(); pinned {
		out = append(out, warning(fmt.Sprintf("the wire is pinned at generation %d: %s", pin.Generation, pin.Reason), "holdfast snapshot unpin, once desired state is right")...)
	}
	for _, damage := range d.store.Damage() {
		if !damage.Healed {
			out = append(out, risk("a copy is damaged and could not be healed: "+damage.Path, "holdfast snapshot verify; look at the disk")...)
		}
	}
	if other := d.unrecorded(); len(other) > 0 {
		out = append(out, warning("the limits in force are not those that the active snapshot records: "+strings.Join(other, ", "),
			"nothing for the wire: the next generation records them, which a pin, a stopped builder or a lost database keeps waiting")...)
	}
	age := at.Sub(time.Unix(0, good.Head.CreatedAt)).Truncate(time.Second)
	return append(out, fine(fmt.Sprintf("generation %d, signed, verified, %s old", good.Head.Generation, age))...)
}

func (d *daemon) checkClock(_ context.Context, at time.Time) []api.Diagnosis {
	if _, head := d.pipeline.Active(); head.CreatedAt > at.Add(time.Minute).UnixNano() {
		return risk(fmt.Sprintf("it is %s, but the active snapshot was made at %s: the clock went back", at.UTC().Format(time.RFC3339), time.Unix(0, head.CreatedAt).UTC().Format(time.RFC3339)),
			"set the clock; budgets and graces are counted by it")
	}
	var t unix.Timex
	if state, err := unix.Adjtimex(&t); err == nil && state == unix.TIME_ERROR {
		return warning("the kernel says that the clock is not synchronised", "run an NTP client")
	}
	return fine(at.UTC().Format(time.RFC3339))
}

// Time left on a certificate when a renewal should long have happened.
const (
	certificateLow  = 14 * 24 * time.Hour
	certificateGone = 3 * 24 * time.Hour
)

// checkCertificate looks at the files, as the next handshake will.
func checkCertificate(certFile, keyFile string, at time.Time) []api.Diagnosis {
	if certFile == "" {
		return fine("the API has no TLS of its own")
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return risk("the files cannot be used; what was loaded is served on, until a restart: "+err.Error(), "put a matching pair in place, no restart is needed")
	}
	left := pair.Leaf.NotAfter.Sub(at)
	text := fmt.Sprintf("%s ends %s", certFile, pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	switch {
	case left < certificateGone:
		return risk(text, "renew it, no restart is needed")
	case left < certificateLow:
		return warning(text, "see why it was not renewed")
	}
	return fine(text)
}

func (d *daemon) checkNeighbors(ctx context.Context, _ time.Time) []api.Diagnosis {
	all, err := d.speaker.Neighbors(ctx)
	if err != nil {
		return risk("cannot be asked: "+err.Error(), "look at the daemon's log; a restart keeps the routes at neighbors with graceful restart")
	}
	var down []string
	for _, n := range all {
		if n.State != bgp.Established {
			down = append(down, fmt.Sprintf("%s (%s)", n.Name, n.State))
		}
	}
	slices.Sort(down)
	switch {
	case len(all) == 0:
		return warning("none is configured: nothing is sent to anybody", "add bgp.neighbors to the configuration")
	case len(down) == len(all):
		return risk("no session is up: "+strings.Join(down, ", "), "holdfast neighbor list; docs/runbooks/session-down.md")
	case len(down) > 0:
		return warning(fmt.Sprintf("%d of %d sessions are down: %s", len(down), len(all), strings.Join(down, ", ")), "holdfast neighbor list; docs/runbooks/session-down.md")
	}
	return fine(fmt.Sprintf("%d of %d sessions are up", len(all), len(all)))
}

func (d *daemon) checkSources(_ context.Context, at time.Time) []api.Diagnosis {
	s := d.validate.sources
	var out []api.Diagnosis
	look := func(name, key string, age time.Duration, read, refreshed bool) {
		switch {
		case !read:
			out = append(out, warning(name+" was never read: nothing of it can be approved without a named risk", "look at "+key+" in the configuration and at the log")...)
		case refreshed && age > 3*s.cfg.RPKI.Refresh:
			out = append(out, warning(fmt.Sprintf("%s is %s old", name, age.Truncate(time.Second)), "see why "+key+" is not refreshed; what is advertised stays")...)
		default:
			out = append(out, fine(fmt.Sprintf("%s is %s old", name, age.Truncate(time.Second)))...)
		}
	}
	if s.cfg.RPKI.File != "" || s.cfg.RPKI.RTR != "" {
		age, read := s.vrps.age(at)
		look("the table of VRPs", "rpki", age, read, true)
	}
	if s.cfg.IRR.File != "" {
		age, read := s.irr.age(at)
		look("the IRR file", "irr.file", age, read, false)
	}
	if out == nil {
		return fine("none is configured: operators approve with a named risk")
	}
	return out
}

// storageRisks is what /v1/status says of the disk. A breaker that shows closed
// and cannot record a loss refuses it all the same, and it must be said.
func (d *daemon) storageRisks() []string {
	if _, err := os.Lstat(d.dir.marker()); errors.Is(err, fs.ErrNotExist) {
		return []string{"data directory: its marker is gone; a restart comes up with the breaker open"}
	}
	out := slices.Concat(risks("data directory", checkDataDir(d.dir)), risks("disk", checkDisk(d.dir)), risks("journal", checkJournal(d.dir)))
	if err := d.breaker.Failing(); err != nil {
		out = append(out, "breaker_cannot_record: every loss is refused, whatever state the breaker shows: "+err.Error())
	}
	return out
}
