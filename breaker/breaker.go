package breaker

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Options open a breaker.
type Options struct {
	Limits Limits     // the zero value means DefaultLimits
	Wire   WireLimits // the zero value means DefaultWireLimits
	At     time.Time  // now, with its monotonic reading: later times are measured from it
}

func (o Options) limits() Limits {
	if o.Limits.Wait == 0 && o.Limits.Ladder == nil {
		return DefaultLimits()
	}
	return o.Limits
}

// Breaker is the one gate of a daemon. Its methods may be called from any
// goroutine. The zero Breaker refuses everything.
type Breaker struct {
	turn   chan struct{} // holds one token: whoever has it may use the fields below
	dir    string
	m      *Model
	j      *journal
	wire   *Wire
	queue  []Record // decided, not yet on disk
	failed error    // of the last attempt to write
	anchor time.Time
	origin int64 // model time at anchor

	compactAt int64 // bytes, compactMin but in tests
}

// Init writes a closed, empty journal into dir, which must not have one. It is
// the only way to a closed breaker that needs no reset.
func Init(dir string, at time.Time) error {
	path := filepath.Join(dir, journalName)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("breaker: init: %s exists: an initialised breaker is never emptied", path), err)
	}
	j, err := createJournal(dir, []Record{{Kind: RecordStart, Seq: 1, At: at.UnixMilli()}})
	if err != nil {
		return fmt.Errorf("breaker: init: %w", err)
	}
	return j.f.Close()
}

// OpenDir replays the journal in dir. A missing, torn, truncated or unreadable
// journal gives a breaker whose global scope is open, with the reason; the
// damaged file is kept aside. An error means that not even that could be
// recorded; the breaker returned with it refuses.
func OpenDir(dir string, o Options) (*Breaker, error) {
	refusing := &Breaker{}
	if err := o.limits().Validate(); err != nil {
		return refusing, err
	}
	b := &Breaker{turn: make(chan struct{}, 1), dir: dir, m: NewModel(o.limits()), compactAt: compactMin}
	j, err := openJournal(dir, b.m)
	if errors.Is(err, errDamaged) {
		b.m = NewModel(o.limits())
		j, err = b.startOpen(err, o.At)
	}
	if err != nil {
		return refusing, fmt.Errorf("breaker: open: %w", err)
	}
	b.j = j
	if o.Wire == (WireLimits{}) {
		o.Wire = DefaultWireLimits()
	}
	b.wire = NewWire(o.Wire, b.m.onWire)
	// A clock that was set back while we were down refreshes no budget: time
	// goes on where the journal ends.
	b.anchor, b.origin = o.At, max(o.At.UnixMilli(), b.m.now)
	b.turn <- struct{}{}
	return b, nil
}

// startOpen keeps a damaged journal aside and begins a new one that is open.
func (b *Breaker) startOpen(damage error, at time.Time) (*journal, error) {
	path := filepath.Join(b.dir, journalName)
	for i := 1; ; i++ {
		aside := fmt.Sprintf("%s.damaged-%d", path, i)
		if _, err := os.Lstat(aside); err == nil {
			continue
		}
		if err := os.Rename(path, aside); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		break
	}
	b.m.clock(at)
	b.m.emit(Record{Kind: RecordStart})
	b.m.trip(Global, Open, "breaker.journal", damage.Error()+": what was lost before is not known", Actor{Kind: System, Key: "system/breaker"})
	records := b.m.out
	b.m.out = nil
	return createJournal(b.dir, records)
}

// clock maps a time to the model's: monotonic from the moment of opening, so
// that a wall clock that jumps neither refreshes nor freezes a budget.
func (b *Breaker) clock(at time.Time) time.Time {
	return time.UnixMilli(max(b.m.now, b.origin+at.Sub(b.anchor).Milliseconds()))
}

// enter waits for the breaker; with a hung one it gives up when ctx does.
func (b *Breaker) enter(ctx context.Context) error {
	if b.turn == nil {
		return errUninitialised
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("breaker: busy: %w", err)
	}
	select {
	case <-b.turn:
		if b.j == nil {
			b.leave()
			return errors.New("breaker: it is closed: the daemon is stopping")
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("breaker: busy: %w", ctx.Err())
	}
}

func (b *Breaker) leave() { b.turn <- struct{}{} }

// step decides and makes the decision durable. What could not be written is
// kept and written first the next time.
func (b *Breaker) step(e Event) (Decision, error) {
	d, records, err := b.m.Step(e)
	b.queue = append(b.queue, records...)
	if len(b.queue) == 0 {
		return d, err
	}
	if werr := b.j.append(b.queue, slices.ContainsFunc(b.queue, mustSync)); werr != nil {
		b.failed = werr
		return Decision{State: d.State}, fmt.Errorf("breaker: %w", werr)
	}
	b.failed = nil
	clear(b.queue)
	b.queue = b.queue[:0]
	return d, errors.Join(err, b.compact())
}

// mustSync reports whether a record has to be on disk before its effect. What
// was seen or counted is written at once, and on disk with the next charge.
func mustSync(r Record) bool { return r.Kind != RecordPeak && r.Kind != RecordBase }

// cannotDecide refuses because of the breaker's own failure: it fails static.
func cannotDecide(err error) Decision {
	return Decision{Findings: []Finding{{Rule: "breaker.failed", Scope: Global, Why: err.Error(),
		Next: "the wire stays as it is; repair the breaker's directory or restart the daemon"}}}
}

// Admit decides on one change before it is committed. What it allows is charged
// to the journal and fsynced when Admit returns.
func (b *Breaker) Admit(ctx context.Context, p Proposal, base Baseline) Decision {
	if err := b.enter(ctx); err != nil {
		return cannotDecide(err)
	}
	defer b.leave()
	p.At = b.clock(p.At)
	d, err := b.step(Proposed{p, base})
	if err != nil {
		_, records, _ := b.m.Step(Released{ID: p.ID, At: p.At})
		b.queue = append(b.queue, records...)
		return cannotDecide(err)
	}
	return d
}

// Judge decides on a whole plan. Losses that no admitted proposal was charged
// for are unexplained and refused.
func (b *Breaker) Judge(ctx context.Context, f PlanFacts, base Baseline) Decision {
	if err := b.enter(ctx); err != nil {
		return cannotDecide(err)
	}
	defer b.leave()
	f.At = b.clock(f.At)
	d, err := b.step(Planned{f, base})
	if err != nil {
		return cannotDecide(err)
	}
	return d
}

// Release takes back the charges of an admitted proposal whose commit failed.
// An unknown id is no error.
func (b *Breaker) Release(id string, at time.Time) error {
	return b.do(func(at time.Time) Event { return Released{ID: id, At: at} }, at)
}

// do runs an event that has no decision to wait for.
func (b *Breaker) do(e func(time.Time) Event, at time.Time) error {
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.leave()
	_, err := b.step(e(b.clock(at)))
	return err
}

// ObserveAdvertised records how many prefixes a neighbor holds, as the wire
// shows it: the trailing maximum of the state floor. A falling count is an
// observation, never a loss.
func (b *Breaker) ObserveAdvertised(neighbor string, f Family, count int, at time.Time) error {
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.leave()
	_, err := b.step(Advertised{neighbor, f, count, b.clock(at)})
	return err
}

// ObserveWire takes what the session guard saw, in order. It returns the id of
// a trip, if that opened anything: what left on the wire and what was planned
// differ.
func (b *Breaker) ObserveWire(events ...WireEvent) (string, error) {
	if err := b.enter(context.Background()); err != nil {
		return "", err
	}
	defer b.leave()
	id := ""
	for _, e := range events {
		e.At = b.clock(e.At)
		b.m.clock(e.At)
		t, tripped := b.wire.Observe(e)
		if !tripped {
			continue
		}
		d, err := b.step(t)
		if err != nil {
			return id, err
		}
		id = d.TripID
	}
	return id, nil
}

// Status lists the scopes that are not closed, strictest first, and always the
// global one.
func (b *Breaker) Status(at time.Time) []ScopeStatus {
	if err := b.enter(context.Background()); err != nil {
		return []ScopeStatus{{Scope: Global, Reason: err.Error()}}
	}
	defer b.leave()
	b.m.clock(b.clock(at))
	return b.m.Status()
}

// Evidence is what is known about a scope, for the bundle that every trip
// writes and for the notices to the accounts it names.
func (b *Breaker) Evidence(s Scope, at time.Time) Evidence {
	if err := b.enter(context.Background()); err != nil {
		return Evidence{Scope: ScopeStatus{Scope: s, Reason: err.Error()}}
	}
	defer b.leave()
	b.m.clock(b.clock(at))
	return b.m.Evidence(s)
}

// Failing says why the breaker refuses every loss, whatever the state of its
// scopes: it could not write the last one down, or has no journal. It is nil
// where it can.
func (b *Breaker) Failing() error {
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.leave()
	return b.failed
}

// State is the strictest state of all scopes.
func (b *Breaker) State(at time.Time) State { return b.Status(at)[0].State }

// Explained reports whether p is down by an admitted loss.
func (b *Breaker) Explained(p netip.Prefix) bool {
	if err := b.enter(context.Background()); err != nil {
		return false
	}
	defer b.leave()
	return b.m.Explained(p)
}

// Admitted returns how the loss that took p down was charged, and whether there
// was one. It survives restarts, as the journal does.
func (b *Breaker) Admitted(p netip.Prefix) (Class, bool) {
	if err := b.enter(context.Background()); err != nil {
		return Counted, false
	}
	defer b.leave()
	return b.m.Admitted(p)
}

// Trip opens or locks a scope, by hand or by a guard that found something. It
// returns the trip id.
func (b *Breaker) Trip(s Scope, to State, reason string, by Actor, at time.Time) (string, error) {
	if err := b.enter(context.Background()); err != nil {
		return "", err
	}
	defer b.leave()
	d, err := b.step(Tripped{Scope: s, To: to, Reason: reason, By: by, At: b.clock(at)})
	return d.TripID, err
}

// TripBy is Trip by a guard: rule names what found it, e.g. "breaker.health" or
// "breaker.leak".
func (b *Breaker) TripBy(rule string, s Scope, reason string, by Actor, at time.Time) (string, error) {
	if err := b.enter(context.Background()); err != nil {
		return "", err
	}
	defer b.leave()
	d, err := b.step(Tripped{Scope: s, To: Open, Rule: rule, Reason: reason, By: by, At: b.clock(at)})
	return d.TripID, err
}

// Reset ends a trip: the scope recovers on reduced budgets. It needs the trip's
// own id, a reason, an operator, and as many other approvers as the limits say.
// Where they are missing it fails with an *AskedError: somebody else may then
// reset it with the first person as the one who asked (see Asked), or, where
// one person alone may do it after a delay, the same one when that is over.
func (b *Breaker) Reset(s Scope, tripID, reason string, by Actor, at time.Time, approvers ...string) error {
	if err := b.enter(context.Background()); err != nil {
		return err
	}
	defer b.leave()
	d, err := b.step(WasReset{Scope: s, TripID: tripID, Reason: reason, By: by, Approvers: approvers, At: b.clock(at)})
	if err == nil && d.Verdict != Allow {
		return &AskedError{Scope: s, Wait: d.RetryAfter}
	}
	return err
}

// ErrAsked is what every *AskedError is.
var ErrAsked = errors.New("asked by one person alone")

// Unwrap makes an AskedError one kind of ErrAsked.
func (e *AskedError) Unwrap() error { return ErrAsked }

// AskedError means that one person asked for a reset and that this is not
// enough, or not yet.
type AskedError struct {
	Scope Scope
	Wait  time.Duration // until that person alone may; 0 is never
}

// Error says what is missing.
func (e *AskedError) Error() string {
	if e.Wait == 0 {
		return fmt.Sprintf("breaker: reset %s: asked by one person alone: another enrolled person must reset it too", e.Scope)
	}
	return fmt.Sprintf("breaker: reset %s: asked by one person alone: again in %s, or by another enrolled person now", e.Scope, e.Wait.Round(time.Second))
}

// Asked says who asked for the reset of a scope that has tripped, and why;
// nobody has where the key is empty.
func (b *Breaker) Asked(s Scope) (tripID, by, reason string) {
	if err := b.enter(context.Background()); err != nil {
		return "", "", ""
	}
	defer b.leave()
	a := b.m.asks[s]
	return a.tripID, a.by, a.reason
}

// Approve gives an approval; Revoke takes it back.
func (b *Breaker) Approve(a Approval, at time.Time) error {
	return b.do(func(at time.Time) Event { return WasApproved{a, at} }, at)
}

// Revoke takes an approval back.
func (b *Breaker) Revoke(id string, by Actor, at time.Time) error {
	return b.do(func(at time.Time) Event { return WasRevoked{id, by, at} }, at)
}

// Switch turns a kill switch off or on.
func (b *Breaker) Switch(name string, off bool, reason string, by Actor, at time.Time) error {
	return b.do(func(at time.Time) Event { return Switched{name, off, reason, by, at} }, at)
}

// SwitchedOff reports whether a kill switch is off. A breaker that cannot say
// says that it is.
func (b *Breaker) SwitchedOff(name string) bool {
	if err := b.enter(context.Background()); err != nil {
		return true
	}
	defer b.leave()
	return b.m.SwitchedOff(name)
}

// Switches lists every registered kill switch.
func (b *Breaker) Switches() []SwitchStatus {
	if err := b.enter(context.Background()); err != nil {
		return nil
	}
	defer b.leave()
	return b.m.Switches()
}

// Close flushes the journal. A closed breaker refuses.
func (b *Breaker) Close() error {
	if err := b.enter(context.Background()); err != nil {
		return nil // never opened, or closed already
	}
	defer b.leave()
	b.m.tellAll()
	b.queue = append(b.queue, b.m.out...)
	b.m.out = nil
	err := errors.Join(b.j.append(b.queue, true), b.j.f.Close())
	b.j = nil
	return err
}
