package health

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Thresholds of judging. The zero value of each means its default.
type Thresholds struct {
	// AccountErrors is the error ratio at which one account's service fails, if
	// it was at least that much lower before (0.05).
	AccountErrors float64
	// CohortErrors is by how much the error ratio of the changed accounts may
	// exceed that of the unchanged ones at a site (0.01).
	CohortErrors float64
	// Drop is the share of its requests that an account may lose against before
	// (0.5).
	Drop float64
	// MinRequests is how many requests say anything (20).
	MinRequests float64
	// Silence is how long a source may say nothing (60 s).
	Silence time.Duration
	// Before is how long before the wave is compared (5 min).
	Before time.Duration
	// DarkSites is the share of sites that may be silent (0.2).
	DarkSites float64
}

func (t Thresholds) orDefault() Thresholds {
	d := Thresholds{AccountErrors: 0.05, CohortErrors: 0.01, Drop: 0.5, MinRequests: 20, Silence: time.Minute, Before: 5 * time.Minute, DarkSites: 0.2}
	for _, f := range []struct{ own, std *float64 }{{&t.AccountErrors, &d.AccountErrors}, {&t.CohortErrors, &d.CohortErrors}, {&t.Drop, &d.Drop}, {&t.MinRequests, &d.MinRequests}, {&t.DarkSites, &d.DarkSites}} {
		if *f.own <= 0 {
			*f.own = *f.std
		}
	}
	if t.Silence <= 0 {
		t.Silence = d.Silence
	}
	if t.Before <= 0 {
		t.Before = d.Before
	}
	return t
}

// Question asks about a wave.
type Question struct {
	Class string    // of change
	Since time.Time // the wave has been on the wire since
	At    time.Time // now
	// Accounts that the rollout touched so far; with All, everybody.
	Accounts []string
	All      bool
}

// Answer is the verdict with its reason.
type Answer struct {
	Verdict Verdict
	Why     string
	Account string             // that failed or is silent, if it is one
	Sites   map[string]Verdict // per site
}

// judge compares. all is every series; it is not changed.
func judge(all map[key]*series, q Question, t Thresholds) Answer {
	t = t.orDefault()
	j := judging{q: q, t: t, changed: map[string]bool{}, attacked: attacked(all, q.At), sites: map[string]*site{}, accounts: map[string]map[string]*comparison{}}
	for _, a := range q.Accounts {
		j.changed[a] = true
	}
	for k, s := range all {
		j.add(k, s)
	}
	return j.verdict()
}

// attackLasts is how long an account stays out after it was last said to be
// under attack.
const attackLasts = 5 * time.Minute

func attacked(all map[key]*series, at time.Time) map[string]bool {
	out := map[string]bool{}
	for k, s := range all {
		if !s.attack.IsZero() && at.Sub(s.attack) < attackLasts {
			out[k.account] = true
		}
	}
	return out
}

type judging struct {
	q        Question
	t        Thresholds
	changed  map[string]bool
	attacked map[string]bool
	sites    map[string]*site
	accounts map[string]map[string]*comparison // changed ones, by site
}

// comparison is one account at one site, or a cohort at one site.
type comparison struct {
	before, during total
	fresh          bool
}

func (c *comparison) add(before, during total, fresh bool) {
	c.before.add(before)
	c.during.add(during)
	c.fresh = c.fresh || fresh
}

type site struct{ changed, unchanged comparison }

func (j *judging) add(k key, s *series) {
	if j.attacked[k.account] {
		return
	}
	before, during := s.sum(j.q.Since.Add(-j.t.Before), j.q.Since), s.sum(j.q.Since, j.q.At.Add(time.Second))
	fresh := s.last.After(j.q.Since) && j.q.At.Sub(s.last) <= j.t.Silence
	if j.sites[k.site] == nil {
		j.sites[k.site] = &site{}
	}
	if !j.q.All && !j.changed[k.account] {
		j.sites[k.site].unchanged.add(before, during, fresh)
		return
	}
	if j.accounts[k.account] == nil {
		j.accounts[k.account] = map[string]*comparison{}
	}
	if j.accounts[k.account][k.site] == nil {
		j.accounts[k.account][k.site] = &comparison{}
	}
	j.accounts[k.account][k.site].add(before, during, fresh)
	j.sites[k.site].changed.add(before, during, fresh)
}

func (j *judging) verdict() Answer {
	out := Answer{Verdict: Pass, Sites: map[string]Verdict{}}
	for _, account := range slices.Sorted(maps.Keys(j.accounts)) {
		for _, name := range slices.Sorted(maps.Keys(j.accounts[account])) {
			if why := j.harmed(j.accounts[account][name], j.sites[name]); why != "" {
				out.Sites[name] = Fail
				return Answer{Verdict: Fail, Account: account, Sites: out.Sites, Why: fmt.Sprintf("account %s at site %s: %s", account, name, why)}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(j.sites)) {
		if why := j.worse(j.sites[name]); why != "" {
			out.Sites[name] = Fail
			return Answer{Verdict: Fail, Sites: out.Sites, Why: fmt.Sprintf("site %s: %s", name, why)}
		}
	}
	return j.silence(out)
}

// harmed says how one account's service got worse; a ratio that is hidden in
// the whole is not hidden here (HMD-04).
func (j *judging) harmed(c *comparison, at *site) string {
	if c.during.requests >= j.t.MinRequests && c.during.ratio() >= j.t.AccountErrors && c.during.ratio()-c.before.ratio() >= j.t.AccountErrors {
		return fmt.Sprintf("%.1f %% of its requests fail, %.1f %% did before", 100*c.during.ratio(), 100*c.before.ratio())
	}
	// Fewer requests count only if the source still speaks, and if those who
	// were not touched did not lose as many.
	if !c.fresh || c.before.requests < j.t.MinRequests || c.during.seconds < 2*bucketSeconds {
		return ""
	}
	left := c.during.rate() / c.before.rate()
	others := 1.0
	if at.unchanged.before.requests >= j.t.MinRequests {
		others = min(1, at.unchanged.during.rate()/at.unchanged.before.rate())
	}
	if left < (1-j.t.Drop)*others {
		return fmt.Sprintf("%.0f %% of its requests are left", 100*left)
	}
	return ""
}

// worse compares the cohorts of a site.
func (j *judging) worse(s *site) string {
	if s.changed.during.requests < j.t.MinRequests {
		return ""
	}
	with, against := s.unchanged.during, "the unchanged accounts"
	if with.requests < j.t.MinRequests {
		with, against = s.changed.before, "before"
	}
	if with.requests < j.t.MinRequests {
		return ""
	}
	if d := s.changed.during.ratio() - max(with.ratio(), 0); d >= j.t.CohortErrors && s.changed.during.ratio()-s.changed.before.ratio() >= j.t.CohortErrors {
		return fmt.Sprintf("%.1f %% of the changed accounts' requests fail, %.1f %% of %s", 100*s.changed.during.ratio(), 100*with.ratio(), against)
	}
	return ""
}

// silence turns a pass into no data where those who spoke before do not.
func (j *judging) silence(out Answer) Answer {
	spoke := 0
	dark := 0
	for name, s := range j.sites {
		if s.changed.before.requests == 0 && !s.changed.fresh {
			continue // nothing of the changed accounts was ever seen there
		}
		spoke++
		out.Sites[name] = Pass
		if !s.changed.fresh {
			out.Sites[name] = NoData
			dark++
		}
	}
	switch {
	case spoke == 0:
		out.Verdict, out.Why = NoData, "no sample of any changed account"
		return out
	case float64(dark) > j.t.DarkSites*float64(spoke):
		out.Verdict, out.Why = NoData, fmt.Sprintf("%d of %d sites are silent", dark, spoke)
		return out
	}
	for _, account := range slices.Sorted(maps.Keys(j.accounts)) {
		if silent(j.accounts[account]) {
			out.Verdict, out.Account, out.Why = NoData, account, "account "+account+" is silent"
			return out
		}
	}
	return out
}

// silent reports whether an account that spoke before says nothing anywhere.
func silent(sites map[string]*comparison) bool {
	spoke := false
	for _, c := range sites {
		if c.fresh {
			return false
		}
		spoke = spoke || c.before.requests > 0
	}
	return spoke
}
