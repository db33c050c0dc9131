package drill

import (
	"context"
	"fmt"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// faster is how much faster than on the day the signals' run goes: a wave soaks
// for two seconds instead of a minute.
const faster = 30

// shut is the gate of a network without limits, whose rollouts alone can stop
// anything: one that did harm holds what takes anything down.
type shut struct {
	openGate
	harmed func() bool
}

func (s shut) Admit(ctx context.Context, c addressing.ChangeSet) (func(), error) {
	if s.harmed() && len(c.Losses()) > 0 {
		return nil, &addressing.Error{Code: addressing.CodeHeld, Op: c.Verb, Detail: "a rollout did harm"}
	}
	return s.openGate.Admit(ctx, c)
}

func (s shut) Judge(ctx context.Context, p plan.Plan) (policy.Verdict, []policy.Finding, error) {
	for i := range p.Changes {
		if p.Changes[i].Loses && s.harmed() {
			return policy.Refuse, []policy.Finding{{Rule: "drill.harm", Verdict: policy.Refuse, Why: "a rollout did harm"}}, nil
		}
	}
	return s.openGate.Judge(ctx, p)
}

// signals measures waves and customers' health alone, without any limit of the
// breaker: who loses a prefix loses that share of its requests.
func (d *d1) signals(ctx context.Context, t *Table) error {
	bar := max(1, d.customers/100)
	var missing [2]int
	slow := steady(operator)
	slow.paced, slow.real = false, slow.every/faster
	after := "-"
	for i, v := range []variant{slow, hurried(operator)} {
		d.o.say("waves and customers' signals: %s", v.name)
		lost, took, err := d.harmed(ctx, v, fmt.Sprint("signals-", i))
		if err != nil {
			return fmt.Errorf("signals, %s: %w", v.name, err)
		}
		missing[i] = lost
		if i == 0 {
			after = (faster * took).Round(time.Second).String()
		}
		d.report.AtMost("D1, only waves and customers' signals, "+v.name, lost, bar)
		d.report.AtLeast("D1, only waves and customers' signals, "+v.name+": it rehearsed something", lost, 1)
	}
	t.Add("customers' signals (HMD)", missing[0], missing[1], bar, after)
	return nil
}

// harmed lets one run go on until a rollout is stopped and what it took down is
// back, and says how much was gone at most and after how long it stopped. What
// an earlier rollout took down unnoticed stays down.
func (d *d1) harmed(ctx context.Context, v variant, name string) (lost int, took time.Duration, err error) {
	p, err := newPatient(ctx, d.o, name)
	if err != nil {
		return 0, 0, err
	}
	defer p.Close()
	v.op = approvedAway
	p.hurt(p.shares())
	a := &attack{Rig: p.Rig, variant: v, tripAt: -1, stopped: func() bool { return p.trips.Load() > 0 }}
	begun := time.Now()
	if err := everything(ctx, a); err != nil {
		return 0, 0, err
	}
	for p.trips.Load() == 0 && time.Since(begun) < noticing {
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return 0, 0, err
		}
	}
	took = time.Since(begun)
	if p.trips.Load() == 0 {
		return 0, 0, fmt.Errorf("nothing stopped it within %s: %+v", took, p.Runner.Status().Refusal)
	}
	return p.Full - p.Lowest(), took, p.Settle(ctx, soak)
}

// approvedAway withdraws what somebody has approved to go, all of it: nothing but
// the waves stands between that and the wire.
func approvedAway(a *attack, p Prefix) error {
	req := a.Request(a.by(), "clean up")
	req.Approval = "everything"
	_, _, err := a.Registry.WithdrawPrefix(context.Background(), req, p.ID)
	return err
}

// shares gives an account's share of failing requests: that of its prefixes
// which the neighbor does not hold.
func (p *patient) shares() func(account string) float64 {
	of := map[string][]Prefix{}
	for _, c := range p.Customers() {
		of[c.AccountID] = append(of[c.AccountID], c)
	}
	return func(account string) float64 {
		gone := 0
		for _, c := range of[account] {
			if _, held := p.Wire.Route(c.Row.Prefix); !held {
				gone++
			}
		}
		return float64(gone) / float64(max(1, len(of[account])))
	}
}
