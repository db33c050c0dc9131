package api

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

const (
	auditDefault = 100
	auditPage    = 1000
)

func auditOut(r addressing.AuditRecord) AuditEntry {
	out := AuditEntry{Seq: r.Seq, At: micro(r.At), ChangeID: r.ChangeID, Actor: actorOut(r.Actor), AccountID: textOrNil(r.AccountID),
		RequestID: textOrNil(r.RequestID), Verb: r.Verb, Objects: &r.Objects, Reason: r.Reason, Hash: r.Hash}
	out.Before, out.After = rawOrNil(r.Before), rawOrNil(r.After)
	if r.Inverse != "" {
		out.Inverse = r.Inverse
	}
	return out
}

func rawOrNil(raw json.RawMessage) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	return raw
}

// auditBefore finds the highest Seq whose record is older than t, 0 if there
// is none: Seq and At grow together, so that it is found by halving.
func auditBefore(ctx context.Context, reg *addressing.Registry, s addressing.Scope, older func(addressing.AuditRecord) bool) (int64, error) {
	step := func(after int64) (addressing.AuditRecord, bool, error) {
		page, err := reg.Audit(ctx, s, after, 1)
		if err != nil || len(page) == 0 {
			return addressing.AuditRecord{}, false, err
		}
		return page[0], older(page[0]), nil
	}
	low, high := int64(0), int64(1)
	for { // gallop to a Seq that is not older
		r, isOlder, err := step(high)
		if err != nil {
			return 0, err
		}
		if !isOlder {
			break
		}
		low, high = r.Seq, max(r.Seq, high)*2
	}
	for low < high { // the answer is in [low, high]
		mid := low + (high-low)/2
		r, isOlder, err := step(mid)
		if err != nil {
			return 0, err
		}
		if isOlder {
			low = r.Seq
		} else {
			high = mid
		}
	}
	return low, nil
}

// ListAudit lists audit entries, newest first.
func (h *handlers) ListAudit(ctx context.Context, r ListAuditRequestObject) (ListAuditResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	l := callIn(ctx).list(r.Params.AccountID)
	if err := l.check(); err != nil {
		return nil, err
	}
	limit := auditDefault
	if r.Params.Limit != nil {
		limit = *r.Params.Limit
	}
	all, err := tailAudit(ctx, reg, l.scope, limit, r.Params.Since)
	if err != nil {
		return nil, err
	}
	out := make([]AuditEntry, 0, len(all))
	for _, rec := range all {
		out = append(out, auditOut(rec))
	}
	return ListAudit200JSONResponse{Items: out, Scope: l.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out), Filter: l.echo()}, nil
}

// tailAudit reads the last records, newest first.
func tailAudit(ctx context.Context, reg *addressing.Registry, s addressing.Scope, limit int, since *time.Time) ([]addressing.AuditRecord, error) {
	head, err := auditBefore(ctx, reg, s, func(addressing.AuditRecord) bool { return true })
	if err != nil {
		return nil, err
	}
	var out []addressing.AuditRecord
	// Records of other accounts lie in between: the window grows until it holds enough.
	for window := int64(limit); ; window *= 4 {
		after := max(0, head-window)
		if out, err = allAudit(ctx, reg, s, after); err != nil {
			return nil, err
		}
		if len(out) >= limit || after == 0 || since != nil && len(out) > 0 && out[0].At.Before(*since) {
			break
		}
	}
	if since != nil {
		out = slices.DeleteFunc(out, func(r addressing.AuditRecord) bool { return r.At.Before(*since) })
	}
	slices.Reverse(out)
	return out[:min(limit, len(out))], nil
}

func allAudit(ctx context.Context, reg *addressing.Registry, s addressing.Scope, after int64) ([]addressing.AuditRecord, error) {
	var out []addressing.AuditRecord
	for {
		page, err := reg.Audit(ctx, s, after, auditPage)
		if err != nil {
			return nil, err
		}
		out = append(out, page...)
		if len(page) < auditPage {
			return out, nil
		}
		after = page[len(page)-1].Seq
	}
}

// TopAudit names the busiest actors since a time; the last hour unless told
// (ADR-07).
func (h *handlers) TopAudit(ctx context.Context, r TopAuditRequestObject) (TopAuditResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	since := c.at.Add(-time.Hour)
	if r.Params.Since != nil {
		since = *r.Params.Since
	}
	after, err := auditBefore(ctx, reg, c.scope, func(r addressing.AuditRecord) bool { return r.At.Before(since) })
	if err != nil {
		return nil, err
	}
	all, err := allAudit(ctx, reg, c.scope, after)
	if err != nil {
		return nil, err
	}
	out := busiest(all)
	return TopAudit200JSONResponse{Items: out, Scope: c.scope.String(), Environment: h.environment(), Count: len(out), Total: len(out),
		Filter: &map[string]string{"since": micro(since).Format(time.RFC3339Nano)}}, nil
}

func busiest(all []addressing.AuditRecord) []AuditTop {
	byActor := make(map[string]*AuditTop)
	for _, r := range all {
		t := byActor[r.Actor.Key()]
		if t == nil {
			t = &AuditTop{Actor: actorOut(r.Actor), Verbs: &map[string]int{}}
			byActor[r.Actor.Key()] = t
		}
		t.Changes++
		t.LastAt = micro(r.At)
		(*t.Verbs)[r.Verb]++
	}
	out := make([]AuditTop, 0, len(byActor))
	for _, t := range byActor {
		out = append(out, *t)
	}
	slices.SortFunc(out, func(a, b AuditTop) int {
		return cmp.Or(cmp.Compare(b.Changes, a.Changes), cmp.Compare(a.Actor.ID, b.Actor.ID))
	})
	return out
}

// VerifyAudit walks the hash chain.
func (h *handlers) VerifyAudit(ctx context.Context, _ VerifyAuditRequestObject) (VerifyAuditResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	n, err := reg.VerifyAudit(ctx)
	if err != nil {
		if storeFailed(err) {
			return nil, err
		}
		return VerifyAudit200JSONResponse{Ok: false, Entries: n, Detail: err.Error()}, nil
	}
	out := VerifyAudit200JSONResponse{Ok: true, Entries: n, Detail: "every record fits the one before it"}
	if last, err := tailAudit(ctx, reg, addressing.EveryAccount(), 1, nil); err == nil && len(last) == 1 {
		out.Head = last[0].Hash
	}
	return out, nil
}

// GetPrefixHistory lists what happened to a prefix and what belongs to it,
// newest first.
func (h *handlers) GetPrefixHistory(ctx context.Context, r GetPrefixHistoryRequestObject) (GetPrefixHistoryResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	all, err := reg.History(ctx, c.scope, r.PrefixID)
	slices.Reverse(all)
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "prefix history", Detail: "no such prefix", Message: "not_found"}
	}
	out := make([]AuditEntry, 0, len(all))
	for _, rec := range all {
		out = append(out, auditOut(rec))
	}
	return GetPrefixHistory200JSONResponse{Items: out, Scope: "prefix:" + r.PrefixID, Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// provenance adds by whom and why each route's desired state became what it
// is: the audit record of the moment it changed. Without one the answer stands
// without it.
func (h *handlers) provenance(ctx context.Context, reg *addressing.Registry, d addressing.PrefixDetail, out *PrefixStatus) {
	scope := addressing.OneAccount(d.AccountID)
	for i, b := range d.BGP {
		if b.AdvertisedModifiedAt == nil {
			continue
		}
		at := *b.AdvertisedModifiedAt
		after, err := auditBefore(ctx, reg, scope, func(r addressing.AuditRecord) bool { return r.At.Before(at) })
		if err != nil {
			return
		}
		page, err := reg.Audit(ctx, scope, after, 16)
		if err != nil {
			return
		}
		for _, r := range page {
			if r.At.Equal(at) && (slices.Contains(r.Objects, b.ID) || slices.Contains(r.Objects, d.ID)) {
				p := &out.Routes[i].Provenance
				p.By, p.Reason, p.ChangeID = ptr(r.Actor.Key()), &r.Reason, &r.ChangeID
				break
			}
		}
	}
}
