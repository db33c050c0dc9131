package api

import (
	"context"
	"time"
)

// Notices is what accounts are told (UX-02, UX-11).
type Notices interface {
	// Told lists notices, newest first: those of one account, or all if it is "".
	Told(ctx context.Context, account string) ([]AccountNotice, error)
}

// AccountNotice is one notice to one account.
type AccountNotice struct {
	ID, Account, TripID, Text string
	At                        time.Time
	Prefixes                  []string
}

// ListNotices lists what the caller's account is told, or all accounts.
func (h *handlers) ListNotices(ctx context.Context, _ ListNoticesRequestObject) (ListNoticesResponseObject, error) {
	if h.cfg.Notices == nil {
		return nil, missing("breaker")
	}
	scope, account := callIn(ctx).caller.scope, ""
	if !scope.Every() {
		if account = scope.Account(); account == "" {
			return nil, missing("account")
		}
	}
	all, err := h.cfg.Notices.Told(ctx, account)
	if err != nil {
		return nil, err
	}
	out := make([]Notice, 0, len(all))
	for _, n := range all {
		if !scope.Includes(n.Account) {
			continue
		}
		out = append(out, Notice{ID: n.ID, Account: n.Account, At: micro(n.At), TripID: n.TripID, Prefixes: append([]string{}, n.Prefixes...), Text: n.Text})
	}
	return ListNotices200JSONResponse{Items: out, Scope: scope.String(), Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}
