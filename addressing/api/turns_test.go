package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One account that has hundreds waiting does not delay the first request of
// another, and shares with it when there is no room left at all.
func TestTurnsAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		take := func(key string) func() {
			back, err := turns.take(t.Context(), key)
			if err != nil {
				t.Error(err)
			}
			return back
		}
		var running []func()
		for i := range turnsAtOnce / turnsOfOne { // eight accounts fill the house
			for range turnsOfOne {
				running = append(running, take(fmt.Sprint("account ", i)))
			}
		}
		var mu sync.Mutex
		var served []string
		ask := func(key string) {
			go func() {
				back := take(key)
				mu.Lock()
				served = append(served, key)
				mu.Unlock()
				time.Sleep(time.Second)
				back()
			}()
			synctest.Wait()
		}
		for range 20 {
			ask("noisy")
		}
		ask("quiet")
		for _, back := range running[:2] {
			back()
			synctest.Wait()
		}
		mu.Lock()
		if len(served) != 2 || served[1] != "quiet" {
			t.Errorf("served in this order: %v", served)
		}
		mu.Unlock()
		for _, back := range running[2:] {
			back()
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if len(served) != 21 || len(turns.lines) != 0 || turns.running != 0 {
			t.Errorf("%d served; left: %d lines, %d running", len(served), len(turns.lines), turns.running)
		}
	})
}

// One account has eight at work and its line is bounded; another is not
// concerned by either.
func TestTurnsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		ctx, stop := context.WithCancel(t.Context())
		var working atomic.Int32
		var all sync.WaitGroup
		for range turnsOfOne + turnsInWaiting {
			all.Go(func() {
				if _, err := turns.take(ctx, "a"); err == nil {
					working.Add(1)
				}
			})
		}
		synctest.Wait()
		_, err := turns.take(ctx, "a")
		var f *failureError
		if !errors.As(err, &f) || f.status != 429 || f.retry == "" || f.noRetry {
			t.Errorf("one too many: %v", err)
		}
		if _, err := turns.take(ctx, "b"); err != nil {
			t.Errorf("another account: %v", err)
		}
		stop() // those who wait go away
		all.Wait()
		if working.Load() != turnsOfOne || len(turns.lines["a"].waiting) != 0 {
			t.Errorf("%d at work, %d waiting", working.Load(), len(turns.lines["a"].waiting))
		}
	})
}

// Whatever comes and goes: never more than the bounds, nobody is forgotten,
// nothing is left behind.
func TestTurnsAtRandom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns()
		var all sync.WaitGroup
		var served, left atomic.Int32
		const requests = 5000
		for i := range requests {
			all.Go(func() {
				time.Sleep(rand.N(time.Second))
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(200*time.Millisecond))
				defer cancel()
				back, err := turns.take(ctx, fmt.Sprint(i%(1+rand.IntN(30))))
				if err != nil {
					left.Add(1)
					return
				}
				turns.mu.Lock()
				if turns.running > turnsAtOnce {
					t.Errorf("%d at work", turns.running)
				}
				for key, l := range turns.lines {
					if l.running > turnsOfOne {
						t.Errorf("%d of %s at work", l.running, key)
					}
				}
				turns.mu.Unlock()
				time.Sleep(rand.N(50 * time.Millisecond))
				served.Add(1)
				back()
			})
		}
		all.Wait()
		if served.Load()+left.Load() != requests || served.Load() == 0 || left.Load() == 0 || len(turns.lines) != 0 || turns.running != 0 {
			t.Errorf("%d served, %d left; still there: %d lines, %d running", served.Load(), left.Load(), len(turns.lines), turns.running)
		}
	})
}
