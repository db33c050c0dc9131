package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// outageRate is how many prefixes a minute the task of 20 February deleted.
const outageRate = 22

// layer is one protection, all others off.
type layer struct {
	name   string
	rig    func(*RigOptions)
	attack func(ctx context.Context, a *attack) error
	most   func(customers, routes int) int // routes that may be missing at the neighbor
}

// variant is one way in which the losses come.
type variant struct {
	name  string
	every time.Duration // between two operations, simulated
	last  time.Duration // simulated; 0 is until everything was asked for
	pick  func([]Prefix) []Prefix
	fill  func(*Desk) error
	op    func(*attack, Prefix) error
	bulk  bool
	by    []addressing.Actor
	paced bool          // real time: each change reaches the wire before the next is asked for
	real  time.Duration // real time between two operations
}

// attack is one run: what was asked for and what came of it.
type attack struct {
	*Rig
	variant  variant
	asked    int
	admitted int
	tripAt   time.Duration // simulated, after the first operation; -1 is never
	took     time.Duration // real, until the last answer
	scopes   []string

	otherHeld int         // of one withdrawal by another operator at the end
	stopped   func() bool // there is no use in asking for more; nil is never
}

func withdraw(a *attack, p Prefix) error {
	_, _, err := a.Registry.WithdrawPrefix(context.Background(), a.Request(a.by(), "clean up"), p.ID)
	return err
}

func unbind(a *attack, p Prefix) error {
	_, err := a.Registry.DeleteBinding(context.Background(), a.Request(a.by(), "clean up"), p.ID, p.Second)
	return err
}

func remove(a *attack, p Prefix) error {
	_, err := a.Registry.DeletePrefix(context.Background(), a.Request(a.by(), "clean up"), p.ID)
	return err
}

func (a *attack) by() addressing.Actor { return a.variant.by[a.asked%len(a.variant.by)] }

// everything asks for the loss of every prefix that the variant picks, in its
// rhythm, whatever the answers are.
func everything(ctx context.Context, a *attack) error {
	targets := a.Customers()
	if a.variant.pick != nil {
		targets = a.variant.pick(targets)
	}
	begun := time.Now()
	defer func() { a.took = time.Since(begun) }()
	if a.variant.bulk {
		return a.atOnce(ctx, targets)
	}
	for i, p := range targets {
		if a.variant.last > 0 && time.Duration(i)*a.variant.every > a.variant.last {
			break
		}
		if i > 0 && a.variant.every > 0 {
			if err := a.Pass(a.variant.every); err != nil {
				return err
			}
		}
		if err := pause(ctx, a.variant.real); err != nil {
			return err
		}
		err := a.variant.op(a, p)
		a.asked++
		if a.stopped != nil && a.stopped() {
			break
		}
		if err := a.note(ctx, err); err != nil {
			return err
		}
	}
	return a.Settle(ctx, 300*time.Millisecond)
}

// note takes one answer in. A refusal is an answer; anything else ends the run.
func (a *attack) note(ctx context.Context, err error) error {
	switch addressing.CodeOf(err) {
	case "":
		a.admitted++
		if a.variant.paced {
			return a.reach(ctx)
		}
	case addressing.CodeInternal, addressing.CodeUnavailable:
		return err
	default:
		a.tripped()
	}
	return nil
}

// reach waits until the wire has followed what was admitted, or does not.
func (a *attack) reach(ctx context.Context) error {
	for end := time.Now().Add(2 * time.Second); a.Wire.Held() > a.Full-a.admitted && time.Now().Before(end); {
		if err := pause(ctx, time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func (a *attack) tripped() {
	if a.tripAt >= 0 {
		return
	}
	for _, s := range a.Breaker.Status(a.Now()) {
		if s.State == breaker.Open {
			a.tripAt = a.Now().Sub(Began)
			a.scopes = append(a.scopes, s.Scope.String())
		}
	}
}

// atOnce asks for all of it in one change, ten times.
func (a *attack) atOnce(ctx context.Context, targets []Prefix) error {
	c := addressing.ChangeSet{Actor: a.by(), Reason: "clean up", Verb: "prefix.withdraw"}
	for _, p := range targets {
		c.Effects = append(c.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: p.Row.Prefix, AccountID: p.AccountID, Account: addressing.Customer,
			Resting: addressing.RestingAdvertised, Services: []string{a.Service}})
	}
	for i := range 10 {
		c.ID, c.At = fmt.Sprintf("bulk-%d", i), a.Now()
		a.asked += len(targets)
		if _, err := a.Gate.Admit(ctx, c); err == nil {
			a.admitted += len(targets)
		}
		a.tripped()
		if err := a.Pass(time.Second); err != nil {
			return err
		}
	}
	return a.Settle(ctx, 300*time.Millisecond)
}

// oneOfEach picks one prefix of each customer.
func oneOfEach(all []Prefix) []Prefix {
	seen := map[string]bool{}
	var out []Prefix
	for _, p := range all {
		if !seen[p.AccountID] {
			seen[p.AccountID] = true
			out = append(out, p)
		}
	}
	return out
}

// boundTwice picks the prefixes with a second binding.
func boundTwice(all []Prefix) []Prefix {
	return slices.DeleteFunc(all, func(p Prefix) bool { return p.Second == "" })
}

// openGate lets everything pass: no breaker at all.
type openGate struct{}

func (openGate) Admit(context.Context, addressing.ChangeSet) (func(), error) { return func() {}, nil }

func (openGate) Judge(context.Context, plan.Plan) (policy.Verdict, []policy.Finding, error) {
	return policy.Allow, nil, nil
}

func withoutBreaker(o *RigOptions) {
	o.Gate = func(*gate.Gate) addressing.Gate { return openGate{} }
	o.Judge = func(*gate.Gate) plan.Gate { return openGate{} }
}

// only keeps one part of the breaker's limits.
func only(keep func(all breaker.Limits, l *breaker.Limits)) func(*RigOptions) {
	return func(o *RigOptions) {
		all := breaker.DefaultLimits()
		l := breaker.Limits{Recovering: all.Recovering, Wait: all.Wait}
		keep(all, &l)
		o.Limits = l
	}
}

var operator = []addressing.Actor{Operator("script")}
var cleanup = []addressing.Actor{Task("cleanup")}

func most(n int) func(int, int) int { return func(int, int) int { return n } }

// percent is max(floor, 1 %), as the limits have it.
func percent(floor int) func(int, int) int {
	return func(n, _ int) int { return max(floor, n/100) }
}

// layers are the rows of the ablation table but the one of customers' signals,
// which needs waves and real time, see signals.
func layers() []layer {
	return []layer{
		{name: "typed schema (ADR-01)", rig: withoutBreaker, attack: malformed, most: most(0)},
		{name: "server precondition (ADR-03)", rig: withoutBreaker, attack: deletions, most: most(0)},
		{name: "worker self-check (ADR-04)", rig: withoutBreaker, attack: worker, most: most(0)},
		{name: "breaker W1", attack: everything, most: most(10), rig: only(func(all breaker.Limits, l *breaker.Limits) {
			l.Ops, l.Accounts = all.Ops, all.Accounts
		})},
		{name: "breaker W2 (ladder)", attack: everything, most: percent(20), rig: only(func(all breaker.Limits, l *breaker.Limits) {
			l.Ladder, l.LongWindow = all.Ladder, all.LongWindow
		})},
		{name: "state floor W6", attack: everything, most: func(_, routes int) int { return max(10, routes/100) },
			rig: only(func(all breaker.Limits, l *breaker.Limits) {
				l.StateFloor, l.StateShare = all.StateFloor, all.StateShare
			})},
	}
}

// malformed is the task of that day: its query names a filter without a value.
func malformed(ctx context.Context, a *attack) error {
	status, err := a.query(ctx, "/v1/prefixes?pending_delete")
	if err != nil || status != 200 {
		a.asked++
		return err
	}
	return everything(ctx, a)
}

// deletions asks the server to delete every id, one by one.
func deletions(ctx context.Context, a *attack) error {
	a.variant.op = remove
	return everything(ctx, a)
}

// worker hands the whole list to the clean-up worker.
func worker(ctx context.Context, a *attack) error {
	var ids []string
	for _, p := range a.Customers() {
		ids = append(ids, p.ID)
	}
	a.asked = len(ids)
	done, err := a.Registry.Cleanup(ctx, a.Request(Task("cleanup"), "clean up"), ids, addressing.CleanupOptions{Enabled: true, Apply: true})
	a.admitted = len(done.Expire)
	if done.Refused != "" {
		a.admitted = 0
	}
	if err != nil && addressing.CodeOf(err) != addressing.CodeConflict {
		return err
	}
	return a.Settle(ctx, 300*time.Millisecond)
}

// february is drill D1.
func february(ctx context.Context, o Options) (*Report, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	d := &d1{o: o, rows: rows, report: &Report{}}
	for _, r := range rows {
		if r.Kind == table.KindCustomer {
			d.customers++
		}
	}
	for _, part := range []func(context.Context) error{d.legacy, d.ablation, d.snapshotLimit, d.variants} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	return d.report, nil
}

type d1 struct {
	o         Options
	rows      []table.Row
	customers int
	runs      int
	report    *Report
}

// run makes a network, lets the attack run and measures it.
func (d *d1) run(ctx context.Context, l layer, v variant) (*attack, int, error) {
	d.o.say("%s: %s", l.name, v.name)
	d.runs++
	dir := filepath.Join(d.o.Dir, fmt.Sprint("run-", d.runs))
	defer os.RemoveAll(dir)
	options := RigOptions{Dir: dir, Rows: d.rows, Fill: v.fill}
	if l.rig != nil {
		l.rig(&options)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, err
	}
	rig, err := NewRig(ctx, options)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", l.name, err)
	}
	defer rig.Close()
	if err := rig.Pass(0); err != nil {
		return nil, 0, err
	}
	a := &attack{Rig: rig, variant: v, tripAt: -1}
	if err := l.attack(ctx, a); err != nil {
		return nil, 0, fmt.Errorf("%s, %s: %w", l.name, v.name, err)
	}
	lost := rig.Full - rig.Lowest()
	if v.fill != nil {
		lost += a.admitted // bindings, which a neighbor does not see
	}
	a.other(ctx)
	return a, lost, nil
}

// other asks for one withdrawal by somebody else, who must not be stopped.
func (a *attack) other(ctx context.Context) {
	last := a.Customers()[len(a.Customers())-1]
	_, _, err := a.Registry.WithdrawPrefix(ctx, a.Request(Operator("somebody-else"), "planned"), last.ID)
	if err != nil {
		a.otherHeld = 1
	}
}

func steady(by []addressing.Actor) variant {
	return variant{name: "22 a minute", every: time.Minute / outageRate, last: 50 * time.Minute, op: withdraw, by: by, paced: true}
}

func hurried(by []addressing.Actor) variant {
	return variant{name: "unthrottled", op: withdraw, by: by}
}

// ablation measures every layer alone.
func (d *d1) ablation(ctx context.Context) error {
	t := Table{Title: "Each layer alone", Columns: []string{"only this layer on", "22 a minute: missing at the neighbor", "unthrottled", "bar", "tripped after"}}
	for _, l := range layers() {
		by := operator
		if l.name == "breaker W1" {
			by = cleanup
		}
		var missing [2]int
		tripped := "-"
		for i, v := range []variant{steady(by), hurried(by)} {
			a, lost, err := d.run(ctx, l, v)
			if err != nil {
				return err
			}
			missing[i] = lost
			d.report.AtMost("D1, only "+l.name+", "+v.name, lost, l.most(d.customers, len(d.rows)))
			if i == 0 && a.tripAt >= 0 {
				tripped = a.tripAt.Round(time.Second).String()
			}
		}
		t.Add(l.name, missing[0], missing[1], l.most(d.customers, len(d.rows)), tripped)
	}
	if err := d.signals(ctx, &t); err != nil {
		return err
	}
	d.report.Tables = append(d.report.Tables, t)
	return nil
}

// snapshotLimit is W5: one large difference is refused, a trickle passes.
func (d *d1) snapshotLimit(ctx context.Context) error {
	l := layer{name: "W5 (one snapshot's difference)", attack: everything, rig: only(func(all breaker.Limits, l *breaker.Limits) {
		l.PlanFloor, l.PlanShare, l.PlanTwice = all.PlanFloor, all.PlanShare, all.PlanTwice
	})}
	trickle := steady(operator)
	trickle.last = 5 * time.Minute
	a, passes, err := d.run(ctx, l, trickle)
	if err != nil {
		return err
	}
	bulk := hurried(operator)
	bulk.name, bulk.bulk = "in bulk", true
	_, lost, err := d.run(ctx, l, bulk)
	if err != nil {
		return err
	}
	d.report.Exactly("D1, only W5, in bulk", lost, 0)
	d.report.Exactly("D1, only W5, a trickle of 22 a minute passes (its documented hole)", passes, a.asked)
	d.report.Tables = append(d.report.Tables, Table{Title: "W5 alone", Columns: []string{"variant", "asked", "missing at the neighbor"},
		Rows: [][]string{{trickle.name + " for 5 minutes", fmt.Sprint(a.asked), fmt.Sprint(passes)}, {bulk.name, fmt.Sprint(10 * d.customers), fmt.Sprint(lost)}}})
	return nil
}

// variants are the six ways in which it may come, against the breaker as it is
// delivered: by a script with an operator's token, and by a task.
func (d *d1) variants(ctx context.Context) error {
	t := Table{Title: "Every layer of the breaker, six variants", Columns: []string{"variant", "by", "asked", "missing at the neighbor, or unbound", "bar", "opened", "after"}}
	ten := make([]addressing.Actor, 10)
	for i := range ten {
		ten[i] = Operator(fmt.Sprint("script-", i))
	}
	day := 24 * time.Hour
	drip := variant{name: "drip, one in 6 minutes", every: 6 * time.Minute, last: day, op: withdraw, paced: true}
	for _, x := range []struct {
		v          variant
		oper, task int
	}{
		{steady(nil), max(20, d.customers/100), 10},
		{hurried(nil), max(20, d.customers/100), 10},
		{variant{name: "in bulk", bulk: true}, 0, 0},
		{drip, max(20, d.customers/20), 50},
		{variant{name: "one prefix of each customer", every: time.Minute / outageRate, op: withdraw, pick: oneOfEach, paced: true}, max(20, d.customers/100), 10},
		{variant{name: "bindings only", every: time.Minute / outageRate, last: 50 * time.Minute, op: unbind, fill: (*Desk).bindTwice, pick: boundTwice}, max(20, d.customers/100), 10},
	} {
		for _, who := range []struct {
			by   []addressing.Actor
			most int
		}{{operator, x.oper}, {cleanup, x.task}} {
			x.v.by = who.by
			if err := d.variant(ctx, &t, x.v, who.most); err != nil {
				return err
			}
		}
	}
	drip.name, drip.every, drip.by = "drip by ten operators, one in 36 seconds", 36*time.Second, ten
	if err := d.variant(ctx, &t, drip, max(20, d.customers/20)); err != nil {
		return err
	}
	d.report.Tables = append(d.report.Tables, t)
	a, lost, err := d.run(ctx, layer{name: "all layers", attack: malformed}, steady(cleanup))
	if err != nil {
		return err
	}
	d.report.Exactly("D1, all layers, the malformed query", lost+a.admitted, 0)
	return nil
}

func (d *d1) variant(ctx context.Context, t *Table, v variant, most int) error {
	a, lost, err := d.run(ctx, layer{name: "breaker", attack: everything}, v)
	if err != nil {
		return err
	}
	name := v.by[0].Key()
	if len(v.by) > 1 {
		name = fmt.Sprintf("%d operators", len(v.by))
	}
	opened, after := "-", "-"
	if a.tripAt >= 0 {
		opened, after = fmt.Sprint(a.scopes), a.tripAt.Round(time.Second).String()
	}
	t.Add(v.name, name, a.asked, lost, most, opened, after)
	d.report.AtMost(fmt.Sprintf("D1, breaker, %s by %s", v.name, name), lost, most)
	if len(v.by) == 1 && !d.o.Small { // of a small network the floors are all there is
		d.report.Exactly(fmt.Sprintf("D1, breaker, %s by %s: another operator can still work", v.name, name), a.otherHeld, 0)
	}
	return nil
}
