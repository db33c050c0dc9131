package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/prometheus/client_golang/prometheus"
)

// validation runs the steps of prefixes: when somebody asks for one, and for
// all of them whenever the sources were read. It approves what all steps call
// valid, alerts about what lapses, and withdraws nothing.
type validation struct {
	sources  *sources
	registry func() *addressing.Registry // nil while there is no intent
	off      func() bool                 // its kill switch
	log      *slog.Logger
	asked    chan string   // prefix ids
	fresh    chan struct{} // new data
	barred   atomic.Int64  // approved prefixes that nothing new may be advertised of
}

func newValidation(s *sources, registry func() *addressing.Registry, off func() bool, log *slog.Logger) *validation {
	return &validation{sources: s, registry: registry, off: off, log: log, asked: make(chan string, 1024), fresh: make(chan struct{}, 1)}
}

// ask starts the validation of a prefix. A queue that is full drops it: the
// prefix stays pending and can be asked for again.
func (v *validation) ask(prefixID string) {
	select {
	case v.asked <- prefixID:
	default:
		v.log.Warn("too many validations are waiting; ask again", "prefix_id", prefixID)
	}
}

func (v *validation) notice() {
	select {
	case v.fresh <- struct{}{}:
	default:
	}
}

// run works until ctx ends. A slow whois server delays other questions to it
// and nothing else.
func (v *validation) run(ctx context.Context) {
	if v.sources.cfg.RPKI.RTR != "" {
		go v.sources.follow(ctx, v.notice)
	}
	go v.answer(ctx)
	tick := time.NewTicker(v.sources.cfg.RPKI.Refresh)
	defer tick.Stop()
	for {
		v.sources.readFiles(time.Now())
		v.all(ctx, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-v.fresh:
		}
	}
}

func (v *validation) answer(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-v.asked:
			if r := v.registry(); r != nil && !v.off() {
				v.one(ctx, r, id, v.sources.every(), time.Now())
			}
		}
	}
}

// one runs the steps of a prefix and stores what they say.
func (v *validation) one(ctx context.Context, r *addressing.Registry, id string, steps addressing.Validators, at time.Time) {
	out, _, err := r.RunValidation(ctx, v.request(at), id, steps)
	if err != nil {
		v.log.Error("validation was not stored", "prefix_id", id, "error", err)
		return
	}
	for _, verdict := range out.Verdicts {
		if verdict.Err != nil {
			v.log.Warn("validation step has no answer", "prefix_id", id, "cidr", out.Prefix.CIDR.String(), "step", string(verdict.Step), "error", verdict.Err)
		}
	}
	if out.Approved {
		v.log.Info("approved: every step is valid", "prefix_id", id, "cidr", out.Prefix.CIDR.String())
	}
	if len(out.Lapsed) > 0 {
		v.log.Error("authorisation lapsed: nothing new is advertised, nothing is withdrawn", "alert", "authorisation_lapsed",
			"prefix_id", id, "cidr", out.Prefix.CIDR.String(), "asn", out.Prefix.ASN, "steps", fmt.Sprint(out.Lapsed))
	}
}

// all judges every prefix against what was read. Only those that differ from
// what is stored cost a write.
func (v *validation) all(ctx context.Context, at time.Time) {
	r := v.registry()
	if r == nil || v.off() {
		return
	}
	prefixes, err := r.Prefixes(ctx, addressing.EveryAccount())
	if err != nil {
		v.log.Error("prefixes cannot be validated", "error", err)
		return
	}
	steps, barred := v.sources.local(), int64(0)
	for _, d := range prefixes {
		if ctx.Err() != nil {
			return
		}
		if v.differs(ctx, d.Prefix, steps) {
			v.one(ctx, r, d.ID, steps, at)
			if again, err := r.Prefix(ctx, addressing.EveryAccount(), d.ID); err == nil {
				d = again
			}
		}
		if d.State == addressing.Approved && d.BarsAdvertising() != "" {
			barred++
		}
	}
	v.barred.Store(barred)
}

// differs asks without storing. A source without an answer changes nothing.
func (v *validation) differs(ctx context.Context, p addressing.Prefix, steps addressing.Validators) bool {
	claim := addressing.Claim{CIDR: p.CIDR, ASN: p.ASN, AccountID: p.AccountID, Token: p.OwnershipToken}
	for _, s := range []struct {
		ask  addressing.Validator
		have addressing.ValidationState
	}{{steps.RPKI, p.RPKI}, {steps.IRR, p.IRR}} {
		if s.ask == nil {
			continue
		}
		says, err := s.ask.Validate(ctx, claim)
		stays := says == s.have || says == addressing.ValidationMissing && s.have == addressing.ValidationExpired
		if err == nil && !stays {
			return true
		}
	}
	return false
}

func (v *validation) request(at time.Time) addressing.Request {
	return addressing.Request{Actor: addressing.Actor{Kind: addressing.System, ID: "validation", Name: "validation"},
		Scope: addressing.EveryAccount(), Reason: "validation against the configured sources", At: at}
}

// risks are named in /v1/status.
func (v *validation) risks() []string {
	var out []string
	if n := v.barred.Load(); n > 0 {
		out = append(out, fmt.Sprintf("authorisation_lapsed: %d approved prefix(es) whose authorisation is invalid or expired; nothing new of them is advertised", n))
	}
	if steps := v.sources.local(); steps.RPKI != nil {
		if age, read := v.sources.vrps.age(time.Now()); !read || age > 3*v.sources.cfg.RPKI.Refresh {
			out = append(out, "rpki_stale: the VRPs are old or were never read")
		}
	}
	return out
}

// sourceCollector reads the state of the sources at each scrape.
type sourceCollector struct{ v *validation }

var (
	sourceAgeDesc = prometheus.NewDesc("holdfast_validation_source_age_seconds", "Age of the data of a source that was read; absent before the first.", []string{"source"}, nil)
	vrpsDesc      = prometheus.NewDesc("holdfast_rpki_vrps", "Validated ROA payloads in use.", nil, nil)
	barredDesc    = prometheus.NewDesc("holdfast_authorisation_lapsed_prefixes", "Approved prefixes whose authorisation is invalid or expired.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c sourceCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{sourceAgeDesc, vrpsDesc, barredDesc} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c sourceCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	if age, read := c.v.sources.vrps.age(now); read {
		gauge(sourceAgeDesc, age.Seconds(), "rpki")
	}
	if age, read := c.v.sources.irr.age(now); read {
		gauge(sourceAgeDesc, age.Seconds(), "irr")
	}
	gauge(vrpsDesc, float64(c.v.sources.vrps.data.Load().Len()))
	gauge(barredDesc, float64(c.v.barred.Load()))
}
