package health

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Sample is what a source saw since its last sample of the same key.
type Sample struct {
	Account  string    `json:"account_id"`
	Site     string    `json:"site"`
	Service  string    `json:"service"`
	At       time.Time `json:"at"`
	Requests float64   `json:"requests"`
	Errors   float64   `json:"errors"` // of the requests
	// UnderAttack takes the account out of every comparison: what its service
	// does now says nothing about the change.
	UnderAttack bool `json:"under_attack"`
}

// MaxKeys is how many combinations of account, site and service are kept.
const MaxKeys = 200_000

// Check reports what is wrong with a sample.
func (s Sample) Check() error {
	switch {
	case s.Account == "" || s.Site == "" || s.Service == "":
		return errors.New("sample: account_id, site and service are required")
	case s.At.IsZero():
		return errors.New("sample: at is required")
	case !count(s.Requests) || !count(s.Errors):
		return errors.New("sample: requests and errors are finite and not negative")
	case s.Errors > s.Requests:
		return fmt.Errorf("sample: %v errors of %v requests", s.Errors, s.Requests)
	}
	return nil
}

func count(f float64) bool { return f >= 0 && !math.IsInf(f, 0) && !math.IsNaN(f) }

// key of a series.
type key struct{ account, site, service string }

// bucket is what one series saw in a few seconds.
type bucket struct {
	at               int64 // Unix seconds, start
	requests, errors float64
}

const (
	bucketSeconds = 5
	keepSeconds   = 900
)

// series is one key's recent past, oldest first.
type series struct {
	buckets []bucket
	last    time.Time // of the last sample
	attack  time.Time // last said to be under attack
}

func (s *series) add(x Sample) {
	at := x.At.Unix() / bucketSeconds * bucketSeconds
	if x.At.After(s.last) {
		s.last = x.At
	}
	if x.UnderAttack {
		s.attack = x.At
	}
	for i := len(s.buckets) - 1; i >= 0; i-- {
		if s.buckets[i].at == at {
			s.buckets[i].requests += x.Requests
			s.buckets[i].errors += x.Errors
			return
		}
		if s.buckets[i].at < at {
			break
		}
	}
	if n := len(s.buckets); n > 0 && s.buckets[n-1].at > at {
		return // older than what is there: it would be out of order
	}
	s.buckets = append(s.buckets, bucket{at, x.Requests, x.Errors})
	old := 0
	for old < len(s.buckets) && s.buckets[old].at < at-keepSeconds {
		old++
	}
	s.buckets = append(s.buckets[:0], s.buckets[old:]...)
}

// sum is what was seen from a time up to another, and over how many seconds.
func (s *series) sum(from, to time.Time) total {
	var t total
	for _, b := range s.buckets {
		if b.at >= from.Unix() && b.at < to.Unix() {
			t.requests += b.requests
			t.errors += b.errors
			t.seconds += bucketSeconds
		}
	}
	return t
}

// total is a sum of samples.
type total struct{ requests, errors, seconds float64 }

func (t *total) add(o total) {
	t.requests += o.requests
	t.errors += o.errors
	t.seconds = max(t.seconds, o.seconds)
}

func (t total) ratio() float64 {
	if t.requests == 0 {
		return 0
	}
	return t.errors / t.requests
}

func (t total) rate() float64 {
	if t.seconds == 0 {
		return 0
	}
	return t.requests / t.seconds
}
