package breaker

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// ownsAll reports whether an owner touches nothing but its own.
func (a *admission) ownsAll() bool {
	if a.p.Actor.Kind != Owner {
		return false
	}
	other := func(l Loss) bool { return l.Account != a.p.Actor.Account }
	return !slices.ContainsFunc(a.p.Losses, other) && !slices.ContainsFunc(a.p.Modifies, other) &&
		!slices.ContainsFunc(a.p.Unbinds, func(u Unbind) bool { return u.Account != a.p.Actor.Account })
}

// ownerWhileOpen lets an owner take down a few prefixes of its own an hour
// while nothing but the global scope is open.
func (a *admission) ownerWhileOpen(st scopeState) bool {
	if !a.ownsAll() || len(a.p.Unbinds) > 0 {
		return a.held(Global, st)
	}
	es := entries(a.p.Losses)
	if br := a.m.check(Scope{ScopeAccount, a.p.Actor.Account}, dimAllowance, es, a.b, nil); len(br) > 0 {
		a.held(Global, st)
		f := br[0].finding(false)
		f.Next = "wait for the window, or for the reset"
		a.d.RetryAfter = a.m.roomIn(&br[0])
		return a.refuse(f)
	}
	a.whileOpen = true
	return false
}

// owner judges an owner's own withdrawals: free within the budget, beyond it
// with the token that confirms this very change.
func (a *admission) owner() bool {
	if a.class != OwnersOwn || len(a.excused) == 0 {
		return false
	}
	es := entries(a.excused)
	for i := range es {
		es[i].weight = WeightFull
	}
	for _, br := range a.m.check(Scope{ScopeAccount, a.p.Actor.Account}, dimOwner, es, a.b, nil) {
		if !named(a.m.limits.Owner, br.ring.rung.Name) {
			continue // how much of the global windows is this owner's
		}
		token := confirmToken(a.p.Actor.Account, a.excused)
		if a.p.Confirm == token {
			break
		}
		f := br.finding(false)
		f.Next = "send the change again with the confirmation token"
		a.d.ConfirmToken = token
		a.refuse(f)
		a.d.Verdict = Confirm
		return true
	}
	return a.ownerGlobal()
}

// ownerGlobal charges owners to the long global windows. One owner alone can
// use up half of such a window, so that its own decision never stops others.
func (a *admission) ownerGlobal() bool {
	var es []entry
	mine := a.m.ledger(Scope{ScopeAccount, a.p.Actor.Account}, dimOwner)
	left := a.m.ownerShare(a.b, mine)
	for i := range a.excused {
		l := &a.excused[i]
		k := prefixKey(l.Prefix)
		if _, known := mine.known(k); !known && left[k.side()] < int64(l.Weight) {
			l.Weight = 0
			continue
		}
		left[k.side()] -= int64(l.Weight)
		es = append(es, entry{k, int64(l.Weight), l.Account})
	}
	return a.decide(a.m.check(Global, dimOwner, es, a.b, a.m.ledger(Global, dimLoss)), es)
}

// ownerShare is what an owner may still add to the long global windows, per
// family: half of the strictest one.
func (m *Model) ownerShare(b *Baseline, mine *ledger) pair {
	left := pair{1 << 40, 1 << 40}
	for _, w := range m.ledger(Global, dimOwner).rings {
		sides, total := w.rung.limit(m.frozen(Global, dimOwner, w, toPair(b.Customer)), 1000)
		used := mine.sameWindow(w.rung.Name)
		for side := range left {
			if sides[side] < 0 {
				sides[side] = total
			}
			left[side] = min(left[side], min(sides[side], total)/2-used[side])
		}
	}
	return left
}

// confirmToken is bound to the account and to the exact set of prefixes, so
// that it confirms this change and no other.
func confirmToken(account string, losses []Loss) string {
	names := make([]string, len(losses))
	for i := range losses {
		names[i] = losses[i].Prefix.String()
	}
	slices.Sort(names)
	sum := sha256.Sum256([]byte("holdfast confirm\n" + account + "\n" + strings.Join(names, "\n")))
	return hex.EncodeToString(sum[:12])
}
