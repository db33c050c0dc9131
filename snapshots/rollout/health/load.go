package health

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Load is what a site or a neighbor carries: one of the two is named.
type Load struct {
	Site, Neighbor string
	At             time.Time
	Bits           float64 // per second
}

// Check reports what is wrong with a load.
func (l Load) Check() error {
	switch {
	case (l.Site == "") == (l.Neighbor == ""):
		return errors.New("load: a site or a neighbor is required, and not both")
	case l.At.IsZero():
		return errors.New("load: at is required")
	case !count(l.Bits):
		return errors.New("load: bits_per_second is finite and not negative")
	}
	return nil
}

func (l Load) key() [2]string { return [2]string{l.Site, l.Neighbor} }

// maxLoads is how many sites and neighbors are kept.
const maxLoads = 100_000

// Loads keeps the last load of every site and neighbor. The zero Loads knows
// nothing.
type Loads struct {
	Silence time.Duration // after that a figure is not known any more

	mu  sync.Mutex
	all map[[2]string]Load
}

// Add takes loads in: all of them, or none. One that is older than what is
// known says nothing.
func (l *Loads) Add(loads []Load) error {
	for i, x := range loads {
		if err := x.Check(); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all = map[[2]string]Load{}
	}
	for _, x := range loads {
		had, known := l.all[x.key()]
		if !known && len(l.all) >= maxLoads {
			return fmt.Errorf("loads of more than %d sites and neighbors", maxLoads)
		}
		if !x.At.Before(had.At) {
			l.all[x.key()] = x
		}
	}
	return nil
}

// Site is what a site carries, and whether that is known.
func (l *Loads) Site(name string, at time.Time) (float64, bool) { return l.of([2]string{name, ""}, at) }

// Neighbor is what a neighbor carries, and whether that is known.
func (l *Loads) Neighbor(name string, at time.Time) (float64, bool) {
	return l.of([2]string{"", name}, at)
}

func (l *Loads) of(k [2]string, at time.Time) (float64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	x, known := l.all[k]
	return x.Bits, known && at.Sub(x.At) <= l.Silence
}

// Fresh is how many sites and neighbors have a load that is known.
func (l *Loads) Fresh(at time.Time) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, x := range l.all {
		if at.Sub(x.At) <= l.Silence {
			n++
		}
	}
	return n
}

// LoadQuery asks a Prometheus server what sites and neighbors carry, in bits per
// second. Either query may be empty.
type LoadQuery struct {
	Prometheus        // its queries are not used
	Sites      string // PromQL; its result carries the label site
	Neighbors  string // PromQL; its result carries the label neighbor
}

// Loads asks both.
func (q LoadQuery) Loads(ctx context.Context, at time.Time) ([]Load, error) {
	var out []Load
	for label, promql := range map[string]string{"site": q.Sites, "neighbor": q.Neighbors} {
		if promql == "" {
			continue
		}
		err := q.vector(ctx, promql, at, func(metric map[string]string, v float64) error {
			name := metric[label]
			if name == "" {
				return errors.New("prometheus: a result lacks the label " + label + ": sum by it")
			}
			l := Load{At: at, Bits: v, Site: name}
			if label == "neighbor" {
				l.Site, l.Neighbor = "", name
			}
			out = append(out, l)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, errors.New("prometheus: no site and no neighbor in the result")
	}
	return out, nil
}
