package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"github.com/oklog/ulid/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

const (
	maxApproval  = 7 * 24 * time.Hour // how far ahead an approval may reach
	maxApprovals = 1000               // kept; the oldest go
)

// approvals keeps what was asked for in a plain file; what was approved is in
// the breaker's journal, which alone decides. Asking is for operators,
// approving for somebody else: a person on this machine, or a token with the
// role approve that was there before and that the requester did not make.
type approvals struct {
	d  *daemon
	mu *sync.Mutex
}

var _ api.Approvals = approvals{}

// asked is one entry of the file. Requester is whole, the breaker compares it.
type asked struct {
	api.ApprovalStatus
	By breaker.Actor
}

// List implements api.Approvals, newest first.
func (a approvals) List(context.Context) ([]api.ApprovalStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.read()
	if err != nil {
		return nil, err
	}
	var out []api.ApprovalStatus
	for _, one := range slices.Backward(all) {
		if one.State == "pending" || one.State == "approved" {
			if time.Now().After(one.Until) {
				one.State = "expired"
			}
		}
		out = append(out, one.ApprovalStatus)
	}
	return out, nil
}

// Request implements api.Approvals.
func (a approvals) Request(_ context.Context, r api.ApprovalAsked) (api.ApprovalStatus, error) {
	switch {
	case r.Actor.Kind != addressing.Operator:
		return api.ApprovalStatus{}, &addressing.Error{Code: addressing.CodeForbidden, Op: "approval request", Detail: "only an operator asks for one"}
	case !r.Until.After(r.At) || r.Until.After(r.At.Add(maxApproval)):
		return api.ApprovalStatus{}, &addressing.Error{Code: addressing.CodeInvalid, Op: "approval request", Field: "until", Detail: "must lie ahead, by a week at most"}
	case r.Count > len(r.Prefixes):
		return api.ApprovalStatus{}, &addressing.Error{Code: addressing.CodeInvalid, Op: "approval request", Field: "count", Detail: "is more than the prefixes named"}
	}
	if r.Count == 0 {
		r.Count = len(r.Prefixes)
	}
	one := asked{By: gate.Actor(r.Actor), ApprovalStatus: api.ApprovalStatus{ID: ulid.MustNew(ulid.Timestamp(r.At), rand.Reader).String(), State: "pending",
		Prefixes: r.Prefixes, Count: r.Count, Until: r.Until.UTC(), At: r.At.UTC(), Requester: r.Actor.Key(), Reason: r.Reason}}
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.read()
	if err == nil {
		all = append(all, one)
		err = a.write(all[max(0, len(all)-maxApprovals):])
	}
	if err == nil {
		a.d.log.Warn("approval asked for", "page", true, "approval", one.ID, "prefixes", len(one.Prefixes), "actor", one.Requester, "reason", one.Reason)
	}
	return one.ApprovalStatus, err
}

// Decide implements api.Approvals. The journal has an approval before the file
// does: after a crash between the two it counts, and can still be revoked.
func (a approvals) Decide(_ context.Context, r api.ApprovalDecision) (api.ApprovalStatus, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, err := a.read()
	if err != nil {
		return api.ApprovalStatus{}, err
	}
	i := slices.IndexFunc(all, func(one asked) bool { return one.ID == r.ID })
	if i < 0 {
		return api.ApprovalStatus{}, &addressing.Error{Code: addressing.CodeNotFound, Op: "approval", Detail: "there is no approval " + r.ID, Next: "holdfast approval list"}
	}
	one := &all[i]
	if err := a.mayDecide(r, one); err != nil {
		return api.ApprovalStatus{}, err
	}
	was := one.State
	switch {
	case r.Approve:
		one.State = "approved"
		err = a.d.breaker.Approve(breaker.Approval{ID: one.ID, Prefixes: one.Prefixes, Count: one.Count, From: r.At, Until: one.Until, Requester: one.By,
			Approvers: []string{r.Actor.Key()}, Reason: one.Reason}, r.At)
	case was == "approved":
		one.State = "revoked"
		err = a.d.breaker.Revoke(one.ID, gate.Actor(r.Actor), r.At)
	default:
		one.State = "denied"
	}
	if err != nil {
		return api.ApprovalStatus{}, &addressing.Error{Code: addressing.CodeRefused, Op: "approval", Detail: err.Error()}
	}
	one.DecidedBy, one.DecidedAt, one.Decision = r.Actor.Key(), r.At.UTC(), r.Reason
	a.d.log.Warn("approval "+one.State, "approval", one.ID, "actor", one.DecidedBy, "reason", one.Decision, "alone", one.DecidedBy == one.Requester, "page", one.DecidedBy == one.Requester)
	return one.ApprovalStatus, a.write(all)
}

func (a approvals) mayDecide(r api.ApprovalDecision, one *asked) error {
	forbidden := func(why, next string) error {
		return &addressing.Error{Code: addressing.CodeForbidden, Op: "approval", Detail: why, Next: next}
	}
	switch {
	case r.Approve && !r.Local && !r.EnrolledAt.Before(one.At):
		return forbidden("the token that approves was made after this was asked for", "somebody whose token is older approves, or a person on the admin socket")
	case r.Approve && !r.Local && r.EnrolledBy == one.Requester:
		return forbidden("the token that approves was made by whoever asks", "somebody else approves, or a person on the admin socket")
	case r.Approve && r.Actor.Key() == one.Requester && a.d.breaker.Limits().SingleDelay == 0:
		return forbidden("nobody approves what he asked for himself", "ask another person")
	case r.Approve && one.State != "pending", !r.Approve && one.State != "pending" && one.State != "approved":
		return &addressing.Error{Code: addressing.CodeConflict, Op: "approval", Detail: "it is " + one.State + " already"}
	case r.Approve && !r.At.Before(one.Until):
		return &addressing.Error{Code: addressing.CodeConflict, Op: "approval", Detail: "it has expired", Next: "ask again"}
	}
	return nil
}

func (a approvals) read() ([]asked, error) {
	raw, err := os.ReadFile(a.d.dir.approvals())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []asked
	if err == nil {
		err = json.Unmarshal(raw, &all)
	}
	if err != nil {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "approval", Detail: fmt.Sprintf("%s: %v", a.d.dir.approvals(), err), Next: "move it away; what was approved is in the breaker's journal"}
	}
	return all, nil
}

func (a approvals) write(all []asked) error {
	raw, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = renameio.WriteFile(a.d.dir.approvals(), append(raw, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("approvals: %w", err)
	}
	return syncDir(string(a.d.dir))
}
