package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// persons are those who may agree to what somebody else asked for: whoever is
// at the admin socket, who is there from the start, and every token with the
// role approve. They are read from the mirror of tokens, so that this works
// without the database.
type persons struct{ d *daemon }

var _ api.Approvers = persons{}

// Enrolled implements api.Approvers.
func (p persons) Enrolled(context.Context) ([]api.EnrolledApprover, error) {
	local := addressing.Actor{Kind: addressing.Operator, ID: fmt.Sprint("uid:", os.Geteuid())}
	out := []api.EnrolledApprover{{Key: local.Key(), Name: "the admin socket of this machine", AddedBy: "holdfastd init"}}
	if p.d.mirror == nil {
		return out, nil
	}
	now := time.Now()
	for _, t := range p.d.mirror.Tokens() {
		if t.Role != addressing.RoleApprove || t.RevokedAt != nil || t.ExpiresAt != nil && !t.ExpiresAt.After(now) {
			continue
		}
		out = append(out, api.EnrolledApprover{Key: t.Actor().Key(), Name: t.Name, AddedBy: t.CreatedBy, AddedAt: t.CreatedAt})
	}
	return out, nil
}

// count is how many there are.
func (p persons) count() int {
	all, _ := p.Enrolled(context.Background())
	return len(all)
}

// may says why somebody does not count as the second person for what another
// one asked for, or "" if he does. An identity made by whoever asks, or after
// the event, does not count.
func (p persons) may(who addressing.Actor, as api.Person, askedBy string, since time.Time) string {
	switch {
	case who.Key() == askedBy:
		return "nobody agrees to what he asked for himself"
	case !as.Enrolled:
		return who.Key() + " is not enrolled: a person on the admin socket, or with a token of the role approve, agrees"
	case !as.Local && !as.EnrolledAt.Before(since):
		return "the token was made after this happened"
	case !as.Local && as.EnrolledBy == askedBy:
		return "the token was made by whoever asks"
	}
	return ""
}

// policy makes the breaker follow who must agree to what, as many as there are.
func (d *daemon) policy() {
	d.settling.Lock()
	defer d.settling.Unlock()
	d.follow()
}

// follow is policy by a caller who holds settling.
func (d *daemon) follow() {
	p := d.configNow().Breaker.Policy(persons{d}.count())
	p.Recovering = min(p.Recovering, d.limits.force.Recovering)
	p.Freezes = d.limits.force.Freezes
	p.EnforceOps = d.limits.force.EnforceOps
	if err := d.breaker.Follow(p); err != nil {
		d.log.Error("breaker: who must agree to what", "error", err)
	}
}

// Reset implements api.Breaker: asked for by one person, agreed to by another
// who runs the same command, or by the same one after a delay where the mode
// has that.
func (s switchboard) Reset(_ context.Context, r api.ResetRequest) error {
	scope := breaker.Scope{Kind: breaker.ScopeKind(r.Scope), Key: r.Key}
	b, refused := s.d.breaker, func(why, next string) error {
		return &addressing.Error{Code: addressing.CodeRefused, Op: "breaker reset", Detail: why, Next: next}
	}
	trip, first, why := b.Asked(scope)
	by, approvers, reason := gate.Actor(r.Actor), []string(nil), r.Reason
	if trip == r.TripID && first != "" && first != r.Actor.Key() {
		if no := (persons{s.d}).may(r.Actor, r.Person, first, s.tripped(scope, r.At)); no != "" {
			return refused(no, "another enrolled person resets it")
		}
		by, approvers, reason = breaker.Actor{Kind: breaker.Operator, Key: first}, []string{r.Actor.Key()}, why+"; agreed by "+r.Actor.Key()+": "+r.Reason
	}
	err := b.Reset(scope, r.TripID, reason, by, r.At, approvers...)
	var asked *breaker.AskedError
	switch {
	case errors.As(err, &asked):
		s.d.log.Error("somebody asks for a reset", "page", true, "trip", r.TripID, "scope", scope.String(), "actor", r.Actor.Key(), "reason", r.Reason, "wait", asked.Wait.String())
		return refused(err.Error(), "the asking is kept: another enrolled person runs the same command")
	case err != nil:
		return refused(err.Error(), "holdfast breaker status shows the scopes and their trip ids")
	}
	s.d.log.Warn("breaker reset", "trip", r.TripID, "scope", scope.String(), "actor", by.Key, "approvers", approvers, "reason", reason)
	s.d.releaseHeld(r.TripID, r.At)
	s.kick()
	return nil
}

// tripped is when the scope opened.
func (s switchboard) tripped(scope breaker.Scope, at time.Time) time.Time {
	for _, st := range s.d.breaker.Status(at) {
		if st.Scope == scope {
			return st.Since
		}
	}
	return time.Time{}
}
