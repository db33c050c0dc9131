package breaker

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// Fork is the breaker as it stands at a moment, to try decisions on: what it
// decides is charged to nobody, written nowhere, and opens nothing. It is not
// safe for concurrent use.
type Fork struct {
	m    *Model
	from time.Time // of the caller
	now  int64     // of the model, at from
}

// Fork copies the state. Its cost follows what the journal holds, not how long
// it is.
func (b *Breaker) Fork(ctx context.Context, at time.Time) (*Fork, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	b.m.clock(b.clock(at))
	m, now, records := NewModel(b.m.limits), b.m.now, b.m.Compacted()
	m.ready = b.m.ready
	b.leave() // nobody waits for the rest
	for i := range records {
		m.Replay(&records[i])
	}
	m.tick(now)
	return &Fork{m: m, from: at, now: now}, nil
}

func (f *Fork) clock(at time.Time) time.Time {
	return time.UnixMilli(max(f.m.now, f.now+at.Sub(f.from).Milliseconds()))
}

// Admit is what Breaker.Admit would say.
func (f *Fork) Admit(_ context.Context, p Proposal, base Baseline) Decision {
	p.At = f.clock(p.At)
	d, _, err := f.m.Step(Proposed{p, base})
	return orCannot(d, err)
}

// Judge is what Breaker.Judge would say.
func (f *Fork) Judge(_ context.Context, p PlanFacts, base Baseline) Decision {
	p.At = f.clock(p.At)
	d, _, err := f.m.Step(Planned{p, base})
	return orCannot(d, err)
}

func orCannot(d Decision, err error) Decision {
	if err != nil {
		return cannotDecide(err)
	}
	// Nothing was opened, so there is no trip to look at.
	if d.Tripped {
		d.TripID, d.Tripped = "", false
		d.Findings = append(slices.Clip(d.Findings), Finding{Rule: "breaker.preview", Scope: Global, Shadow: true, Why: "carried out, this would open the breaker"})
	}
	return d
}

// Release is Breaker.Release, of what the fork admitted.
func (f *Fork) Release(id string, at time.Time) error {
	_, _, err := f.m.Step(Released{ID: id, At: f.clock(at)})
	return err
}

// Covering is Breaker.Covering.
func (f *Fork) Covering(prefixes []netip.Prefix, at time.Time) string {
	f.m.clock(f.clock(at))
	return f.m.covering(prefixes)
}

// Admitted is Breaker.Admitted.
func (f *Fork) Admitted(p netip.Prefix) (Class, bool) { return f.m.Admitted(p) }
