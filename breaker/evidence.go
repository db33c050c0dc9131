package breaker

import (
	"net/netip"
	"slices"
	"time"
)

// Evidence is what the breaker knows about a scope: what was lost, by whom,
// whose it is. The daemon adds the requests, the graph, the plan and the
// snapshots.
type Evidence struct {
	Scope    ScopeStatus       `json:"scope"`
	Rule     string            `json:"rule"`
	Windows  []Window          `json:"windows"`
	Actors   []Tally           `json:"actors"`   // most losses first
	Accounts []AccountEvidence `json:"accounts"` // most losses first
}

// Window is how full one limit is.
type Window struct {
	Rule  string `json:"rule"`
	Used  int    `json:"used"`
	Limit int    `json:"limit"` // over both families, or of the fuller one where each is judged alone
}

// Tally counts the losses of one name.
type Tally struct {
	Name   string `json:"name"`
	Losses int    `json:"losses"`
}

// AccountEvidence is what one account has lost and not got back: what its
// notice says.
type AccountEvidence struct {
	Account  string         `json:"account"`
	Prefixes []netip.Prefix `json:"prefixes"`
	Actors   []string       `json:"actors"`
	Since    time.Time      `json:"since"` // of the first one
}

// Evidence gathers what is known about a scope now. Of losses it has those in
// the scope's windows that nobody restored.
func (m *Model) Evidence(s Scope) Evidence {
	e := Evidence{Scope: m.status(s), Rule: m.state(s).rule}
	if !m.ready {
		return e
	}
	l := m.ledger(lossesOf(s), dimLoss)
	for _, w := range l.rings {
		e.Windows = append(e.Windows, w.full(m.frozen(lossesOf(s), dimLoss, w, w.frozen(pair{})), m.factor(s)))
	}
	actors, accounts := map[string]int{}, map[string]*AccountEvidence{}
	l.each(func(k key, mk mark) {
		if mk.restored || k.family() == 0 || k.meta>>32 != 0 {
			return
		}
		actor, account := m.names[mk.actor], m.names[mk.account]
		actors[actor]++
		a := accounts[account]
		if a == nil {
			a = &AccountEvidence{Account: account, Since: time.UnixMilli(mk.at).UTC()}
			accounts[account] = a
		}
		a.Prefixes = append(a.Prefixes, k.prefix())
		if !slices.Contains(a.Actors, actor) {
			a.Actors = append(a.Actors, actor)
		}
		if t := time.UnixMilli(mk.at).UTC(); t.Before(a.Since) {
			a.Since = t
		}
	})
	for _, name := range sortedKeys(actors) {
		e.Actors = append(e.Actors, Tally{name, actors[name]})
	}
	for _, name := range sortedKeys(accounts) {
		a := accounts[name]
		slices.SortFunc(a.Prefixes, netip.Prefix.Compare)
		slices.Sort(a.Actors)
		e.Accounts = append(e.Accounts, *a)
	}
	slices.SortStableFunc(e.Actors, func(a, b Tally) int { return b.Losses - a.Losses })
	slices.SortStableFunc(e.Accounts, func(a, b AccountEvidence) int { return len(b.Prefixes) - len(a.Prefixes) })
	return e
}

// full is how full a window is.
func (w *ring) full(den pair, factor int) Window {
	sides, used := pair{}, w.sum.total()
	var limit int64
	if sides, limit = w.rung.limit(den, factor); limit < 0 {
		side := 0
		if w.sum[1]*max(1, sides[0]) > w.sum[0]*max(1, sides[1]) {
			side = 1
		}
		used, limit = w.sum[side], sides[side]
	}
	return Window{Rule: w.rung.Name, Used: whole(used), Limit: whole(max(0, limit))}
}

// lossesOf is the scope whose ledger holds a scope's losses.
func lossesOf(s Scope) Scope {
	if s.Kind.Valid() {
		return s
	}
	return Global
}
