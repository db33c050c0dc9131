package api

import (
	"context"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Repair compares desired state with a generation that was good, and puts it
// back. Neither may need the store to be there (invariant 11).
type Repair interface {
	// Damage compares with generation since; 0 is the active one. lost means
	// that there is no desired state to compare.
	Damage(ctx context.Context, since uint64) (found snapshots.Assessment, lost bool, err error)
	Restore(ctx context.Context, r RestoreRequest) (RestoreOutcome, error)
}

// RestoreRequest asks for a good generation back. Exactly one of All and
// AccountID is set.
type RestoreRequest struct {
	All       bool
	AccountID string
	To        uint64 // 0: the active generation
	DryRun    bool
	Actor     addressing.Actor
	Reason    string
	At        time.Time
	Pace
}

// RestoreOutcome is what a restore did.
type RestoreOutcome struct {
	Generation, To   uint64
	Advertised, Of   int // routes put back on the wire; routes on it before
	Later            int // of those put back, not advertised yet
	Created, Changed int // objects of desired state
	NegativeIntents  int // that kept something down
	Rebuilt          bool
	Tokens           int // put back from their mirror
	Pinned           bool
	Detail           string
}

// GetDamage says what is not as it was and how to repair it.
func (h *handlers) GetDamage(ctx context.Context, r GetDamageRequestObject) (GetDamageResponseObject, error) {
	if h.cfg.Repair == nil {
		return nil, missing("pipeline")
	}
	var since uint64
	if r.Params.SinceGeneration != nil {
		since = uint64(*r.Params.SinceGeneration)
	}
	a, lost, err := h.cfg.Repair.Damage(ctx, since)
	if err != nil {
		return nil, err
	}
	return GetDamage200JSONResponse(damageOut(h.environment(), a, lost)), nil
}

func damageOut(environment string, a snapshots.Assessment, lost bool) Damage {
	out := Damage{Environment: environment, Generation: int64(a.Generation), Intent: DamageIntentOk, Counts: classCounts(a.Counts),
		Accounts: []DamageAccount{}, Losses: []DamageRoute{}, DownOnPurpose: []DamageDown{}}
	if lost {
		out.Intent = DamageIntentLost
	}
	for _, x := range a.Accounts {
		out.Accounts = append(out.Accounts, DamageAccount{Account: x.Account, Name: x.Name, Class: x.Class.String(), Counts: classCounts(x.Counts), Repair: x.Repair})
	}
	for _, l := range a.Losses {
		out.Losses = append(out.Losses, DamageRoute{Cidr: l.CIDR.String(), Account: l.Account, Class: l.Class.String(),
			Missing: append([]string{}, l.Missing...), Repair: l.Repair})
	}
	for _, d := range a.Down {
		out.DownOnPurpose = append(out.DownOnPurpose, DamageDown{Cidr: d.CIDR.String(), Account: d.Account, Intent: d.Intent, Author: d.Author, Reason: d.Reason})
	}
	return out
}

func classCounts(m map[snapshots.DamageClass]int) map[string]int {
	out := make(map[string]int, len(m))
	for class, n := range m {
		out[class.String()] = n
	}
	return out
}

// Restore puts desired state and the wire back to a good generation. Exactly
// one of all and account_id names what it is for: none is never everything. An
// owner's token names its own account.
func (h *handlers) Restore(ctx context.Context, r RestoreRequestObject) (RestoreResponseObject, error) {
	if h.cfg.Repair == nil {
		return nil, missing("pipeline")
	}
	c := callIn(ctx)
	req := RestoreRequest{Actor: c.caller.actor, Reason: r.Body.Reason, At: c.at, DryRun: r.Body.DryRun != nil && *r.Body.DryRun}
	if r.Body.All != nil {
		if !*r.Body.All {
			return nil, &inputError{"/all", "must be true or left out"}
		}
		req.All = true
	}
	if r.Body.AccountID != nil {
		req.AccountID = *r.Body.AccountID
	}
	if req.All == (req.AccountID != "") {
		return nil, &inputError{"", "exactly one of all and account_id must be given"}
	}
	if err := c.mayRestore(req); err != nil {
		return nil, err
	}
	if r.Body.To != nil {
		req.To = uint64(*r.Body.To)
	}
	if req.Pace = paceOf(r.Body.Rate, r.Body.Priority); req.Rate > 0 && req.Actor.Kind == addressing.Owner {
		return nil, forbidden("a rate is for operators", "leave it out: an owner's routes come back as fast as they may")
	}
	o, err := h.cfg.Repair.Restore(ctx, req)
	if err != nil {
		return nil, err
	}
	return Restore200JSONResponse{Body: RestoreResult{Generation: int64(o.Generation), To: int64(o.To), Advertised: o.Advertised, Later: o.Later, Of: o.Of,
		Created: o.Created, Changed: o.Changed, NegativeIntents: o.NegativeIntents, Rebuilt: o.Rebuilt, Tokens: o.Tokens, Pinned: o.Pinned, Detail: o.Detail}}, nil
}

// mayRestore keeps an owner to its own account.
func (c *call) mayRestore(r RestoreRequest) error {
	switch {
	case c.caller.may([]permission{operate, breakGlass}):
		return nil
	case r.All || c.caller.actor.AccountID == "":
		return forbidden("an owner restores its own account, nothing else", "name the account of the token as account_id")
	case r.AccountID != c.caller.actor.AccountID:
		return &addressing.Error{Code: addressing.CodeNotFound, Op: "restore", Field: "account_id", Detail: "no such account in the scope of this token",
			Next: "name the account of the token"}
	}
	return nil
}
