package symbolic

import (
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/symbolic/bdd"
)

// maxDepth bounds calls between policies, which may be circular.
const maxDepth = 32

// run walks the pipelines of one session.
type run struct {
	u       *Universe
	session *device.Session
	depth   int
	step    int
	sites   *[]Site // where routes were accepted, nil when nobody asks
}

// Site is a place that accepts routes: a term, or the end of a chain.
type Site struct {
	Step   int    // of the pipeline
	Policy string // empty at the end of a chain
	Term   *device.Term
	Pos    device.Pos
	Why    string   // at the end of a chain: where the default comes from
	Must   bdd.Node // routes, as received, that this place accepts
	May    bdd.Node // and that it may accept
}

// Default reports whether no term accepted.
func (s *Site) Default() bool { return s.Term == nil }

// Decision is what a session advertises: sets of routes as received.
type Decision struct {
	Must  bdd.Node // certainly accepted by every step
	May   bdd.Node // possibly
	Sites []Site
	end   *state
}

// Export runs the export pipeline of a session, which was among the inputs, on
// every route of every source.
func (u *Universe) Export(s *device.Session) (*Decision, error) {
	return u.decide(s, u.start)
}

// ExportBefore is the same of an earlier state of the router: routes passed the
// sessions Before of the inputs.
func (u *Universe) ExportBefore(s *device.Session) (*Decision, error) {
	return u.decide(s, u.before)
}

// Imported is what a source's import pipeline accepts.
func (u *Universe) Imported(i int) *Decision {
	return decision(u.arrived[i])
}

func decision(st *state) *Decision {
	if st == nil {
		return &Decision{}
	}
	return &Decision{Must: st.reach.must, May: st.reach.may, end: st}
}

func (u *Universe) decide(s *device.Session, st *state) (*Decision, error) {
	var sites []Site
	r := run{u: u, session: s, sites: &sites}
	st = r.pipeline(&s.Export, st)
	d := decision(st)
	d.Sites = sites
	return d, u.check()
}

// CarriedAfter is the set of accepted routes that may leave without a community
// and of those that may leave with it.
func (u *Universe) CarriedAfter(d *Decision, v device.Community) (without, with bdd.Node) {
	if d.end == nil {
		return bdd.False, bdd.False
	}
	c := u.kinds[v.Kind]
	at, ok := c.atomAt[v.Text]
	if !ok {
		return d.May, bdd.False
	}
	has := d.end.carries[c.first+at]
	return u.arena.Diff(d.May, has.must), u.arena.And(d.May, has.may)
}

// pipeline runs the steps: each has to accept.
func (r *run) pipeline(p *device.Pipeline, st *state) *state {
	if len(p.Steps) == 0 {
		return nil
	}
	for i := range p.Steps {
		if st == nil {
			return nil
		}
		r.step = i
		st = r.chain(&p.Steps[i].Chain, st).accept
	}
	return st
}

// ends is how a walk through terms ended.
type ends struct {
	accept *state
	reject *state
	left   [3]*state          // fell off or left for the next policy, by the default that was set
	jumps  map[int]*[3]*state // on their way to a later term
}

func (e *ends) add(u *Universe, o *ends) {
	e.accept, e.reject = u.join(e.accept, o.accept), u.join(e.reject, o.reject)
}

func (r *run) chain(c *device.Chain, st *state) *ends {
	out := &ends{}
	if r.depth >= maxDepth {
		r.undecided(st, out)
		return out
	}
	r.depth++
	defer func() { r.depth-- }()
	open := [3]*state{device.Undecided: st}
	for _, p := range c.Policies {
		var walked ends
		r.terms(p, p.Terms, open, &walked)
		out.add(r.u, &walked)
		open = walked.left
	}
	for pending, st := range open {
		if st == nil {
			continue
		}
		v, why := c.Default, c.Why
		if device.Verdict(pending) != device.Undecided {
			v, why = device.Verdict(pending), "the last default that was set"
		}
		r.finish(v, st, out, Site{Pos: c.Pos, Why: why})
	}
	return out
}

// finish files a state under its verdict.
func (r *run) finish(v device.Verdict, st *state, out *ends, site Site) {
	switch v {
	case device.Accept:
		out.accept = r.u.join(out.accept, st)
		r.site(site, st.reach)
	case device.Reject:
		out.reject = r.u.join(out.reject, st)
	default:
		r.undecided(st, out)
		r.site(site, truth{bdd.False, st.reach.may})
	}
}

// undecided routes may be accepted and may be rejected.
func (r *run) undecided(st *state, out *ends) {
	if st == nil {
		return
	}
	doubt := st.at(truth{bdd.False, st.reach.may})
	out.accept, out.reject = r.u.join(out.accept, doubt), r.u.join(out.reject, doubt)
}

// site notes an accepting place of the session's own chains.
func (r *run) site(s Site, reach truth) {
	if r.sites == nil || r.depth != 1 {
		return
	}
	s.Step, s.Must, s.May = r.step, reach.must, reach.may
	*r.sites = append(*r.sites, s)
}

func (r *run) terms(p *device.Policy, ts []*device.Term, in [3]*state, out *ends) {
	open := map[int]*[3]*state{0: &in}
	for i, t := range ts {
		here := open[i]
		delete(open, i)
		if here == nil {
			continue
		}
		for pending, st := range here {
			if st == nil {
				continue
			}
			o := r.term(p, t, st, device.Verdict(pending))
			out.add(r.u, &o.ends)
			r.joinAll(&out.left, &o.left)
			r.joinAt(open, i+1, &o.next)
			for to, states := range o.jumps {
				if to <= i {
					// Backward jumps are refused by every dialect; never loop.
					for _, st := range states {
						r.undecided(st, out)
					}
					continue
				}
				r.joinAt(open, min(to, len(ts)), states)
			}
		}
	}
	if end := open[len(ts)]; end != nil {
		r.joinAll(&out.left, end)
	}
}

func (r *run) joinAll(to, from *[3]*state) {
	for i := range from {
		to[i] = r.u.join(to[i], from[i])
	}
}

func (r *run) joinAt(open map[int]*[3]*state, i int, from *[3]*state) {
	if open[i] == nil {
		open[i] = &[3]*state{}
	}
	r.joinAll(open[i], from)
}

// outcome of a term: next are the states that go on with the term after it.
type outcome struct {
	ends
	next [3]*state
}

func (o *outcome) jump(r *run, to int, pending device.Verdict, st *state) {
	if o.jumps == nil {
		o.jumps = map[int]*[3]*state{}
	}
	one := [3]*state{}
	one[pending] = st
	r.joinAt(o.jumps, to, &one)
}

func (o *outcome) absorb(r *run, other *outcome) {
	o.add(r.u, &other.ends)
	r.joinAll(&o.left, &other.left)
	for to, states := range other.jumps {
		for pending, st := range states {
			if st != nil {
				o.jump(r, to, device.Verdict(pending), st)
			}
		}
	}
}

func (r *run) term(p *device.Policy, t *device.Term, st *state, pending device.Verdict) outcome {
	var out outcome
	if t.Inactive {
		out.next[pending] = st
		return out
	}
	match := r.truth(t.Match, st)
	if hit := r.u.within(st, match); hit != nil {
		o := r.apply(p, t, hit, pending)
		out.absorb(r, &o)
		r.joinAll(&out.next, &o.next)
	}
	if miss := r.u.within(st, r.u.not(match)); miss != nil {
		o := r.nested(p, t.Else, miss, pending)
		out.absorb(r, &o)
		r.joinAll(&out.next, &o.next)
	}
	return out
}

// apply runs the actions, the body and the disposition of a term that matched.
func (r *run) apply(p *device.Policy, t *device.Term, st *state, pending device.Verdict) outcome {
	var out outcome
	st = st.clone()
	for _, a := range t.Actions {
		call, ok := a.(*device.Call)
		if !ok {
			r.act(a, st)
			continue
		}
		ended := r.chain(&call.Chain, st)
		if ended.reject != nil {
			// What the called policies changed before they rejected is lost.
			r.dispose(p, t, call.OnReject, st.at(ended.reject.reach), pending, &out)
		}
		if ended.accept == nil {
			return out
		}
		st = ended.accept.clone()
	}
	if len(t.Body) == 0 {
		r.dispose(p, t, t.Then, st, pending, &out)
		return out
	}
	body := r.nested(p, t.Body, st, pending)
	out.absorb(r, &body)
	for pending, st := range body.next {
		if st != nil {
			r.dispose(p, t, t.Then, st, device.Verdict(pending), &out)
		}
	}
	return out
}

// nested walks nested terms; what falls off their end goes on after the block.
func (r *run) nested(p *device.Policy, ts []*device.Term, st *state, pending device.Verdict) outcome {
	var out outcome
	open := [3]*state{}
	open[pending] = st
	for _, t := range ts {
		var next [3]*state
		for pending, st := range open {
			if st == nil {
				continue
			}
			o := r.term(p, t, st, device.Verdict(pending))
			for _, states := range o.jumps {
				// Only programs nest, and programs have no jumps.
				for _, st := range states {
					r.undecided(st, &out.ends)
				}
			}
			o.jumps = nil
			out.absorb(r, &o)
			r.joinAll(&next, &o.next)
		}
		open = next
	}
	out.next = open
	return out
}

func (r *run) dispose(p *device.Policy, t *device.Term, d device.Disposition, st *state, pending device.Verdict, out *outcome) {
	if st == nil {
		return
	}
	if d.Default != device.Undecided {
		pending = d.Default
	}
	site := Site{Policy: p.Name, Term: t, Pos: t.Pos}
	switch d.Flow {
	case device.AcceptRoute:
		r.finish(device.Accept, st, &out.ends, site)
	case device.RejectRoute:
		r.finish(device.Reject, st, &out.ends, site)
	case device.NextPolicy:
		out.left[pending] = r.u.join(out.left[pending], st)
	case device.Goto:
		out.jump(r, d.Target, pending, st)
	case device.DecideMaybe:
		r.finish(device.Undecided, st, &out.ends, site)
	default:
		out.next[pending] = r.u.join(out.next[pending], st)
	}
}
