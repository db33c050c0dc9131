package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
)

func changeOut(c addressing.ChangeSet, account string) Change {
	out := Change{ChangeID: c.ID, At: micro(c.At), Actor: actorOut(c.Actor), AccountID: textOrNil(account), Verb: c.Verb, Reason: c.Reason,
		Objects: append([]string{}, c.Objects...), Effects: make([]ChangeEffect, 0, len(c.Effects))}
	for _, e := range c.Effects {
		out.Effects = append(out.Effects, ChangeEffect{Kind: ChangeEffectKind(e.Kind), Cidr: e.CIDR.String(), AccountID: e.AccountID})
	}
	return out
}

// GetChange is one change of desired state and what it did to routes.
func (h *handlers) GetChange(ctx context.Context, r GetChangeRequestObject) (GetChangeResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	rec, err := reg.Change(ctx, callIn(ctx).scope, r.ChangeID)
	if err != nil {
		return nil, err
	}
	return GetChange200JSONResponse(changeOut(rec.ChangeSet(), rec.AccountID)), nil
}

// UndoChange takes one change back. What it answers is the change that did so.
func (h *handlers) UndoChange(ctx context.Context, r UndoChangeRequestObject) (UndoChangeResponseObject, error) {
	reg, err := h.intent()
	if err != nil {
		return nil, err
	}
	c := callIn(ctx)
	req := c.request(&r.Body.Reason)
	if r.Body.Lift != nil {
		req.Lift = *r.Body.Lift
	}
	cs, err := reg.Undo(ctx, req, r.ChangeID)
	if err != nil {
		return nil, err
	}
	c.changed(cs)
	return UndoChange200JSONResponse{Body: changeOut(cs, "")}, nil
}
