package main

import (
	"context"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/cmd/internal/version"
	"github.com/holdfast-bgp/holdfast/snapshots/feed"
	"github.com/prometheus/client_golang/prometheus"
)

// reportSoon is how long a change waits for others before it is reported.
const reportSoon = 200 * time.Millisecond

// reporter tells whoever feeds a speaker what the speaker has and saw. Nothing
// waits for it: a daemon that is gone is told when it is back.
type reporter struct {
	l       *lone
	to      sender
	started time.Time
	change  chan struct{}

	mu     sync.Mutex
	events []feed.Event
	failed string
}

func newReporter(l *lone, to sender, started time.Time) *reporter {
	return &reporter{l: l, to: to, started: started, change: make(chan struct{}, 1)}
}

// wake asks for a report soon; it never blocks.
func (r *reporter) wake() {
	select {
	case r.change <- struct{}{}:
	default:
	}
}

// see takes an event from the speaker. Routes of one kind, neighbor and
// generation are counted together; beyond what a report carries the oldest go.
func (r *reporter) see(e bgp.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := feed.Event{At: e.At, Kind: string(e.Kind), Neighbor: e.Neighbor, Prefixes: len(e.Prefixes), Generation: e.Generation, Why: feed.Cut(e.Why)}
	for i := len(r.events) - 1; i >= 0; i-- {
		if have := &r.events[i]; have.Neighbor == next.Neighbor {
			if have.Kind == next.Kind && have.Generation == next.Generation && have.Why == next.Why && next.Prefixes > 0 {
				have.Prefixes += next.Prefixes
				return
			}
			break // what happened in between stays in between
		}
	}
	if len(r.events) >= feed.MaxEvents {
		r.events = append(r.events[:0], r.events[1:]...)
	}
	r.events = append(r.events, next)
	if e.Kind != bgp.Advertised && e.Kind != bgp.Withdrawn {
		r.wake()
	}
}

// run reports until ctx ends: on each change, and regularly.
func (r *reporter) run(ctx context.Context) {
	regular := time.NewTicker(reportEvery)
	defer regular.Stop()
	for {
		r.send(ctx)
		select {
		case <-ctx.Done():
			return
		case <-regular.C:
		case <-r.change:
			select {
			case <-ctx.Done():
				return
			case <-time.After(reportSoon):
			}
		}
	}
}

func (r *reporter) send(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, reportEvery)
	defer cancel()
	report := r.report(ctx)
	err := r.to.Send(ctx, report)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.events = append(report.Events, r.events...)
		r.events = r.events[max(0, len(r.events)-feed.MaxEvents):]
	}
	if err == nil {
		if r.failed != "" {
			r.l.log.Info("reports are taken again")
		}
		r.failed = ""
		return
	}
	if ctx.Err() == nil && r.failed != err.Error() {
		r.l.log.Warn("report not taken; the wire does not need it", "error", err)
		r.failed = err.Error()
	}
}

// report is the speaker as it stands.
func (r *reporter) report(ctx context.Context) feed.Report {
	s := r.l.follower.Status()
	out := feed.Report{
		Speaker: r.l.cfg.Name, Environment: r.l.cfg.Environment, Version: version.String(), At: time.Now(), StartedAt: r.started,
		Epoch: s.Head.Epoch, Generation: s.Head.Generation, SnapshotID: string(s.Head.ID), Staged: s.Staged.Generation,
		Waiting: feed.Cut(s.Waiting), Refused: feed.Cut(s.Refused), Pinned: s.Pinned, Frozen: s.Frozen,
		Neighbors: []feed.Neighbor{},
	}
	if !s.AppliedAt.IsZero() {
		out.AppliedAt = &s.AppliedAt
	}
	neighbors, err := r.l.speaker.Neighbors(ctx)
	if err == nil {
		for _, n := range neighbors[:min(len(neighbors), feed.MaxNeighbors)] {
			one := feed.Neighbor{Name: n.Name, State: string(n.State), SurvivalSeconds: int64(n.Survival.Total() / time.Second)}
			for _, f := range n.Families {
				one.Advertised += n.Advertised[f]
				one.Target += n.Target[f]
			}
			out.Neighbors = append(out.Neighbors, one)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out.Events = append([]feed.Event{}, r.events...)
	r.events = nil // put back if nobody takes them
	return out
}

// loneCollector reads the state of a speaker alone at each scrape.
type loneCollector struct{ l *lone }

var (
	stagedDesc  = prometheus.NewDesc("holdfast_speaker_staged_generation", "Generation that is verified and not activated, 0 for none.", nil, nil)
	refusedDesc = prometheus.NewDesc("holdfast_speaker_refused", "1 while what the feed offers is refused.", nil, nil)
	frozenDesc  = prometheus.NewDesc("holdfast_speaker_frozen", "1 while a person has frozen this speaker.", nil, nil)
	feedAgeDesc = prometheus.NewDesc("holdfast_speaker_feed_age_seconds", "Time since the feed was last read.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c loneCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range append([]*prometheus.Desc{generationDesc, ageDesc, pinnedDesc, stagedDesc, refusedDesc, frozenDesc, feedAgeDesc}, neighborDescs...) {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c loneCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if neighbors, err := c.l.speaker.Neighbors(ctx); err == nil {
		for _, n := range neighbors {
			collectNeighbor(ch, n)
		}
	}
	now, s := time.Now(), c.l.follower.Status()
	gauge(generationDesc, float64(s.Head.Generation))
	if s.Head.Generation > 0 {
		gauge(ageDesc, now.Sub(time.Unix(0, s.Head.CreatedAt)).Seconds())
	}
	gauge(pinnedDesc, truth(s.Pinned))
	gauge(stagedDesc, float64(s.Staged.Generation))
	gauge(refusedDesc, truth(s.Refused != ""))
	gauge(frozenDesc, truth(s.Frozen))
	if !s.FeedAt.IsZero() {
		gauge(feedAgeDesc, now.Sub(s.FeedAt).Seconds())
	}
}
