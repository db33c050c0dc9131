package snapshots

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Apart is an account that desired state has in a form that no speaker would
// accept, and why. Its part stays as the active snapshot has it; everybody
// else's is built.
type Apart struct {
	Account  string    `json:"account"` // empty: rows that belong to no account that is known
	Problems []Problem `json:"problems"`
}

const (
	apartRounds = 12 // an Invalid names at most maxProblems at a time
)

// mostApart is how many of n accounts can be set apart. More is a broken database
// and not a broken account: it is refused whole.
func mostApart(n int) int { return max(1, min(max(3, n/20), n/4)) }

// BuildApart is BuildOver for a state of which single accounts are invalid: they
// are left as active has them and named. hold names accounts that are left so
// whatever they are. Of two accounts that claim the same addresses the newer
// claim loses. If the fault lies with no account, or with too many, the error is
// that of BuildOver. It is pure.
func BuildApart(active *Snapshot, state addressing.State, network NetworkPart, environment string, at time.Time, limits Limits, hold []string) (*Snapshot, []Apart, error) {
	if active == nil {
		active = &Snapshot{Environment: environment}
	}
	a := apart{active: active, whole: state, state: state, found: map[string]*Apart{}}
	var last error
	for range apartRounds {
		next, err := BuildOver(active, a.state, network, environment, at, limits)
		if err == nil {
			next, err = HoldAccounts(active, next, func(account string) bool { return a.found[account] != nil || slices.Contains(hold, account) })
		}
		if err == nil {
			return next, a.list(), nil
		}
		if last == nil {
			last = err
		}
		var bad *Invalid
		if !errors.As(err, &bad) || !a.setApart(bad) || len(a.found) > mostApart(max(len(state.Accounts), len(active.Accounts))) {
			return nil, nil, last
		}
	}
	return nil, nil, last
}

// HoldAccounts is next with the parts of the held accounts as active has them.
func HoldAccounts(active, next *Snapshot, held func(string) bool) (*Snapshot, error) {
	if active == nil {
		active = &Snapshot{}
	}
	draft := &Snapshot{Environment: next.Environment, Network: next.Network}
	for i := range next.Accounts {
		if !held(next.Accounts[i].Account) {
			draft.Accounts = append(draft.Accounts, next.Accounts[i])
		}
	}
	for i := range active.Accounts {
		if held(active.Accounts[i].Account) {
			draft.Accounts = append(draft.Accounts, active.Accounts[i])
		}
	}
	slices.SortFunc(draft.Accounts, func(a, b AccountPart) int { return compareString(a.Account, b.Account) })
	draft.Network.Services = olderServices(active, next, draft)
	return sealOver(draft, next, Expect{Environment: next.Environment})
}

type apart struct {
	active       *Snapshot
	whole, state addressing.State // as it is, and without what is set apart
	found        map[string]*Apart
}

func (a *apart) list() []Apart {
	out := make([]Apart, 0, len(a.found))
	for _, f := range a.found {
		out = append(out, *f)
	}
	slices.SortFunc(out, func(x, y Apart) int { return compareString(x.Account, y.Account) })
	return out
}

// setApart finds who is at fault and leaves their rows out. It is false if the
// fault is nobody's, or if nothing new was found.
func (a *apart) setApart(bad *Invalid) bool {
	news, now := false, map[string]bool{}
	for _, p := range bad.Problems {
		switch {
		case now[p.Account], now[p.With] && p.With != "":
			// One of the two is out already, and the other one's claim may stand.
		case p.Rule == "reference.prefix" && p.Account == "":
			news = a.orphans() || news
		case p.Account == "":
			return false
		case p.With != "":
			for _, account := range a.newer(p) {
				news = a.add(account, p) || news
				now[account] = true
			}
		default:
			news = a.add(p.Account, p) || news
		}
	}
	a.state = a.without()
	return news
}

func (a *apart) add(account string, p Problem) (news bool) {
	f := a.found[account]
	if f == nil {
		f, news = &Apart{Account: account}, true
		a.found[account] = f
	}
	if len(f.Problems) < maxProblems {
		f.Problems = append(f.Problems, p)
	}
	return news
}

// orphans sets apart the accounts whose prefixes are gone from under their BGP
// prefixes or bindings.
func (a *apart) orphans() (news bool) {
	owner, live := map[string]string{}, map[string]bool{}
	for i := range a.active.Accounts {
		for _, rec := range a.active.Accounts[i].Prefixes {
			owner[rec.ID] = a.active.Accounts[i].Account
		}
	}
	for _, p := range a.state.Prefixes {
		live[p.ID] = p.State != addressing.Tombstone
	}
	say := func(prefix, cidr, what string) {
		account := owner[prefix]
		news = a.add(account, Problem{Rule: "reference.prefix", Account: account, Prefix: cidr, Detail: what + " belongs to a prefix that does not exist"}) || news
	}
	for _, b := range a.state.BGPPrefixes {
		if !live[b.PrefixID] {
			say(b.PrefixID, b.CIDR.String(), "BGP prefix "+b.ID)
		}
	}
	for _, b := range a.state.Bindings {
		if !live[b.PrefixID] {
			say(b.PrefixID, b.CIDR.String(), "binding "+b.ID)
		}
	}
	return news
}

// newer is who of two accounts claimed addresses that the other one had. Both
// are, if that cannot be told.
func (a *apart) newer(p Problem) []string {
	cidr, err := addressing.ParsePrefix(p.Prefix)
	if err != nil {
		return []string{p.Account, p.With}
	}
	oldA, atA := a.claim(p.Account, cidr)
	oldB, atB := a.claim(p.With, cidr)
	switch {
	case oldA && !oldB:
		return []string{p.With}
	case oldB && !oldA:
		return []string{p.Account}
	case atA.After(atB):
		return []string{p.Account}
	case atB.After(atA):
		return []string{p.With}
	}
	return []string{p.Account, p.With}
}

// claim is whether the active snapshot has an account's prefixes that overlap p,
// and when the newest of them was made.
func (a *apart) claim(account string, p netip.Prefix) (old bool, at time.Time) {
	part, _ := a.active.Account(account)
	if old = a.found[account] != nil; part != nil { // held as it is in active
		old = old || slices.ContainsFunc(part.Prefixes, func(r PrefixRecord) bool { return r.CIDR.Overlaps(p) })
	}
	for _, have := range a.whole.Prefixes {
		if have.AccountID == account && have.CIDR.Overlaps(p) && have.CreatedAt.After(at) {
			at = have.CreatedAt
		}
	}
	return old, at
}

// without is the state without the rows of the accounts that are set apart, and
// without rows of no prefix.
func (a *apart) without() addressing.State {
	out := a.whole
	out.Prefixes, out.BGPPrefixes, out.Bindings, out.Negative = nil, nil, nil, nil
	live := map[string]bool{}
	for _, p := range a.whole.Prefixes {
		if a.found[p.AccountID] == nil {
			out.Prefixes = append(out.Prefixes, p)
			live[p.ID] = p.State != addressing.Tombstone
		}
	}
	for _, b := range a.whole.BGPPrefixes {
		if live[b.PrefixID] {
			out.BGPPrefixes = append(out.BGPPrefixes, b)
		}
	}
	for _, b := range a.whole.Bindings {
		if live[b.PrefixID] {
			out.Bindings = append(out.Bindings, b)
		}
	}
	for _, n := range a.whole.Negative {
		if n.AccountID == "" || a.found[n.AccountID] == nil {
			out.Negative = append(out.Negative, n)
		}
	}
	return out
}
