package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/station"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

const (
	// assessEvery is how often what changed beyond the edge is judged, and
	// assessAll how often everything is.
	assessEvery = time.Second
	assessAll   = 30 * time.Second
)

// beyond is what routers tell of our routes. It watches: nothing here reaches a
// rollout or the wire. A leak is told to the breaker, which holds.
type beyond struct {
	station *station.Station
	speaker func() bgp.Speaker
	log     *slog.Logger
	told    map[string]station.Finding // that were logged
	leaked  func(station.Finding)      // a leak is new; nil is nobody to tell
}

var _ api.BeyondEdge = (*beyond)(nil)

func newBeyond(c *config.Config, speaker func() bgp.Speaker, log *slog.Logger, now time.Time) (*beyond, error) {
	s, err := station.New(c.Station(), log, now)
	if err != nil {
		return nil, err
	}
	return &beyond{station: s, speaker: speaker, log: log, told: map[string]station.Finding{}}, nil
}

// see takes an event of the guard; it does not block.
func (b *beyond) see(e bgp.Event) {
	switch e.Kind {
	case bgp.Advertised, bgp.Withdrawn, bgp.SessionUp, bgp.SessionDown:
		b.station.Touch(e.Neighbor)
	}
}

// listen lets routers in. What cannot be listened on is told and no more: the
// wire does not need it.
func (b *beyond) listen(ctx context.Context) {
	if err := b.station.Start(ctx); err != nil {
		b.log.Error("BMP: no router can tell what became of our routes", "error", err)
	}
}

// run judges until ctx ends.
func (b *beyond) run(ctx context.Context) {
	tick := time.NewTicker(assessEvery)
	defer tick.Stop()
	for full := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case at := <-tick.C:
			all := at.Sub(full) >= assessAll
			if all {
				full = at
			}
			b.station.Assess(at, b.sent(ctx), all)
			b.tell()
		}
	}
}

// sent gives the Adj-RIB-Out of a neighbor, nothing while its session is down.
func (b *beyond) sent(ctx context.Context) station.Source {
	var up map[string]bool
	return func(neighbor string) ([]snapshots.TargetRoute, bool) {
		if up == nil {
			up = map[string]bool{}
			all, err := b.speaker().Neighbors(ctx)
			if err != nil {
				return nil, false
			}
			for _, n := range all {
				up[n.Name] = n.State == bgp.Established
			}
		}
		if !up[neighbor] {
			return nil, false
		}
		routes, err := b.speaker().Routes(ctx, neighbor)
		return routes, err == nil
	}
}

// tell logs what is found, what grows and what is over.
func (b *beyond) tell() {
	now := map[string]station.Finding{}
	for _, f := range b.station.Findings() {
		key := fmt.Sprint(f.Kind, f.Router, f.Session, f.Family, f.From)
		now[key] = f
		was, known := b.told[key]
		if known && f.Prefixes < 2*was.Prefixes {
			now[key] = was // the next line is for twice as many
			continue
		}
		if f.Kind == station.Leak && !f.Stale && !known && b.leaked != nil {
			b.leaked(f)
		}
		b.log.Error("beyond the edge: "+f.String(), "alert", "beyond_"+string(f.Kind), "router", f.Router, "site", f.Site, "session", f.Session,
			"witness", f.Witness, "family", f.Family.String(), "prefixes", f.Prefixes, "since", f.Since)
	}
	for key, f := range b.told {
		if _, still := now[key]; !still {
			b.log.Info("beyond the edge: over", "kind", string(f.Kind), "router", f.Router, "session", f.Session, "family", f.Family.String())
		}
	}
	b.told = now
}

// Sightings implements api.BeyondEdge.
func (b *beyond) Sightings(p netip.Prefix, neighbors []string) []api.Sighting {
	out := []api.Sighting{}
	for _, s := range b.station.Sightings(p, neighbors, time.Now()) {
		out = append(out, api.Sighting{Stage: api.SightingStage(s.Stage), Router: s.Router, Session: s.Session, Witness: s.Witness,
			Answer: api.BeyondAnswer(s.Answer), Communities: append([]string{}, s.Marks...), Why: textOrNil(s.Why), Since: momentOrNil(s.Since)})
	}
	return out
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func momentOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// State implements api.BeyondEdge.
func (b *beyond) State() ([]api.BeyondFinding, []api.BeyondRouter, uint64) {
	findings, routers := []api.BeyondFinding{}, []api.BeyondRouter{}
	for _, f := range b.station.Findings() {
		one := api.BeyondFinding{Kind: api.BeyondFindingKind(f.Kind), Router: f.Router, Site: f.Site, Session: f.Session, Witness: f.Witness,
			Family: f.Family.String(), Prefixes: f.Prefixes, Examples: []string{}, Communities: append([]string{}, f.Marks...), FromAsn: int64(f.From),
			Since: f.Since.UTC(), Stale: f.Stale, Summary: f.String()}
		if f.Leak != policy.NoLeakType {
			one.Leak = f.Leak.String()
		}
		for _, p := range f.Examples {
			one.Examples = append(one.Examples, p.String())
		}
		findings = append(findings, one)
	}
	all, refused := b.station.Routers(time.Now())
	for _, r := range all {
		routers = append(routers, api.BeyondRouter{Name: r.Name, Site: r.Site, Outside: r.Outside, Up: r.Up, Since: momentOrNil(r.Since), Why: textOrNil(r.Why),
			System: r.System, HeardAt: momentOrNil(r.Heard), Sessions: r.Sessions, Messages: int64(r.Messages), Malformed: int64(r.Malformed),
			RoutesKept: r.Kept, RoutesIgnored: int64(r.Ignored)})
	}
	return findings, routers, refused
}

// risks are named in /v1/status. What nobody tells is a risk of its own.
func (b *beyond) risks() []string {
	var out []string
	for _, f := range b.station.Findings() {
		out = append(out, "beyond_"+string(f.Kind)+": "+f.String())
	}
	all, _ := b.station.Routers(time.Now())
	for _, r := range all {
		if !r.Up {
			out = append(out, fmt.Sprintf("beyond_unknown: what %s does with our routes is unknown since %s: %s", r.Name, r.Since.UTC().Format(time.RFC3339), r.Why))
		}
	}
	return out
}

var (
	beyondDesc        = prometheus.NewDesc("holdfast_beyond_prefixes", "Prefixes with which something is wrong beyond us, as routers tell it.", []string{"router", "session", "family", "kind"}, nil)
	beyondUpDesc      = prometheus.NewDesc("holdfast_bmp_router_up", "1 while what the router tells can be trusted; 0 means unknown.", []string{"router"}, nil)
	beyondMessages    = prometheus.NewDesc("holdfast_bmp_messages_total", "BMP messages of the router.", []string{"router"}, nil)
	beyondMalformed   = prometheus.NewDesc("holdfast_bmp_messages_malformed_total", "BMP messages of the router that could not be read.", []string{"router"}, nil)
	beyondKept        = prometheus.NewDesc("holdfast_bmp_routes_kept", "Routes of the router that are kept.", []string{"router"}, nil)
	beyondIgnored     = prometheus.NewDesc("holdfast_bmp_routes_ignored_total", "Routes that the router told of and that are none of ours: counted, not kept.", []string{"router"}, nil)
	beyondRefusedDesc = prometheus.NewDesc("holdfast_bmp_connections_refused_total", "Connections to the BMP listener from addresses that no router has.", nil, nil)
)

// Describe implements prometheus.Collector.
func (b *beyond) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{beyondDesc, beyondUpDesc, beyondMessages, beyondMalformed, beyondKept, beyondIgnored, beyondRefusedDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (b *beyond) Collect(ch chan<- prometheus.Metric) {
	type labels struct{ router, session, family, kind string }
	sums := map[labels]int{}
	for _, f := range b.station.Findings() {
		sums[labels{f.Router, f.Session, f.Family.String(), string(f.Kind)}] += f.Prefixes // leaks of several networks
	}
	for l, n := range sums {
		ch <- prometheus.MustNewConstMetric(beyondDesc, prometheus.GaugeValue, float64(n), l.router, l.session, l.family, l.kind)
	}
	routers, refused := b.station.Routers(time.Now())
	for _, r := range routers {
		ch <- prometheus.MustNewConstMetric(beyondUpDesc, prometheus.GaugeValue, truth(r.Up), r.Name)
		ch <- prometheus.MustNewConstMetric(beyondMessages, prometheus.CounterValue, float64(r.Messages), r.Name)
		ch <- prometheus.MustNewConstMetric(beyondMalformed, prometheus.CounterValue, float64(r.Malformed), r.Name)
		ch <- prometheus.MustNewConstMetric(beyondKept, prometheus.GaugeValue, float64(r.Kept), r.Name)
		ch <- prometheus.MustNewConstMetric(beyondIgnored, prometheus.CounterValue, float64(r.Ignored), r.Name)
	}
	ch <- prometheus.MustNewConstMetric(beyondRefusedDesc, prometheus.CounterValue, float64(refused))
}
