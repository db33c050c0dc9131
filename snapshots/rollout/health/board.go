package health

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Board keeps the recent samples of every source and answers for them.
type Board struct {
	thresholds Thresholds
	byClass    map[string]Thresholds
	classes    map[string]bool // that have a source; nil is none

	mu  sync.Mutex
	all map[key]*series
}

// NewBoard returns a Board. classes are the classes of change that a source is
// configured for; every other class is unmonitored.
func NewBoard(t Thresholds, classes []string) *Board {
	b := &Board{thresholds: t, classes: map[string]bool{}, all: map[key]*series{}}
	for _, c := range classes {
		b.classes[c] = true
	}
	return b
}

// Use gives a class of change thresholds of its own. It must be called before
// the Board is used.
func (b *Board) Use(class string, t Thresholds) {
	if b.byClass == nil {
		b.byClass = map[string]Thresholds{}
	}
	b.byClass[class] = t
}

// Monitors reports whether a source is configured for a class of change.
func (b *Board) Monitors(class string) bool { return b != nil && b.classes[class] }

// Add takes samples in: all of them, or none.
func (b *Board) Add(samples []Sample) error {
	for i, s := range samples {
		if err := s.Check(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range samples {
		k := key{s.Account, s.Site, s.Service}
		if b.all[k] == nil {
			if len(b.all) >= MaxKeys {
				b.forget(s.At)
			}
			if len(b.all) >= MaxKeys {
				return fmt.Errorf("samples of more than %d accounts, sites and services", MaxKeys)
			}
			b.all[k] = &series{}
		}
		b.all[k].add(s)
	}
	return nil
}

// forget drops what has been silent for longer than is kept.
func (b *Board) forget(at time.Time) {
	for k, s := range b.all {
		if at.Sub(s.last) > keepSeconds*time.Second {
			delete(b.all, k)
		}
	}
}

// Judge answers for a wave.
func (b *Board) Judge(q Question) Answer {
	if !b.Monitors(q.Class) {
		return Answer{Verdict: Unmonitored}
	}
	t, own := b.byClass[q.Class]
	if !own {
		t = b.thresholds
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return judge(b.all, q, t)
}

// recent is the part of the time since a deploy that is compared: what was well
// for a while after it must not hide what is not any more.
const recent = 2 * bucketSeconds * time.Second

// Harmed lists the accounts whose service at some site got worse since a time,
// by what was seen lately against before then. An account under attack, or one
// of which nothing is heard any more, is not among them.
func (b *Board) Harmed(since, at time.Time) []string {
	t := b.thresholds.orDefault()
	from := at.Add(-recent)
	if from.Before(since) {
		from = since
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	j := judging{t: t, attacked: attacked(b.all, at)}
	harmed := map[string]bool{}
	per := map[[2]string]*comparison{} // account and site
	for k, s := range b.all {
		if j.attacked[k.account] {
			continue
		}
		c := per[[2]string{k.account, k.site}]
		if c == nil {
			c = &comparison{}
			per[[2]string{k.account, k.site}] = c
		}
		c.add(s.sum(since.Add(-t.Before), since), s.sum(from, at.Add(time.Second)), s.last.After(since) && at.Sub(s.last) <= t.Silence)
	}
	for k, c := range per {
		if j.harmed(c, &site{}) != "" {
			harmed[k[0]] = true
		}
	}
	return slices.Sorted(maps.Keys(harmed))
}

// Count is how many series are kept, and how many of them spoke lately.
func (b *Board) Count(at time.Time) (known, fresh int) {
	t := b.thresholds.orDefault()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.all {
		if at.Sub(s.last) <= t.Silence {
			fresh++
		}
	}
	return len(b.all), fresh
}

// Alive reports whether a service at a site answered lately, and no more than
// the failing share of it failed.
func (b *Board) Alive(service, site string, at time.Time) bool {
	t := b.thresholds.orDefault()
	b.mu.Lock()
	defer b.mu.Unlock()
	var sum total
	for k, s := range b.all {
		if k.service == service && k.site == site && at.Sub(s.last) <= t.Silence {
			sum.add(s.sum(at.Add(-t.Silence), at.Add(time.Second)))
		}
	}
	return sum.requests > 0 && sum.ratio() < t.AccountErrors
}
