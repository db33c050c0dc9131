package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

const (
	beat     = 250 * time.Millisecond // between two samples of everybody's health
	memory   = 10 * time.Minute       // of health that everybody had before
	changes  = 20                     // prefixes of as many customers, withdrawn by an operator
	soak     = 2 * time.Second
	noticing = 30 * time.Second
)

// patient is a network whose customers' health is watched.
type patient struct {
	*Rig
	board    *health.Board
	accounts []string
	targets  []Prefix // one of each of as many customers
	trips    atomic.Int64

	mu     sync.Mutex
	errors func(account string) float64 // share of the account's requests that fail now
	silent bool
}

// newPatient builds the network with waves, and a past in which all were well.
func newPatient(ctx context.Context, o Options, name string) (*patient, error) {
	rows, err := Rows(o.Small)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	p := &patient{board: health.NewBoard(health.Thresholds{}, []string{string(rollout.Removal)}), errors: func(string) float64 { return 0 }}
	options := RigOptions{Dir: dir, Rows: rows, Config: func(c *rollout.Config) {
		c.Program = waves()
		c.Health, c.Book = p.board, rollout.FileBook(filepath.Join(dir, "rollouts.json"))
		c.OnRollout = func(_ rollout.Rollout, e rollout.Effect) {
			if e == rollout.Trip {
				p.trips.Add(1)
			}
		}
	}}
	// The limits would stop the change first; this is about health alone, whose
	// trip holds what takes anything down, like any other.
	g := shut{harmed: func() bool { return p.trips.Load() > 0 }}
	options.Gate = func(*gate.Gate) addressing.Gate { return g }
	options.Judge = func(*gate.Gate) plan.Gate { return g }
	if p.Rig, err = NewRig(ctx, options); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, c := range p.Customers() {
		if seen[c.AccountID] {
			continue
		}
		seen[c.AccountID] = true
		p.accounts = append(p.accounts, c.AccountID)
		if len(p.targets) < changes {
			p.targets = append(p.targets, c)
		}
	}
	now := time.Now()
	for at := now.Add(-memory); at.Before(now); at = at.Add(10 * time.Second) {
		if err := p.sample(at); err != nil {
			p.Close()
			return nil, err
		}
	}
	p.live()
	return p, nil
}

// waves are those of the default program, with a soak that a drill can wait for.
func waves() rollout.Program {
	stages := rollout.DefaultProgram().Stages[rollout.Removal]
	short := make([]plan.Stage, len(stages))
	for i, s := range stages {
		s.Soak = soak
		short[i] = s
	}
	return rollout.Program{Stages: map[rollout.Class][]plan.Stage{rollout.Removal: short}}
}

// live samples everybody's health until the rig is closed.
func (p *patient) live() {
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case at := <-tick.C:
				_ = p.sample(at) // what the board refuses it has not heard: silence, which holds
			}
		}
	}()
	p.stops = append(p.stops, func() { close(stop); <-ended })
}

func (p *patient) sample(at time.Time) error {
	p.mu.Lock()
	failing, silent := p.errors, p.silent
	p.mu.Unlock()
	if silent {
		return nil
	}
	samples := make([]health.Sample, 0, len(p.accounts))
	for _, a := range p.accounts {
		samples = append(samples, health.Sample{Account: a, Site: "default", Service: "cdn", At: at, Requests: 1000, Errors: 1000 * failing(a)})
	}
	return p.board.Add(samples)
}

func (p *patient) hurt(f func(account string) float64) { p.mu.Lock(); p.errors = f; p.mu.Unlock() }
func (p *patient) hush(on bool)                        { p.mu.Lock(); p.silent = on; p.mu.Unlock() }

// change is the operator's: one prefix of each of twenty customers.
func (p *patient) change(ctx context.Context) error {
	for _, t := range p.targets {
		if _, _, err := p.Registry.WithdrawPrefix(ctx, p.Request(Operator("noc"), "a clean-up that looked right"), t.ID); err != nil {
			return err
		}
	}
	return nil
}

// first waits for the first wave and gives its rollout.
func (p *patient) first(ctx context.Context) (rollout.Rollout, error) {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if all := p.Runner.Rollouts(); len(all) > 0 && all[0].Applied > 0 {
			return all[0], nil
		}
		if err := pause(ctx, 5*time.Millisecond); err != nil {
			return rollout.Rollout{}, err
		}
	}
	return rollout.Rollout{}, fmt.Errorf("no rollout began: %+v", p.Runner.Status().Refusal)
}

// stopped waits until the rollout has failed and the neighbor has everything
// back, and says how long both took.
func (p *patient) stopped(ctx context.Context, limit time.Duration) (failed, back time.Duration, why string) {
	begun := time.Now()
	for time.Since(begun) < limit {
		for _, r := range p.Runner.Rollouts() {
			if r.Phase == rollout.Failed && failed == 0 {
				failed, why = time.Since(begun), r.Why
			}
		}
		if failed > 0 && p.Wire.Held() == p.Full {
			return failed, time.Since(begun), why
		}
		if pause(ctx, 5*time.Millisecond) != nil {
			break
		}
	}
	return limit, limit, why
}

// badChange is drill D8: a change that harms every customer it touches stops in
// its first wave and is put back; silence holds; nothing goes by a second way.
func badChange(ctx context.Context, o Options) (*Report, error) {
	p, err := newPatient(ctx, o, "bad-change")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	touched := map[string]bool{}
	for _, t := range p.targets {
		touched[t.AccountID] = true
	}
	r, t := &Report{}, Table{Title: "A change that harms whom it touches", Columns: []string{"what", "value"}}
	if err := p.change(ctx); err != nil {
		return nil, err
	}
	if _, err := p.first(ctx); err != nil {
		return nil, err
	}
	p.hurt(func(account string) float64 {
		if touched[account] {
			return 1
		}
		return 0
	})
	failed, back, why := p.stopped(ctx, noticing)
	gone := p.Full - p.Lowest()
	t.Add("gone at the neighbor, at most", gone)
	t.Add("stopped after the harm began", failed.Round(time.Millisecond))
	t.Add("everything back after the harm began", back.Round(time.Millisecond))
	t.Add("why", why)
	r.AtMost("prefixes gone, at most 1 % of the customers'", gone, max(1, len(p.Customers())/100))
	r.AtLeast("prefixes gone: the drill rehearsed something", gone, 1)
	r.Within("stopped and put back", back, 10*time.Second)
	r.Exactly("trips of the breaker", int(p.trips.Load()), 1)
	p.hurt(func(string) float64 { return 0 })
	if err := pause(ctx, 3*soak); err != nil {
		return nil, err
	}
	r.Exactly("prefixes gone three soaks later: nobody tried it again", p.Full-p.Wire.Held(), 0)
	r.Tables = append(r.Tables, t)
	return r, silence(ctx, o, r)
}

// silence is a change while the sources of health say nothing.
func silence(ctx context.Context, o Options, r *Report) error {
	q, err := newPatient(ctx, o, "silence")
	if err != nil {
		return err
	}
	defer q.Close()
	if err := q.change(ctx); err != nil {
		return err
	}
	if _, err := q.first(ctx); err != nil {
		return err
	}
	q.hush(true)
	held := q.Wire.Held()
	if err := pause(ctx, 3*soak); err != nil {
		return err
	}
	r.Exactly("prefixes gone while health was silent, after the first wave", held-q.Wire.Held(), 0)
	return nil
}

// oneCustomer is drill D9: one customer of all at 20 % errors.
func oneCustomer(ctx context.Context, o Options) (*Report, error) {
	p, err := newPatient(ctx, o, "one-customer")
	if err != nil {
		return nil, err
	}
	defer p.Close()
	if err := p.change(ctx); err != nil {
		return nil, err
	}
	first, err := p.first(ctx)
	if err != nil {
		return nil, err
	}
	victim := first.Waves[0].Items[0].Account
	p.hurt(func(account string) float64 {
		if account == victim {
			return 0.2
		}
		return 0
	})
	failed, back, why := p.stopped(ctx, noticing)
	r, t := &Report{}, Table{Title: "One customer at 20 % errors", Columns: []string{"what", "value"}}
	global := 0.2 / float64(len(p.accounts))
	t.Add("customers", len(p.accounts))
	t.Add("errors over all customers", fmt.Sprintf("%.3f %%", 100*global))
	t.Add("stopped after", failed.Round(time.Millisecond))
	t.Add("everything back after", back.Round(time.Millisecond))
	t.Add("why", why)
	r.Tables = []Table{t}
	r.Within("stopped and put back", back, noticing)
	r.AtMost("errors over all customers, in hundredths of a percent: an alert at 1 % sees nothing", int(10_000*global+0.5), 99)
	r.Exactly("trips of the breaker", int(p.trips.Load()), 1)
	return r, nil
}
