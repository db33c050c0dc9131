package cases

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/frontend"
)

// Report is the answer to a file of cases.
type Report struct {
	Cases []Answer `json:"cases"`
}

// Answer is the answer to one case.
type Answer struct {
	ID        string     `json:"id"`
	Decisions []Decision `json:"decisions"`
}

// Decision is what became of one route. ASPath and Communities are those of
// the route after the policies; empty when it was not accepted.
type Decision struct {
	Prefix      netip.Prefix    `json:"prefix"`
	LearnedFrom json.RawMessage `json:"learned_from,omitempty"`
	Action      device.Verdict  `json:"action"`
	ASPath      []uint32        `json:"as_path"`
	Communities []string        `json:"communities"`

	Why    string          `json:"-"` // when unknown
	Result concrete.Result `json:"-"`
}

// Open reads a file named by a case, relative to the file of cases.
type Open func(name string) ([]byte, error)

// Decide answers every case. Errors are of the file itself; a case that cannot
// be judged is answered unknown.
func Decide(f *File, open Open) (*Report, error) {
	d := decider{open: open, configs: map[string]loaded{}}
	out := &Report{}
	for i := range f.Cases {
		a, err := d.answer(f, &f.Cases[i])
		if err != nil {
			return nil, fmt.Errorf("case %s: %w", f.Cases[i].ID, err)
		}
		out.Cases = append(out.Cases, a)
	}
	return out, nil
}

type loaded struct {
	cfg *device.Config
	err error
}

type decider struct {
	open    Open
	configs map[string]loaded
}

func (d *decider) answer(f *File, c *Case) (Answer, error) {
	routes := f.Routes
	switch {
	case c.Route != nil:
		routes = []Route{*c.Route}
	case c.Routes != nil:
		routes = c.Routes
	}
	a := Answer{ID: c.ID, Decisions: []Decision{}}
	cfg, err := d.config(c)
	for i := range routes {
		r, from, routeErr := routes[i].route()
		if routeErr != nil {
			return a, routeErr
		}
		dec := Decision{Prefix: routes[i].Prefix, LearnedFrom: routes[i].LearnedFrom, ASPath: []uint32{}, Communities: []string{}}
		if err != nil {
			dec.Why = err.Error()
		} else {
			dec.judge(cfg, c, &routes[i], r, from)
		}
		a.Decisions = append(a.Decisions, dec)
	}
	return a, nil
}

// config parses each file once.
func (d *decider) config(c *Case) (*device.Config, error) {
	key := c.Lang + "\x00" + c.Config
	if l, ok := d.configs[key]; ok {
		return l.cfg, l.err
	}
	cfg, err := d.load(c)
	d.configs[key] = loaded{cfg, err}
	return cfg, err
}

func (d *decider) load(c *Case) (*device.Config, error) {
	dialect, ok := frontend.ByName(c.Lang)
	if !ok {
		return nil, fmt.Errorf("no front end for %q", c.Lang)
	}
	data, err := d.open(c.Config)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	cfg, _ := frontend.Parse(dialect, device.Input{Path: c.Config, Data: data, Open: func(name string) ([]byte, error) {
		if path.IsAbs(name) {
			return d.open(name)
		}
		return d.open(path.Join(path.Dir(c.Config), name))
	}})
	return cfg, nil
}

// judge decides one route and files the result.
func (d *Decision) judge(cfg *device.Config, c *Case, in *Route, r device.Route, from learned) {
	res, why := evaluate(cfg, c, in, r, from)
	d.Result, d.Action, d.Why = res, res.Verdict, why
	if d.Action == device.Undecided && d.Why == "" {
		d.Why = blockers(res)
	}
	if d.Action != device.Accept {
		return
	}
	d.ASPath = append(d.ASPath, res.Route.ASPath...)
	for _, x := range res.Route.Communities {
		if x.Kind == device.Standard {
			d.Communities = append(d.Communities, x.Text)
		}
	}
}

func blockers(res concrete.Result) string {
	var parts []string
	for _, b := range res.Blockers {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s: %s", b.Pos, b.Text, b.Why)))
	}
	return strings.Join(parts, "; ")
}

// evaluate runs the policies a case names, or the pipeline of its session.
func evaluate(cfg *device.Config, c *Case, in *Route, r device.Route, from learned) (concrete.Result, string) {
	direction := c.Direction
	if direction == "" {
		direction = in.Direction
	}
	neighbor := c.Neighbor
	if neighbor == "" && direction == "import" {
		neighbor = in.Neighbor
	}
	if neighbor == "" {
		return named(cfg, c, direction, r)
	}
	s := session(cfg, neighbor, r.Family())
	if s == nil {
		return concrete.Result{}, fmt.Sprintf("no session with %s that carries %s", neighbor, r.Family())
	}
	if direction == "import" {
		if !r.Source.Neighbor.IsValid() {
			r.Source.Neighbor = s.Neighbor
		}
		return concrete.Session(s, concrete.Import, r), ""
	}
	return export(cfg, s, r, from), ""
}

// export takes the route through the import pipeline of the session it was
// learned on first, when the configuration has that session.
func export(cfg *device.Config, s *device.Session, r device.Route, from learned) concrete.Result {
	for i := range s.Originate {
		if o := &s.Originate[i]; o.Prefix == r.Prefix && s.Carries(r.Family()) && !s.Inactive {
			return originated(s, o, r)
		}
	}
	var trace []concrete.Event
	if src := sender(cfg, r, from); src != nil {
		if r.Source.Role == device.UnknownRole {
			r.Source.Role = src.Role
		}
		if r.Source.ASN == 0 {
			r.Source.ASN = src.PeerAS
		}
		if !r.Source.Neighbor.IsValid() {
			r.Source.Neighbor = src.Neighbor
		}
		r.Source.Client, r.Source.Name = src.Facts.ReflectorClient, src.Name
		in := concrete.Session(src, concrete.Import, r)
		if in.Verdict != device.Accept {
			return in
		}
		r, trace = in.Route, in.Trace
	}
	res := concrete.Session(s, concrete.Export, r)
	res.Trace = append(trace, res.Trace...)
	return res
}

// originated is the route a session sends by itself, whatever the table holds
// and the policies say. One that depends on a policy may be sent.
func originated(s *device.Session, o *device.Origination, r device.Route) concrete.Result {
	if o.Chain != nil {
		if res := concrete.Session(s, concrete.Export, r); res.Verdict == device.Accept {
			return res
		}
		return concrete.Result{Route: r, Blockers: []concrete.Blocker{{Pos: o.Pos, Text: o.Prefix.String(), Why: "it is sent when a policy accepts another route of the table"}}}
	}
	own := device.Route{Prefix: o.Prefix, Source: device.Source{Protocol: device.Local}}
	if s.Kind != device.InternalSession {
		own.ASPath = []uint32{s.LocalAS}
	}
	if o.Sent != nil {
		own = *o.Sent
	}
	return concrete.Result{Verdict: device.Accept, Route: own, Trace: []concrete.Event{{Pos: o.Pos, Step: "originate", What: "sent past every filter -> accept"}}}
}

func sender(cfg *device.Config, r device.Route, from learned) *device.Session {
	if r.Source.Protocol != device.EBGP && r.Source.Protocol != device.IBGP {
		return nil
	}
	for _, name := range []string{from.Neighbor, from.Name} {
		if name != "" {
			if s := session(cfg, name, r.Family()); s != nil {
				return s
			}
		}
	}
	return nil
}

func session(cfg *device.Config, neighbor string, f device.Family) *device.Session {
	if ss := cfg.SessionsFor(neighbor, f); len(ss) > 0 {
		return ss[0]
	}
	return nil
}

// named runs policies outside of any session: what falls off the end is not
// decided by them.
func named(cfg *device.Config, c *Case, direction string, r device.Route) (concrete.Result, string) {
	names := c.Chain
	if len(names) == 0 && c.Policy != "" {
		names = []string{c.Policy}
	}
	if len(names) == 0 {
		return concrete.Result{}, "the case names neither a neighbor nor a policy"
	}
	chain := device.Chain{Why: "the policy does not decide and there is no session"}
	for _, n := range names {
		p := cfg.Policy(n)
		if p == nil {
			return concrete.Result{}, fmt.Sprintf("policy %q is not defined", n)
		}
		chain.Policies = append(chain.Policies, p)
	}
	switch v := cfg.Defaults.For(direction == "import", r.Source.Protocol); {
	case direction == "" && v != device.Undecided:
		// Without a session or a direction the policy alone is asked: what it
		// does not accept counts as rejected.
		chain.Default, chain.Why = device.Reject, "the policy alone does not accept it"
	case v != device.Undecided:
		chain.Default, chain.Why = v, "the protocol's default"
	}
	return concrete.Chain(nil, &chain, r), ""
}
