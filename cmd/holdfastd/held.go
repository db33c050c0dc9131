package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// expireEvery is how often it is looked for changes that have waited too long.
const expireEvery = 10 * time.Second

// held is what waits for the breaker, as the operations API sees it.
type held struct{ d *daemon }

var _ api.HeldChanges = held{}

// Waiting implements api.HeldChanges.
func (h held) Waiting(context.Context) ([]api.Waiting, error) {
	out := []api.Waiting{}
	if h.d.queue == nil {
		return out, nil
	}
	for _, w := range h.d.queue.List() {
		out = append(out, api.Waiting{ID: w.ID, Actor: w.Actor.Key, Account: w.Account, TripID: w.TripID, Reason: w.Reason, Prefixes: w.Prefixes, At: w.At, Expires: w.Expires})
	}
	return out, nil
}

// Drop implements api.HeldChanges: desired state goes back to what the wire has.
func (h held) Drop(ctx context.Context, r api.HeldRequest) error {
	return h.takeBack(ctx, r.ID, addressing.Request{Actor: r.Actor, Scope: addressing.EveryAccount(), Reason: r.Reason, RequestID: r.RequestID, At: r.At})
}

func (h held) takeBack(ctx context.Context, id string, req addressing.Request) error {
	if err := h.known("drop", id); err != nil {
		return err
	}
	registry := h.d.registry.Load()
	if registry == nil {
		return &addressing.Error{Code: addressing.CodeUnavailable, Op: "held drop", Detail: "desired state is not there"}
	}
	// What the undo brings back leaves the queue when it is committed.
	if _, err := registry.Undo(ctx, req, id); err != nil && addressing.CodeOf(err) != addressing.CodeNotFound {
		return err
	}
	if err := h.d.queue.Forget(id); err != nil {
		return err
	}
	h.d.pipeline.Kick()
	return nil
}

// Release implements api.HeldChanges.
func (h held) Release(ctx context.Context, r api.HeldRequest) error {
	if err := h.known("release", r.ID); err != nil {
		return err
	}
	if err := h.d.gate.Release(ctx, r.ID, ulid.MustNew(ulid.Timestamp(r.At), rand.Reader).String(), r.At); err != nil {
		return err
	}
	h.d.log.Warn("held change released", "change", r.ID, "actor", r.Actor.Key(), "reason", r.Reason)
	h.d.pipeline.Kick()
	return nil
}

func (h held) known(op, id string) error {
	if h.d.queue != nil {
		if _, found := h.d.queue.Change(id); found {
			return nil
		}
	}
	return &addressing.Error{Code: addressing.CodeNotFound, Op: "held " + op, Detail: "no change " + id + " waits", Next: "holdfast held list"}
}

// releaseHeld plans afresh what a trip held, the oldest first, on the reduced
// budgets of its recovery. What does not pass goes on waiting.
func (d *daemon) releaseHeld(tripID string, at time.Time) {
	if d.queue == nil {
		return
	}
	for _, w := range d.queue.List() {
		if w.TripID != tripID {
			continue
		}
		if err := d.gate.Release(context.Background(), w.ID, ulid.MustNew(ulid.Timestamp(at), rand.Reader).String(), at); err != nil {
			d.log.Warn("held change still waits", "change", w.ID, "error", err)
		}
	}
}

// expireHeld takes back what has waited too long, in the name of whoever made
// it, and tells its owner, until ctx ends.
func (d *daemon) expireHeld(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, w := range d.queue.Expired(now) {
				d.expire(ctx, w, now)
			}
		}
	}
}

func (d *daemon) expire(ctx context.Context, w breaker.Held, now time.Time) {
	c, found := d.queue.Change(w.ID)
	if !found {
		return
	}
	req := addressing.Request{Actor: c.Actor, Scope: addressing.EveryAccount(), Reason: "held until " + w.Expires.UTC().Format(time.RFC3339) + ": expired", At: now}
	if err := (held{d}).takeBack(ctx, w.ID, req); err != nil {
		d.log.Error("held change has expired and cannot be taken back; it goes on waiting", "change", w.ID, "error", err)
		return
	}
	text := fmt.Sprintf("%s: the change %s of %s waited for %s (%s) and has expired; nothing was withdrawn. Ask for it again when the trip is over.",
		d.cfg.Environment, w.ID, w.At.UTC().Format(time.RFC3339), w.TripID, w.Reason)
	if err := d.notices.tell(api.AccountNotice{ID: "held-" + w.ID, Account: w.Account, TripID: w.TripID, At: now.UTC(), Prefixes: texts(w.Prefixes), Text: text}); err != nil {
		d.log.Error("notice not kept", "account", w.Account, "error", err)
	}
	d.log.Warn("held change expired", "change", w.ID, "account", w.Account)
}

func texts[T fmt.Stringer](of []T) []string {
	out := make([]string, len(of))
	for i, v := range of {
		out[i] = v.String()
	}
	return out
}
