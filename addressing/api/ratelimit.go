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

// Quota is how many requests one token may send.
type Quota struct {
	PerSecond float64
	Burst     int
}

// DefaultQuota is 200/s with a burst of 400 per token (api-contract).
var DefaultQuota = Quota{PerSecond: 200, Burst: 400}

// limiter counts requests per token. Its buckets are bounded by the tokens
// that exist, because only authenticated requests are counted.
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

// admit takes one request off the token's budget and writes the headers that
// tell a client where it stands.
func (l *limiter) admit(key string, at time.Time, h http.Header) error {
	b := l.bucket(key)
	ok := b.AllowN(at, 1)
	left := math.Max(0, b.TokensAt(at))
	full := math.Ceil((float64(l.limit.Burst) - left) / l.limit.PerSecond)
	h.Set("Ratelimit-Policy", fmt.Sprintf(`"token";q=%d;w=%.0f`, l.limit.Burst, math.Ceil(float64(l.limit.Burst)/l.limit.PerSecond)))
	h.Set("Ratelimit", fmt.Sprintf(`"token";r=%.0f;t=%.0f`, math.Floor(left), full))
	if ok {
		return nil
	}
	wait := math.Max(1, math.Ceil((1-left)/l.limit.PerSecond))
	return fail(failure{status: http.StatusTooManyRequests, code: codeTooMany, number: 10429,
		why:   fmt.Sprintf("more than %.0f requests a second with this token", l.limit.PerSecond),
		next:  "slow down; Retry-After says how long to wait",
		retry: strconv.Itoa(int(wait))})
}
