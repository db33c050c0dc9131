package addressing

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
)

// Claim is what a validation step is asked to judge.
type Claim struct {
	CIDR      netip.Prefix
	ASN       uint32
	AccountID string
	Token     string // what the owner publishes, "cf-validation: TOKEN"
}

// Validator judges one step: ownership (the token in the registry or in the
// reverse zones), IRR (a route object with the origin) or RPKI (a ROA with the
// origin). An error means that the source could not be asked, and leaves what
// is known as it is. It may take its time: no transaction waits for it.
type Validator interface {
	Validate(ctx context.Context, c Claim) (ValidationState, error)
}

// Validators are the steps. A step without one has no source: it stays
// pending, and only an operator who accepts the named risk can approve.
type Validators struct {
	Ownership, IRR, RPKI Validator
}

// Step is a validation step by its name.
type Step string

// The three steps.
const (
	StepOwnership Step = "ownership"
	StepIRR       Step = "irr"
	StepRPKI      Step = "rpki"
)

// Verdict is what one step said. The zero State leaves what is known as it is.
type Verdict struct {
	Step  Step
	State ValidationState
	Err   error // the source could not be asked
}

// Validated is what a validation came to.
type Validated struct {
	Prefix   PrefixDetail
	Verdicts []Verdict
	Approved bool   // it was pending, and every step was valid
	Lapsed   []Step // valid before and not any more: alert, advertise nothing new, withdraw nothing
}

// RunValidation asks every source about a prefix and stores what they said.
// When all steps are valid a pending prefix is approved. What lapses blocks new
// advertising (Prefix.BarsAdvertising) and never withdraws.
func (r *Registry) RunValidation(ctx context.Context, req Request, id string, v Validators) (Validated, ChangeSet, error) {
	const op, verb = "validate prefix", "prefix.validated"
	seen, err := r.Prefix(ctx, req.Scope, id)
	if err != nil {
		return Validated{}, ChangeSet{}, inOp(op, err)
	}
	out := Validated{Verdicts: v.ask(ctx, seen.Prefix)}
	req.IfMatch = seen.Version // the verdicts are about exactly this
	detail, change, err := r.unchangedPrefix(ctx, req, id, op, verb, func(m *mutation, d PrefixDetail) error {
		prior, p := d.Prefix, d.Prefix
		p, out.Lapsed = p.judged(out.Verdicts)
		if p.State == Pending && p.verified() {
			if p.State, err = Next(p.State, EventApprove); err != nil {
				return err
			}
			p.OnDemandEnabled, p.OnDemandLocked, out.Approved = true, false, true
		}
		if p.IRR == prior.IRR && p.RPKI == prior.RPKI && p.Ownership == prior.Ownership && p.State == prior.State {
			return errUnchanged
		}
		_, err := m.savePrefix(&prior, p)
		return err
	})
	if err != nil {
		return Validated{}, ChangeSet{}, err
	}
	out.Prefix = detail
	return out, change, nil
}

func (v Validators) ask(ctx context.Context, p Prefix) []Verdict {
	claim := Claim{CIDR: p.CIDR, ASN: p.ASN, AccountID: p.AccountID, Token: p.OwnershipToken}
	out := []Verdict{}
	for _, s := range []struct {
		step Step
		ask  Validator
	}{{StepOwnership, v.Ownership}, {StepIRR, v.IRR}, {StepRPKI, v.RPKI}} {
		if s.ask == nil {
			continue
		}
		state, err := s.ask.Validate(ctx, claim)
		if err == nil && !state.known() {
			err = fmt.Errorf("%s: the source said %q, which is no state", s.step, state)
		}
		if err != nil {
			state = ""
		}
		out = append(out, Verdict{Step: s.step, State: state, Err: err})
	}
	return out
}

func (s ValidationState) known() bool {
	return slices.Contains([]ValidationState{ValidationPending, ValidationValid, ValidationInvalid, ValidationMissing, ValidationMismatchASN}, s)
}

// judged is the prefix with the verdicts in it, and which steps lapsed.
func (p Prefix) judged(verdicts []Verdict) (Prefix, []Step) {
	var lapsed []Step
	for _, v := range verdicts {
		field := p.step(v.Step)
		if v.State == "" || field == nil {
			continue
		}
		now := p.following(v.Step, *field, v.State)
		if *field == ValidationValid && now != ValidationValid {
			lapsed = append(lapsed, v.Step)
		}
		*field = now
	}
	return p, lapsed
}

// following is what a step becomes. An authorisation of an approved prefix that
// the source has no more is expired, which is something other than never having
// been there. An ownership token need not stay published.
func (p Prefix) following(s Step, was, says ValidationState) ValidationState {
	gone := says == ValidationMissing && (was == ValidationValid || was == ValidationExpired)
	switch {
	case !gone || p.State != Approved:
		return says
	case s == StepOwnership:
		return was
	}
	return ValidationExpired
}

func (p *Prefix) step(s Step) *ValidationState {
	switch s {
	case StepOwnership:
		return &p.Ownership
	case StepIRR:
		return &p.IRR
	case StepRPKI:
		return &p.RPKI
	}
	return nil
}

// BarsAdvertising is the step whose source says that the prefix is not this
// origin's to advertise, or empty. It stops new advertising, whoever asks and
// whatever risk was accepted before; what is advertised stays. Missing and
// pending say nothing against it: approval has judged those.
func (p Prefix) BarsAdvertising() Step {
	for _, s := range []Step{StepOwnership, StepIRR, StepRPKI} {
		switch *p.step(s) {
		case ValidationInvalid, ValidationMismatchASN, ValidationExpired:
			return s
		}
	}
	return ""
}
