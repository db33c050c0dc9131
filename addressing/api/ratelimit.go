package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Quota is how many requests one account may send, all its tokens together. A
// token without an account has a bucket of its own.
type Quota struct {
	PerSecond float64
	Burst     int
}

// DefaultQuota is 200/s with a burst of 400.
var DefaultQuota = Quota{PerSecond: 200, Burst: 400}

// limiter counts requests per account. Its buckets are bounded by the accounts
// and tokens that exist, because only authenticated requests are counted.
type limiter struct {
	limit Quota

	mu      sync.Mutex
	buckets map[string]*rate.Limiter
}

func newLimiter(l Quota) *limiter {
	if l.PerSecond <= 0 || l.Burst <= 0 {
		l = DefaultQuota
	}
	return &limiter{limit: l, buckets: make(map[string]*rate.Limiter)}
}

// payer is whose budget a caller's requests are taken off, and what the
// headers call it.
func (c caller) payer() (key, name string) {
	if id := c.actor.AccountID; id != "" {
		return "account:" + id, "account"
	}
	return "token:" + c.actor.ID, "token"
}

func (l *limiter) bucket(key string) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buckets[key]
	if b == nil {
		b = rate.NewLimiter(rate.Limit(l.limit.PerSecond), l.limit.Burst)
		l.buckets[key] = b
	}
	return b
}

// admit takes one request off the caller's budget and writes the headers that
// tell a client where it stands.
func (l *limiter) admit(c caller, at time.Time, h http.Header) error {
	key, name := c.payer()
	b := l.bucket(key)
	ok := b.AllowN(at, 1)
	left := math.Max(0, b.TokensAt(at))
	full := math.Ceil((float64(l.limit.Burst) - left) / l.limit.PerSecond)
	h.Set("Ratelimit-Policy", fmt.Sprintf(`"%s";q=%d;w=%.0f`, name, l.limit.Burst, math.Ceil(float64(l.limit.Burst)/l.limit.PerSecond)))
	h.Set("Ratelimit", fmt.Sprintf(`"%s";r=%.0f;t=%.0f`, name, math.Floor(left), full))
	if ok {
		return nil
	}
	wait := math.Max(1, math.Ceil((1-left)/l.limit.PerSecond))
	return tooMany(fmt.Sprintf("more than %g requests a second of this %s", l.limit.PerSecond, name), int(wait))
}

func tooMany(why string, wait int) error {
	return fail(failure{status: http.StatusTooManyRequests, code: codeTooMany, number: 10429,
		why: why, next: "slow down; Retry-After says how many seconds to wait", field: "header.Authorization", retry: strconv.Itoa(wait)})
}
