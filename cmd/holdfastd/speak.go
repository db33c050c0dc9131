package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// lone is a speaker that runs alone: no API, no database, no builder. It
// follows a feed of signed snapshots and needs nothing of it to keep what is on
// the wire (DESIGN section 12).
type lone struct {
	cfg      *config.Speak // as it was at the start
	live     *config.Speak // as it was taken over last; takeOver's alone
	log      *slog.Logger
	dir      dataDir
	store    *snapshots.Dir
	speaker  bgp.Speaker
	guard    *guard.Guard // of the speaker
	follower *rollout.Follower
	reporter *reporter
	api      *api.Server // on the admin socket alone
	servers  servers
	closed   closedPorts
	kick     chan struct{}
}

// speak runs a speaker alone until ctx ends.
func speak(ctx context.Context, file string) error {
	cfg, notices, err := config.LoadSpeak(file)
	if err != nil {
		return err
	}
	l := &lone{cfg: cfg, live: cfg, dir: dataDir(cfg.DataDir), kick: make(chan struct{}, 1), log: jsonLog(cfg.LogLevel)}
	for _, n := range notices {
		l.log.Info("configuration note", "note", n.Error())
	}
	if err := l.open(time.Now()); err != nil {
		l.close()
		return err
	}
	defer l.close()
	return l.run(ctx)
}

// checkSpeak judges the configuration of a speaker alone.
func checkSpeak(file string) (string, []config.Notice, error) {
	c, notices, err := config.LoadSpeak(file)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("environment %s, speaker %s, AS%d, %d neighbor(s) at %d site(s)", c.Environment, c.Name, c.BGP.ASN, len(c.BGP.Neighbors), len(c.BGP.Sites)), notices, nil
}

// sender is where reports go.
type sender interface {
	Send(ctx context.Context, r feed.Report) error
}

func (l *lone) open(now time.Time) (err error) {
	if l.store, err = l.openStore(); err != nil {
		return err
	}
	source, reports, err := l.feed()
	if err != nil {
		return err
	}
	l.reporter = newReporter(l, reports, now)
	// A disk that was lost cannot tell a first start from another one. The
	// restart bits do no harm on a first one: there is nothing to keep.
	nothing := func(string) func(netip.Prefix) bool { return nil }
	speaker, err := newSpeaker(&l.cfg.Config, l.dir, true, l.log, l.reporter.see, nothing)
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	l.speaker, l.guard = speaker, speaker
	l.follower, err = rollout.NewFollower(rollout.FollowerConfig{
		Environment: l.cfg.Environment,
		Network:     l.cfg.Network(nil, nil),
		Store:       l.store,
		Applier:     l.speaker,
		Feed:        source,
		Kept:        func() func(netip.Prefix) bool { return keptRoutes(l.dir, l.log) },
		OnApplied:   func(rollout.Applied) { l.reporter.wake() },
		OnChange:    l.reporter.wake,
		Logger:      l.log,
	})
	if err != nil {
		return err
	}
	l.api, err = api.New(api.Config{
		Environment: l.cfg.Environment, Version: version.String(), StartedAt: now, Mode: "speak",
		Pipeline: followed{l}, History: history{l.store}, Breaker: followed{l}, Speaker: l.speaker,
		Pins: followed{l}, Trips: freezer{l}, Ready: l.ready, Risks: l.risks, Log: l.log,
	})
	return err
}

// openStore opens the speaker's own copy of what it follows, and makes it on
// the first start.
func (l *lone) openStore() (*snapshots.Dir, error) {
	if err := os.MkdirAll(string(l.dir), 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	for _, daemons := range []string{l.dir.database(), filepath.Join(l.dir.snapshots(), "signing.key")} {
		if _, err := os.Lstat(daemons); err == nil {
			return nil, fmt.Errorf("data directory %s: %s is there, so it is a daemon's: a speaker alone needs one of its own", l.dir, filepath.Base(daemons))
		}
	}
	options := snapshots.Options{Environment: l.cfg.Environment, Follow: l.cfg.Feed.Keys}
	if _, err := os.Lstat(filepath.Join(l.dir.snapshots(), "environment")); errors.Is(err, fs.ErrNotExist) {
		if err := snapshots.Init(l.dir.snapshots(), options); err != nil {
			return nil, err
		}
	}
	return snapshots.Open(l.dir.snapshots(), options)
}

func (l *lone) feed() (rollout.Feed, sender, error) {
	f := l.cfg.Feed
	if f.Directory != "" {
		d := feed.Directory{Root: f.Directory, Report: f.ReportFile}
		return d, d, nil
	}
	w, err := feed.NewWeb(f.URL, f.CAFile, f.TokenFile)
	if err != nil {
		return nil, nil, err
	}
	return w, w, nil
}

// run starts the wire from what is on the disk, and follows the feed. Without
// anything on the disk no neighbor is let in before the first generation came.
func (l *lone) run(ctx context.Context) error {
	booted, err := l.follower.Boot(ctx)
	if err != nil {
		return fmt.Errorf("last-known-good cannot be used, so no neighbor is let in: %w", err)
	}
	l.log.Info("booted", "generation", booted.Head.Generation, "routes", booted.Routes, "none", booted.None)
	if err := l.listen(ctx, booted.None); err != nil {
		l.follower.Ended()
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = l.follower.Run(running)
	}()
	go l.reporter.run(running)
	go l.hangup(running)
	select {
	case <-l.follower.First():
		err = l.speaker.Start(ctx)
	case <-ctx.Done():
	}
	if err == nil {
		l.tend(running)
	}
	stop()
	<-ended
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	l.log.Info("stopping; the neighbors keep our routes for their restart time")
	return nil
}

// tend looks again when a person unpins or unfreezes.
func (l *lone) tend(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.kick:
			if err := l.follower.Look(ctx); err != nil {
				l.log.Warn("looked again", "error", err)
			}
		}
	}
}

// listen opens the ways in; with a snapshot to keep on the wire, one that is
// taken is tried again (see closedPorts).
func (l *lone) listen(ctx context.Context, first bool) error {
	l.servers.log = l.log
	if err := l.servers.admin(l.cfg.AdminSocket, l.api); err != nil {
		return err
	}
	if l.cfg.Metrics == "" {
		return nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(loneCollector{l}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return l.closed.open(ctx, first, l.log, func() error { return l.servers.metrics(l.cfg.Metrics, mux) })
}

// close ends the sessions without NOTIFICATION (invariant 13).
func (l *lone) close() {
	l.servers.close()
	if l.speaker != nil {
		shut(l.log, "speaker", l.speaker)
	}
	if l.store != nil {
		shut(l.log, "snapshots", l.store)
	}
}

func (l *lone) ready() (bool, string) {
	if l.follower.Active().Snapshot == nil {
		return false, "no snapshot yet: no neighbor is let in"
	}
	return true, ""
}

func (l *lone) risks() []string {
	s := l.follower.Status()
	out := l.closed.risks()
	if s.Head.Generation == 0 {
		out = append(out, "no snapshot yet: no neighbor is let in")
	}
	if s.FeedError != "" {
		out = append(out, "the feed cannot be read, the wire stays as it is: "+s.FeedError)
	}
	if s.Refused != "" {
		out = append(out, "the feed's last offer is refused, the wire stays as it is: "+s.Refused)
	}
	if s.Waiting != "" {
		out = append(out, fmt.Sprintf("generation %d is staged and not activated: %s", s.Staged.Generation, s.Waiting))
	}
	if s.Degraded != "" {
		out = append(out, "not kept on disk: "+s.Degraded)
	}
	for _, f := range s.Findings {
		out = append(out, f.Why)
	}
	return out
}

// followed is the follower as the operations API sees it.
type followed struct{ l *lone }

var (
	_ api.Pipeline       = followed{}
	_ api.Pins           = followed{}
	_ api.CircuitBreaker = followed{}
)

// Status implements api.Pipeline.
func (f followed) Status() api.PipelineStatus {
	s := f.l.follower.Status()
	return api.PipelineStatus{Generation: s.Head.Generation, LastKnownGood: s.Head.Generation, Pinned: s.Pinned}
}

// Active implements api.Pipeline.
func (f followed) Active() (*snapshots.Snapshot, snapshots.Head) {
	l := f.l.follower.Active()
	return l.Snapshot, l.Head
}

// Pending implements api.Pipeline: what is staged.
func (f followed) Pending(context.Context) (plan.Plan, plan.Report, error) {
	staged := f.l.follower.Staged()
	if staged.Snapshot == nil {
		return plan.Plan{}, plan.Report{}, errors.New("a speaker alone builds nothing, and nothing is staged")
	}
	p := plan.Diff(f.l.follower.Active().Snapshot, staged.Snapshot)
	p.Generation, p.At = staged.Head.Generation, time.Unix(0, staged.Head.CreatedAt)
	return p, plan.Report{Verdict: policy.Hold, Findings: []policy.Finding{{Rule: "speaker.staged", Verdict: policy.Hold, Why: f.l.follower.Status().Waiting}}}, nil
}

// Rollback implements api.Pipeline.
func (f followed) Rollback(context.Context, api.RollbackRequest) (api.RollbackOutcome, error) {
	return api.RollbackOutcome{}, alone("rollback")
}

func alone(op string) error {
	return &addressing.Error{Code: addressing.CodeRefused, Op: op, Detail: "a speaker alone makes no generations", Next: "ask the daemon it follows; here there are snapshot pin and freeze"}
}

// Scopes implements api.CircuitBreaker: nothing but a freeze holds here.
func (f followed) Scopes(context.Context) ([]api.BreakerStatus, error) {
	s := f.l.follower.Status()
	out := api.BreakerStatus{Scope: "global", State: "closed"}
	if s.Frozen {
		out.State, out.TripID, out.Since, out.Reason = "locked", "freeze", time.Unix(0, s.Freeze.At), s.Freeze.Reason
	}
	return []api.BreakerStatus{out}, nil
}

// Reset implements api.CircuitBreaker.
func (f followed) Reset(context.Context, api.ResetRequest) error { return alone("breaker reset") }

// Pin implements api.Pins.
func (f followed) Pin(_ context.Context, by addressing.Actor, reason string) (api.PinStatus, error) {
	at := f.l.follower.Active()
	if at.Snapshot == nil {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeConflict, Op: "pin", Detail: "there is no generation to pin yet"}
	}
	if err := f.l.store.SetPin(snapshots.Pin{Generation: at.Head.Generation, Actor: by.Key(), Reason: reason, At: time.Now().UnixNano()}); err != nil {
		return api.PinStatus{}, diskError("pin", err)
	}
	f.l.reporter.wake()
	return f.pin(), nil
}

func diskError(op string, err error) error {
	return &addressing.Error{Code: addressing.CodeUnavailable, Op: op, Detail: err.Error(), Next: "look at the data directory's space and permissions"}
}

func (f followed) pin() api.PinStatus {
	p, pinned := f.l.store.Pinned()
	out := api.PinStatus{Pinned: pinned, Generation: p.Generation, Actor: p.Actor, Reason: p.Reason}
	if p.At != 0 {
		out.At = time.Unix(0, p.At)
	}
	return out
}

// Unpin implements api.Pins: what is staged must be named, as at the daemon.
func (f followed) Unpin(_ context.Context, by addressing.Actor, reason, accept string) (api.PinStatus, error) {
	if !f.pin().Pinned {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeConflict, Op: "unpin", Detail: "nothing is pinned"}
	}
	if staged := f.l.follower.Staged(); staged.Snapshot != nil && accept != string(staged.Head.ID) {
		return api.PinStatus{}, &addressing.Error{Code: addressing.CodeRefused, Op: "unpin", Detail: fmt.Sprintf("generation %d is staged and would be activated", staged.Head.Generation),
			Next: "holdfast plan show, then unpin with --accept " + string(staged.Head.ID)}
	}
	if err := f.l.store.ClearPin(); err != nil {
		return api.PinStatus{}, diskError("unpin", err)
	}
	f.l.log.Info("unpinned", "actor", by.Key(), "reason", reason, "accepted", accept)
	f.l.again()
	return f.pin(), nil
}

// again asks for the feed's offer to be looked at once more.
func (l *lone) again() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
	l.reporter.wake()
}

// Verify implements api.Pins.
func (f followed) Verify(context.Context) (api.Verification, error) {
	return verifyStore(f.l.store), nil
}

// freezer keeps a speaker alone from activating anything: the freeze of one
// machine, beside the permit that freezes all.
type freezer struct{ l *lone }

var _ api.Trips = freezer{}

// Trip implements api.Trips.
func (f freezer) Trip(_ context.Context, r api.TripRequest) (string, error) {
	if !r.Lock || r.Scope != "global" {
		return "", alone("breaker trip")
	}
	if err := f.l.store.Freeze(snapshots.Pin{Generation: f.l.follower.Active().Head.Generation, Actor: r.Actor.Key(), Reason: r.Reason, At: r.At.UnixNano()}); err != nil {
		return "", diskError("freeze", err)
	}
	f.l.log.Warn("frozen", "actor", r.Actor.Key(), "reason", r.Reason)
	f.l.reporter.wake()
	return "freeze", nil
}

// Unfreeze implements api.Trips.
func (f freezer) Unfreeze(_ context.Context, by addressing.Actor, reason string, _ time.Time) error {
	if _, frozen := f.l.store.Frozen(); !frozen {
		return &addressing.Error{Code: addressing.CodeConflict, Op: "unfreeze", Detail: "nothing is frozen here"}
	}
	if err := f.l.store.Unfreeze(); err != nil {
		return diskError("unfreeze", err)
	}
	f.l.log.Warn("unfrozen", "actor", by.Key(), "reason", reason)
	f.l.again()
	return nil
}

// Journal implements api.Trips.
func (f freezer) Journal(context.Context, time.Time, int) ([]api.Journaled, error) {
	return nil, alone("breaker journal")
}

// Evidence implements api.Trips.
func (f freezer) Evidence(context.Context, string) ([]api.TripEvidence, error) {
	return nil, alone("trip evidence")
}
