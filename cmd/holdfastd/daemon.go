package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/control"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// clock tells the time to the shell; everything below it is told the time.
type clock func() time.Time

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
