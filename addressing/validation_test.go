package addressing_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// source is a registry that says one thing.
type source struct {
	says  addressing.ValidationState
	err   error
	asked []addressing.Claim
}

func (s *source) Validate(_ context.Context, c addressing.Claim) (addressing.ValidationState, error) {
	s.asked = append(s.asked, c)
	return s.says, s.err
}

func TestValidation(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.pending(x.a.ID, "11.0.0.0/22")
	own, irr, rpki := &source{says: addressing.ValidationValid}, &source{says: addressing.ValidationMissing}, &source{err: errors.New("rtr: connection refused")}
	all := addressing.Validators{Ownership: own, IRR: irr, RPKI: rpki}
	run := func(v addressing.Validators) addressing.Validated {
		t.Helper()
		return must(x.r.RunValidation(ctx, x.system(), p.ID, v))(t)
	}

	got := run(all)
	if got.Approved || got.Prefix.State != addressing.Pending || got.Prefix.Ownership != addressing.ValidationValid || got.Prefix.IRR != addressing.ValidationMissing ||
		got.Prefix.RPKI != addressing.ValidationPending || got.Verdicts[2].Err == nil {
		t.Errorf("one valid, one missing, one not asked: %+v", got)
	}
	if want := []addressing.Claim{{CIDR: p.CIDR, ASN: p.ASN, AccountID: x.a.ID, Token: p.OwnershipToken}}; !cmp.Equal(want, own.asked, equate) {
		t.Errorf("asked %+v", own.asked)
	}
	version := x.get(p.ID).Version
	run(all)
	if x.get(p.ID).Version != version {
		t.Error("the same verdicts are a change")
	}
	irr.says, rpki.says, rpki.err = addressing.ValidationValid, "no idea", nil
	if got := run(all); got.Approved || got.Prefix.RPKI != addressing.ValidationPending || got.Verdicts[2].Err == nil {
		t.Errorf("a source that talks nonsense counted: %+v", got)
	}
	rpki.says = addressing.ValidationValid
	if got := run(all); !got.Approved || got.Prefix.State != addressing.Approved || !got.Prefix.OnDemandEnabled || got.Prefix.OnDemandLocked {
		t.Errorf("all valid, not approved: %+v", got)
	}
	if got := run(addressing.Validators{}); len(got.Verdicts) != 0 || got.Prefix.State != addressing.Approved {
		t.Errorf("without sources: %+v", got)
	}
}

// TestLapseNeverWithdraws: an authorisation that turns invalid later alerts and
// blocks new advertising; what is advertised stays.
func TestLapseNeverWithdraws(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	must(x.r.RunValidation(ctx, x.system(), p.ID, addressing.Validators{RPKI: &source{says: addressing.ValidationValid}}))(t)
	got := must(x.r.RunValidation(ctx, x.system(), p.ID, addressing.Validators{RPKI: &source{says: addressing.ValidationMismatchASN}}))(t)
	if !cmp.Equal(got.Lapsed, []addressing.Step{addressing.StepRPKI}) || !got.Prefix.BGP[0].Advertised || effects(x.gate.last()) != "[]" {
		t.Errorf("lapsed: %+v, effects %s", got, effects(x.gate.last()))
	}
	// What is advertised can be changed and withdrawn, and is not put up anew.
	two := 2
	must(x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, p.BGP[0].ID, addressing.BGPPrefixPatch{Prepend: &two}))(t)
	must(x.r.AdvertisePrefix(ctx, x.owner(x.a.ID), p.ID))(t)
	more := must(x.r.CreateBGPPrefix(ctx, x.owner(x.a.ID), p.ID, pfx("11.0.1.0/24")))(t)
	_, _, err := x.r.EditBGPPrefix(ctx, x.owner(x.a.ID), p.ID, more.ID, toggle(true))
	if addressing.CodeOf(err) != addressing.CodeConflict || !strings.Contains(err.Error(), "rpki is mismatch_asn") {
		t.Errorf("new advertising under a wrong origin: %v", err)
	}
	// A restore towards what was good is never stopped by it.
	before := x.state()
	must(x.r.WithdrawPrefix(ctx, x.operator(), p.ID))(t)
	if got := x.restore(before); got.Advertised != 1 {
		t.Errorf("restored %+v", got)
	}
}

// TestExpiryBarsNewAdvertising: an authorisation that is there no more is not
// the same as one that never was.
func TestExpiryBarsNewAdvertising(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.advertised(x.a.ID, "11.0.0.0/22")
	all := func(s addressing.ValidationState) addressing.Validators {
		return addressing.Validators{Ownership: &source{says: s}, IRR: &source{says: s}, RPKI: &source{says: s}}
	}
	run := func(s addressing.ValidationState) addressing.Validated {
		t.Helper()
		return must(x.r.RunValidation(ctx, x.system(), p.ID, all(s)))(t)
	}
	if got := run(addressing.ValidationMissing); len(got.Lapsed) != 0 || got.Prefix.BarsAdvertising() != "" {
		t.Errorf("never there: %+v", got)
	}
	run(addressing.ValidationValid)
	for range 2 { // and it stays expired, however often it is asked for
		got := run(addressing.ValidationMissing)
		if got.Prefix.RPKI != addressing.ValidationExpired || got.Prefix.IRR != addressing.ValidationExpired || got.Prefix.BarsAdvertising() == "" {
			t.Errorf("gone: %+v", got.Prefix.Prefix)
		}
		if got.Prefix.Ownership != addressing.ValidationValid || !got.Prefix.BGP[0].Advertised {
			t.Errorf("a token need not stay published, and nothing is withdrawn: %+v", got.Prefix)
		}
	}
	if got := run(addressing.ValidationValid); got.Prefix.BarsAdvertising() != "" {
		t.Errorf("there again: %+v", got)
	}
}

func TestValidationIsAboutWhatWasAsked(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	p := x.pending(x.a.ID, "11.0.0.0/22")
	text := "changed meanwhile"
	slow := validator(func() addressing.ValidationState {
		must(x.r.EditPrefix(ctx, x.owner(x.a.ID), p.ID, addressing.PrefixPatch{SetDescription: true, Description: &text}))(t)
		return addressing.ValidationValid
	})
	_, _, err := x.r.RunValidation(ctx, x.system(), p.ID, addressing.Validators{IRR: slow})
	wantCode(t, err, addressing.CodePrecondition)
}

type validator func() addressing.ValidationState

func (f validator) Validate(context.Context, addressing.Claim) (addressing.ValidationState, error) {
	return f(), nil
}
