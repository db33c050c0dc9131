package api_test

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
)

const (
	loadPrefixes    = 4306
	loadConnections = 100
	loadRate        = 1000 // requests per second
	loadTime        = 5 * time.Second
)

// flow sends at a rate over a number of connections, whatever the answers do
// (an open loop): the time of a request counts from when it was due, so that a
// server that stalls cannot hide by delaying those behind.
type flow struct {
	client   *http.Client
	url      func(i int) string
	secret   string
	rate     float64
	accepted func(status int) bool

	failed atomic.Int64
	mu     sync.Mutex
	took   []time.Duration
}

func newFlow(w *world, token string, connections int, rate float64, url func(int) string) *flow {
	return &flow{url: url, secret: w.tokens[token], rate: rate, accepted: func(s int) bool { return s == http.StatusOK },
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}}
}

func (f *flow) run(ctx context.Context, n int) {
	var all sync.WaitGroup
	begin := time.Now()
	for i := range n {
		due := begin.Add(time.Duration(float64(i) / f.rate * float64(time.Second)))
		time.Sleep(time.Until(due))
		if ctx.Err() != nil {
			break
		}
		all.Go(func() { f.one(i, due) })
	}
	all.Wait()
	f.client.CloseIdleConnections()
}

func (f *flow) one(i int, due time.Time) {
	r, err := http.NewRequest(http.MethodGet, f.url(i), nil)
	if err != nil {
		f.failed.Add(1)
		return
	}
	r.Header.Set("Authorization", "Bearer "+f.secret)
	res, err := f.client.Do(r)
	if err != nil {
		f.failed.Add(1)
		return
	}
	_, err = io.Copy(io.Discard, res.Body)
	res.Body.Close()
	if err != nil || !f.accepted(res.StatusCode) {
		f.failed.Add(1)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = append(f.took, time.Since(due))
}

// at is a quantile of the times, in milliseconds.
func (f *flow) at(q float64) float64 {
	slices.Sort(f.took)
	if len(f.took) == 0 {
		return 0
	}
	return float64(f.took[int(q*float64(len(f.took)-1))]) / float64(time.Millisecond)
}

func gets(w *world, all []addressing.PrefixDetail) func(int) string {
	return func(i int) string { return w.http.URL + w.at("/prefixes/"+all[i%len(all)].ID) }
}

// BenchmarkOpenLoopGet is 1,000 gets a second over 100 connections, with 4,306
// prefixes. Client and server share the machine.
func BenchmarkOpenLoopGet(b *testing.B) {
	w, all := benchWorld(b, loadPrefixes)
	for b.Loop() {
		f := newFlow(w, "admin", loadConnections, loadRate, gets(w, all))
		f.run(b.Context(), int(loadRate*loadTime.Seconds()))
		if f.failed.Load() > 0 {
			b.Fatalf("%d requests failed", f.failed.Load())
		}
		b.ReportMetric(f.at(0.5), "p50-ms")
		b.ReportMetric(f.at(0.99), "p99-ms")
		b.ReportMetric(f.at(1), "max-ms")
	}
}

// BenchmarkNoisyNeighbor is one account that sends 100 times its rate beside
// another that keeps to its own: what the other's p99 is without and with the
// noise, and that nothing of it is refused.
func BenchmarkNoisyNeighbor(b *testing.B) {
	const (
		quota = 20.0 // requests a second of one token
		quiet = 18.0
		long  = 20 // seconds, for enough requests at so low a rate
	)
	w := newWorld(b, func(c *api.Config) { c.Quota = api.Quota{PerSecond: quota, Burst: 40} })
	all := w.fill(400)
	w.build()
	foreign := func(int) string { return w.http.URL + "/client/v4/accounts/" + w.other + "/addressing/prefixes" }
	for b.Loop() {
		alone := newFlow(w, "admin", 20, quiet, gets(w, all))
		alone.run(b.Context(), quiet*long)
		noisy := newFlow(w, "foreign", loadConnections, quota*100, foreign)
		noisy.accepted = func(s int) bool { return s == http.StatusOK || s == http.StatusTooManyRequests }
		ctx, stop := context.WithCancel(b.Context())
		var noise sync.WaitGroup
		noise.Go(func() { noisy.run(ctx, quota*100*2*long) })
		beside := newFlow(w, "admin", 20, quiet, gets(w, all))
		beside.run(b.Context(), quiet*long)
		stop()
		noise.Wait()
		if n := alone.failed.Load() + beside.failed.Load() + noisy.failed.Load(); n > 0 {
			b.Fatalf("%d requests failed", n)
		}
		b.ReportMetric(alone.at(0.5), "p50-alone-ms")
		b.ReportMetric(beside.at(0.5), "p50-beside-ms")
		b.ReportMetric(alone.at(0.99), "p99-alone-ms")
		b.ReportMetric(beside.at(0.99), "p99-beside-ms")
	}
}
