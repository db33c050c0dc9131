package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/control"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// clock tells the time to the shell; everything below it is told the time.
type clock func() time.Time

// observeEvery is how often the neighbors' tables are counted for the state
// floor (W6): often enough that its trailing hour misses nothing that matters.
const observeEvery = 10 * time.Second

// retryDatabase is how often a database that could not be opened is tried again.
const retryDatabase = 5 * time.Second

// daemon is all parts of a running holdfastd. Order at start (DESIGN section
// 8): journal, last-known-good into the speaker, neighbors, listeners, and the
// database last, so that nothing on the wire waits for it.
type daemon struct {
	cfg       *config.Config
	log       *slog.Logger
	dir       dataDir
	first     bool // very first start in this data directory
	store     *snapshots.Dir
	breaker   *breaker.Breaker
	speaker   bgp.Speaker
	pipeline  pipeline
	mirror    *api.Mirror
	gate      *gate.Gate
	look      *gate.SecondLook
	evidence  *evidence
	validate  *validation
	cleaner   *cleaner
	feed      *feedServer
	speakers  *speakers
	control   *control.Control
	health    *healthSources
	loads     *loadSources
	deploys   deployWatch
	edge      *edgeMachines
	decided   *decisions // about rollouts
	beyond    *beyond
	api       *api.Server
	servers   servers
	registry  atomic.Pointer[addressing.Registry]
	closed    closedPorts
	intent    atomic.Pointer[string] // why the database cannot be used; nil when it can
	opening   sync.Mutex             // held while the database is opened or made
	urgent    sync.Mutex             // held by the emergency lane
	approving sync.Mutex             // held while the file of approvals is read or written
	queue     *gate.Queue            // of changes that wait; nil where they are refused
	notices   *notices
	sites     siteWatch
	limits    limitsInForce
	live      atomic.Pointer[config.Config] // taken over since the start; nil before
	guard     *guard.Guard                  // of the speaker
	spoken    map[string]config.Neighbor    // as the speaker was told last; guarded by the pipeline's line
	signal    map[string]string             // who signals by BGP control, with their accounts; guarded likewise
	reloading sync.Mutex                    // held while another configuration is taken over
	settling  sync.Mutex                    // held while the limits in force are read or written
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, file string) error {
	cfg, notices, err := config.Load(file)
	if err != nil {
		return err
	}
	d := &daemon{cfg: cfg, dir: dataDir(cfg.DataDir), log: jsonLog(cfg.LogLevel)}
	for _, n := range notices {
		d.log.Info("configuration note", "note", n.Error())
	}
	if err := d.open(time.Now()); err != nil {
		d.close()
		return err
	}
	defer d.close()
	return d.run(ctx)
}

// open makes every part that the wire needs, without starting anything.
func (d *daemon) open(now time.Time) (err error) {
	if d.first, err = d.dir.initialise(d.cfg.Environment, now); err != nil {
		return err
	}
	if err = d.openStore(); err != nil {
		return err
	}
	if d.limits, err = openLimits(d.dir.limits(), d.cfg.Breaker.Limits, d.first, now); err != nil {
		d.log.Error("the breaker's limits that were in force", "error", err)
	}
	if len(d.limits.waiting) > 0 {
		d.log.Error("the configuration loosens limits of the breaker: that waits for two persons", "page", true, "loosens", d.limits.waiting)
	}
	d.breaker = openBreaker(d.dir.journal(), d.limits.force, now, d.log)
	if d.mirror, err = openMirror(d.dir.tokens(), d.log); err != nil {
		return err
	}
	d.look = gate.NewSecondLook(d.log)
	d.evidence = newEvidence(d)
	d.notices = &notices{evidence: d.evidence, file: d.dir.notices()}
	if d.beyond, err = newBeyond(d.cfg, func() bgp.Speaker { return d.speaker }, d.log, now); err != nil {
		return err
	}
	d.beyond.leaked = d.leakSeen
	if err = d.openSpeaker(); err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	if d.cfg.Observe {
		d.speaker = onlooker{d.speaker, func() (rollout.Observed, bool) { return d.pipeline.Observed() }}
	}
	d.gate = gate.New(d.breaker, func() (*snapshots.Snapshot, snapshots.Head) { return d.pipeline.Active() })
	d.gate.Protect(d.cfg.Breaker.Protected)
	d.gate.Sites(d.sites.down)
	d.gate.Lacking(d.lacking)
	d.openQueue()
	d.policy()
	d.health = newHealth(d.cfg.Health, func() bool { return d.off(sourceHealth) }, d.log)
	d.loads = newLoads(d.cfg.Health.Loads, d.health.failed, d.log)
	d.gate.Carried(d.ways())
	d.edge = newEdge(d.cfg.Edge, d.dir.machines(), func() bool { return d.off(sinkMachines) }, d.health.Board, func() { d.pipeline.Kick() }, d.log, now)
	d.decided = newDecisions(d.registry.Load, func() *snapshots.Snapshot { s, _ := d.pipeline.Active(); return s }, d.log)
	runner, err := rollout.New(rollout.Config{
		Environment: d.cfg.Environment,
		Network:     d.cfg.Network(nil, nil),
		Store:       d.store,
		Applier:     announced{d.speaker, d.look},
		Observe:     d.cfg.Observe,
		Gate:        d.gate,
		Preview:     d.gate.Preview(),
		Explain:     d.gate.Explain,
		Held:        d.heldRoutes,
		Kept:        d.keptRoutes,
		Told:        d.toldTables,
		OnRefused:   d.refused,
		OnApplied:   d.applied,
		Program:     d.cfg.Rollout,
		Book:        rollout.FileBook(d.dir.rollouts()),
		Health:      d.health,
		Edge:        d.edge,
		OnRollout:   d.rolledOut,
		Sessions:    d.sessionsOf(d.cfg),
		Logger:      d.log,
	})
	if err != nil {
		return err
	}
	d.pipeline = pipeline{runner}
	d.record()
	d.validate = newValidation(newSources(d.cfg, d.log), d.registry.Load, d.turnedOff("validation"), d.log)
	d.cleaner = newCleaner(d.cfg.Cleanup, d.registry.Load, d.turnedOff("cleanup"), d.log)
	d.feed = newFeedServer(d.store, d.breaker, func() bool { return d.off(sinkSpeakers) }, d.log)
	d.speakers = &speakers{dir: d.dir.speakers(), environment: d.cfg.Environment, generation: func() uint64 { return d.pipeline.Runner.Active().Head.Generation }}
	return d.openAPI(now)
}

// openSpeaker makes the speaker and what listens to it.
func (d *daemon) openSpeaker() error {
	var speaker *guard.Guard
	d.control = control.New(control.Config{
		Accounts:  d.cfg.Controlled(),
		Registry:  d.signalled,
		Off:       func() bool { return d.off(switchControl) },
		Announced: func(neighbor string) []netip.Prefix { return speaker.Signalled(neighbor) },
		Active:    func() *snapshots.Snapshot { s, _ := d.pipeline.Active(); return s },
		Log:       d.log,
	})
	var err error
	if speaker, err = newSpeaker(d.cfg, d.dir, !d.first, d.log, func(e bgp.Event) { d.look.See(e); d.control.See(e); d.beyond.see(e) }, d.allows); err != nil {
		return err // and d.speaker is no Speaker that is no nil
	}
	d.speaker, d.guard = speaker, speaker
	d.signal, d.spoken = d.cfg.Controlled(), map[string]config.Neighbor{}
	for _, n := range d.cfg.BGP.Neighbors {
		d.spoken[n.Name] = n
	}
	return nil
}

// allows says what a neighbor with receive control may signal.
func (d *daemon) allows(neighbor string) func(netip.Prefix) bool {
	return func(p netip.Prefix) bool { return d.control.Allows(neighbor, p) }
}

// signalled is desired state for BGP control, nil while it cannot be used.
func (d *daemon) signalled() control.Registry {
	if r := d.registry.Load(); r != nil {
		return r
	}
	return nil
}

// openBreaker opens the breaker. Where not even an open one can be recorded, it
// returns one that refuses: changes wait, the wire does not notice.
func openBreaker(journal string, limits breaker.Limits, now time.Time, log *slog.Logger) *breaker.Breaker {
	if err := os.MkdirAll(journal, 0o700); err != nil {
		log.Error("breaker journal", "error", err)
	}
	b, err := breaker.OpenDir(journal, breaker.Options{Limits: withSwitches(limits), At: now})
	if err != nil {
		log.Error("the breaker journal cannot be used: every change is refused until a restart finds it usable", "error", err)
	}
	return b
}

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

func (d *daemon) openAPI(now time.Time) (err error) {
	d.api, err = api.New(api.Config{
		Environment:   d.cfg.Environment,
		Version:       version.String(),
		Mode:          d.mode(),
		StartedAt:     now,
		Pipeline:      d.pipeline,
		History:       history{d.store},
		Breaker:       switchboard{d, time.Now, d.pipeline.Kick},
		Speaker:       d.speaker,
		Pins:          pins{d},
		Trips:         trips{d},
		Emergency:     d.emergency(),
		Repair:        repair{d},
		Switches:      switches{d.breaker},
		Approvals:     approvals{d, &d.approving},
		Edges:         edges{d},
		Drains:        drains{d},
		Configuration: configuration{d},
		Approvers:     persons{d},
		Held:          held{d},
		Notices:       d.notices,
		Limits:        limitDesk{d},
		Rollouts:      d.pipeline,
		Health:        d.health,
		Loads:         d.loads,
		Edge:          d.edge,
		Letters:       api.LetterDir(d.dir.letters()),
		Mirror:        d.mirror,
		Ready:         d.ready,
		Feed:          d.feed,
		Speakers:      d.speakers,
		Beyond:        d.beyond,
		Doctor:        doctor{d.checkups},
		Cleanup:       d.cleaner,
		Risks:         d.risks,
		Validate:      d.validate.ask,
		Quota:         api.Quota{PerSecond: d.cfg.API.RequestsPerSecond, Burst: d.cfg.API.Burst},
		Log:           d.log,
	})
	return err
}

// run starts the daemon: the wire first, then the ways in, then intent.
func (d *daemon) run(ctx context.Context) error {
	booted, err := d.pipeline.Boot(ctx)
	if err != nil {
		// A snapshot that is there and cannot be used: connecting with an empty
		// table would withdraw everything at the first End-of-RIB.
		return fmt.Errorf("last-known-good cannot be used, so no neighbor is let in: %w", err)
	}
	if !booted.None && missing(d.dir.database()) {
		d.pipeline.StopIntentLost("the database file is gone")
	}
	d.log.Info("booted", "generation", booted.Head.Generation, "routes", booted.Routes, "first_start", d.first)
	d.guard.Await(booted.Waiting...)
	if err := d.speaker.Start(ctx); err != nil {
		d.pipeline.Ended()
		return fmt.Errorf("speaker: %w", err)
	}
	if err := d.listen(ctx); err != nil {
		d.pipeline.Ended()
		return err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.pipeline.Run(running)
	}()
	go d.look.Run(running, d.breaker)
	go d.hangup(running)
	crawled := make(chan struct{})
	go func() { defer close(crawled); crawl(running, d.store) }()
	go d.evidence.run(running)
	go d.feed.run(running)
	if d.queue != nil {
		go d.expireHeld(running)
	}
	go d.keepDatabase(running, !booted.None)
	go d.probeDatabase(running)
	go d.validate.run(running)
	go d.cleaner.run(running)
	go d.control.Run(running)
	d.beyond.listen(running)
	go d.beyond.run(running)
	go d.health.run(running)
	go d.decided.run(running)
	go d.loads.run(running)
	go d.watchDeploys(running)
	d.watch(running)
	stop()
	<-ended
	<-crawled
	d.log.Info("stopping; the neighbors keep our routes for their restart time")
	return nil
}

// listen opens the ways in. The admin socket must open, and at the very first
// start everything must. Later the API and metrics are reported and tried
// again: the wire does not need them, and ending for a port would take it down.
func (d *daemon) listen(ctx context.Context) error {
	d.servers.log = d.log
	if err := d.servers.admin(d.cfg.AdminSocket, d.api); err != nil {
		return err
	}
	if err := d.closed.open(ctx, d.first, d.log, func() error { return d.servers.public(d.cfg.API, d.api) }); err != nil {
		return err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{d}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(d.api.Collectors()...)
	registry.MustRegister(sourceCollector{d.validate}, storeCollector{d})
	registry.MustRegister(d.cleaner.collectors()...)
	registry.MustRegister(d.speakers, observeCollector{d}, controlCollector{d.control}, rolloutCollector{d}, d.health.failed, pathCollector{d})
	registry.MustRegister(d.beyond)
	mux := http.NewServeMux()
	scrape := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if d.off(sinkMetrics) {
			http.Error(w, "turned off: holdfast kill-switch list", http.StatusServiceUnavailable)
			return
		}
		scrape.ServeHTTP(w, r)
	})
	return d.closed.open(ctx, d.first, d.log, func() error { return d.servers.metrics(d.cfg.Metrics, mux) })
}

// watch counts the neighbors' tables until ctx ends.
func (d *daemon) watch(ctx context.Context) {
	tick := time.NewTicker(observeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			d.observe(ctx, at)
		}
	}
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

func (d *daemon) emergency() emergencyLane { return emergencyLane{d, &d.urgent} }

// withSwitches adds everything that can be turned off.
func withSwitches(l breaker.Limits) breaker.Limits {
	l.Switches = killSwitches()
	return l
}

// openQueue makes room for changes that wait, where the configuration has that.
// What waited before it was changed still waits.
func (d *daemon) openQueue() {
	q, err := gate.OpenQueue(d.dir.held(), d.cfg.Breaker.HoldFor)
	if err != nil {
		d.log.Error("what waited for the breaker cannot be read: what is desired and not on the wire is held as unexplained", "error", err)
	}
	if d.cfg.Breaker.HoldMode == config.HoldQueue || len(q.List()) > 0 {
		d.queue = q
	}
	if d.cfg.Breaker.HoldMode == config.HoldQueue {
		d.gate.Hold(q)
	}
}

// heldRoutes are the routes of changes that wait.
func (d *daemon) heldRoutes() func(account string, cidr netip.Prefix) bool {
	if d.queue == nil {
		return nil
	}
	return d.queue.Held()
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

// risks are the named risks in force.
func (d *daemon) risks() []string {
	out := slices.Concat(d.observing(), d.standing(), d.storeRisks(), d.storageRisks(), d.validate.risks(), d.speakers.risks(), d.control.Risks(), d.rolloutRisks(time.Now()), d.maxPrefixRisks(), d.outOfService(), d.cfg.Breaker.Risks(persons{d}.count()))
	out = append(out, d.beyond.risks()...)
	d.settling.Lock()
	defer d.settling.Unlock()
	if len(d.limits.waiting) > 0 {
		out = append(out, "limits_wait: the configuration loosens limits of the breaker, which waits for two persons (holdfast breaker limits): "+strings.Join(d.limits.waiting, "; "))
	}
	return out
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

// ready says whether the daemon does its whole job. Neighbors that are down do
// not count: that is their business.
func (d *daemon) ready() (bool, string) {
	if d.api.Usable() {
		return true, ""
	}
	if d.registry.Load() != nil {
		return false, "desired state: the database cannot be read"
	}
	if why := d.intent.Load(); why != nil {
		return false, "desired state: " + *why
	}
	return false, "starting"
}

// refused opens the global scope when desired state looks like a lost
// database; everything else that preflight refuses just stays off the wire.
func (d *daemon) refused(p plan.Plan, r plan.Report) {
	for _, f := range r.Findings {
		d.log.Warn("plan refused", "generation", p.Generation, "rule", f.Rule, "why", f.Why)
	}
	if !r.Has(plan.RuleLostDatabase) {
		return
	}
	builder := breaker.Actor{Kind: breaker.ActorKind(addressing.System), Key: "system/builder"}
	if _, err := d.breaker.TripBy("breaker.lost-database", breaker.Global, "desired state looks like a lost database", builder, time.Now()); err != nil {
		d.log.Error("breaker could not be opened; it holds by itself", "error", err)
	}
}

func (d *daemon) applied(a rollout.Applied) {
	d.deploys.applied(a, time.Now())
	d.feed.refresh(time.Now())
	d.log.Info("applied", "generation", a.Head.Generation, "changes", len(a.Plan.Changes), "actor", a.Head.Actor, "took", a.Took.String())
	for _, f := range a.Findings {
		d.log.Warn("remark on what was applied", "rule", f.Rule, "why", f.Why)
	}
}

// close ends the daemon. The sessions end without NOTIFICATION, so that
// graceful restart keeps the routes (invariant 13).
func (d *daemon) close() {
	d.servers.close()
	if d.beyond != nil {
		shut(d.log, "BMP", d.beyond.station)
	}
	if d.speaker != nil {
		shut(d.log, "speaker", d.speaker)
	}
	if d.breaker != nil {
		shut(d.log, "breaker journal", d.breaker)
	}
	if d.store != nil {
		shut(d.log, "snapshots", d.store)
	}
}

// shut closes a part of the program. What fails is told: there is nobody left
// to do anything about it.
func shut(log *slog.Logger, part string, c io.Closer) {
	if err := c.Close(); err != nil {
		log.Error(part, "error", err)
	}
}

// newSpeaker makes a speaker. allows says what a neighbor with receive control
// may signal; nil is nothing.
func newSpeaker(c *config.Config, dir dataDir, restarting bool, log *slog.Logger, see func(bgp.Event), allows func(neighbor string) func(netip.Prefix) bool) (*guard.Guard, error) {
	g, err := speakerConfig(c, dir, allows)
	if err != nil {
		return nil, err
	}
	g.Restarting, g.Logger, g.Events = restarting, log, see
	return gobgp.NewGuarded(g)
}

// speakerConfig is what the speaker is told of the configuration.
func speakerConfig(c *config.Config, dir dataDir, allows func(neighbor string) func(netip.Prefix) bool) (gobgp.Config, error) {
	g := gobgp.Config{ASN: c.BGP.ASN, RouterID: c.BGP.RouterID, Listen: c.BGP.Listen, StateDir: dir.adjRIBOut()}
	for _, n := range c.BGP.Neighbors {
		key, err := md5Key(n.MD5File)
		if err != nil {
			return g, fmt.Errorf("neighbor %s: %w", n.Name, err)
		}
		g.Neighbors = append(g.Neighbors, gobgp.Neighbor{
			Neighbor:        n.Neighbor,
			Port:            n.Port,
			LocalAddress:    n.LocalAddress,
			MD5:             key,
			Passive:         n.Passive,
			TTLSecurity:     n.TTLSecurity,
			Multihop:        uint8(n.Multihop),
			HoldTime:        n.HoldTime,
			GracefulRestart: gobgp.GracefulRestart{Enabled: n.GracefulRestart, RestartTime: n.RestartTime, StaleTime: n.StaleTime},
			StrictRole:      n.StrictRole,
			MaxPrefixes:     n.MaxPrefixes,
			Accept:          allows(n.Name),
		})
	}
	return g, nil
}

func md5Key(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("md5_file: %w", err)
	}
	key := strings.TrimRight(string(raw), "\r\n")
	if key == "" {
		return "", fmt.Errorf("md5_file %s: is empty", file)
	}
	return key, nil
}
