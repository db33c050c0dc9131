package main

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	crawlEvery = 45 * time.Second     // a round over both copies begins
	crawlSlice = 64                   // files, then the crawl pauses
	crawlPause = 5 * time.Millisecond // so that it is never in anybody's way
	crawlRetry = 2 * time.Second      // what one copy could not be given is tried again
)

// crawl keeps the two copies of the snapshot store the same until ctx ends.
func crawl(ctx context.Context, store *snapshots.Dir) {
	c := store.NewCrawl()
	round := time.Now()
	for wait := crawlEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		now := time.Now()
		switch {
		case now.Before(round): // only what is owed
			c.Retry(crawlSlice)
		case c.Step(crawlSlice, now):
			round = now.Add(crawlEvery)
		default:
			wait = crawlPause
			continue
		}
		wait = time.Until(round)
		if store.Behind() > 0 {
			wait = min(wait, crawlRetry)
		}
		wait = max(wait, crawlPause)
	}
}

var (
	copiesHealedDesc = prometheus.NewDesc("holdfast_snapshot_copies_healed_total", "Files of the snapshot store that were missing or damaged in one copy and put back from the other.", []string{"layer"}, nil)
	copiesBehindDesc = prometheus.NewDesc("holdfast_snapshot_copies_behind", "Files that one copy of the snapshot store lacks because they could not be written there.", nil, nil)
)

func collectCopies(ch chan<- prometheus.Metric, store *snapshots.Dir) {
	for i, n := range store.Healed() {
		ch <- prometheus.MustNewConstMetric(copiesHealedDesc, prometheus.CounterValue, float64(n), snapshots.Layer(i).String())
	}
	ch <- prometheus.MustNewConstMetric(copiesBehindDesc, prometheus.GaugeValue, float64(store.Behind()))
}
