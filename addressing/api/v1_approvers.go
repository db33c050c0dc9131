package api

import (
	"context"
	"time"
)

// Approvers are the enrolled identities that may approve for others: whoever is
// at the admin socket, and the tokens with the role approve.
type Approvers interface {
	Enrolled(ctx context.Context) ([]EnrolledApprover, error)
}

// EnrolledApprover is one identity, and who made it.
type EnrolledApprover struct {
	Key, Name, AddedBy string
	AddedAt            time.Time
}

func (h *handlers) approvers(ctx context.Context) (ApproverList, error) {
	if h.cfg.Approvers == nil {
		return ApproverList{}, missing("breaker")
	}
	all, err := h.cfg.Approvers.Enrolled(ctx)
	if err != nil {
		return ApproverList{}, err
	}
	out := make([]Approver, 0, len(all))
	for _, a := range all {
		out = append(out, Approver{Key: a.Key, Name: a.Name, AddedBy: a.AddedBy, AddedAt: micro(a.AddedAt)})
	}
	return ApproverList{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// ListApprovers lists who may approve for others.
func (h *handlers) ListApprovers(ctx context.Context, _ ListApproversRequestObject) (ListApproversResponseObject, error) {
	out, err := h.approvers(ctx)
	if err != nil {
		return nil, err
	}
	return ListApprovers200JSONResponse(out), nil
}

// Person says whether a caller counts as a second person, and since when: on
// the admin socket, or with a token of the role approve.
type Person struct {
	Local      bool
	Enrolled   bool
	EnrolledAt time.Time // when the token was made; zero on the admin socket
	EnrolledBy string    // and who made it
}

func (c caller) person() Person {
	return Person{Local: c.local, Enrolled: c.may([]permission{approve}), EnrolledAt: c.enrolledAt, EnrolledBy: c.enrolledBy}
}
