package addressing

import (
	"context"
	"net/netip"
	"slices"
	"strings"
)

// detail loads one prefix with everything around it.
func detail(tx ReadTx, id string) (PrefixDetail, error) {
	p, err := tx.Prefix(id)
	if err != nil {
		return PrefixDetail{}, err
	}
	d := PrefixDetail{Prefix: p}
	if d.Account, err = tx.Account(p.AccountID); err != nil {
		return PrefixDetail{}, err
	}
	if d.BGP, err = tx.BGPPrefixesOf(id); err != nil {
		return PrefixDetail{}, err
	}
	if d.Bindings, err = tx.BindingsOf(id); err != nil {
		return PrefixDetail{}, err
	}
	over, err := tx.IntentsOver(p.CIDR)
	for _, n := range over {
		if n.AccountID == p.AccountID {
			d.Negative = append(d.Negative, n)
		}
	}
	return d, err
}

// details loads the prefixes in scope that keep says yes to (all if nil), with
// everything around them, in four reads whatever their number. The result is
// sorted by CIDR.
func details(tx ReadTx, s Scope, keep func(Prefix) bool) ([]PrefixDetail, error) {
	prefixes, err := tx.Prefixes(s)
	if err != nil {
		return nil, err
	}
	accounts, err := tx.Accounts(s)
	if err != nil {
		return nil, err
	}
	routes, err := tx.BGPPrefixes(s)
	if err != nil {
		return nil, err
	}
	bindings, err := tx.Bindings(s)
	if err != nil {
		return nil, err
	}
	intents, err := tx.Intents(s)
	if err != nil {
		return nil, err
	}
	return join(prefixes, accounts, routes, bindings, intents, keep), nil
}

func join(prefixes []Prefix, accounts []Account, routes []BGPPrefix, bindings []Binding, intents []NegativeIntent, keep func(Prefix) bool) []PrefixDetail {
	owner := make(map[string]Account, len(accounts))
	for _, a := range accounts {
		owner[a.ID] = a
	}
	out := make([]PrefixDetail, 0, len(prefixes))
	place := make(map[string]int, len(prefixes))
	for _, p := range prefixes {
		if keep == nil || keep(p) {
			place[p.ID] = len(out)
			out = append(out, PrefixDetail{Prefix: p, Account: owner[p.AccountID]})
		}
	}
	for _, b := range routes {
		if i, ok := place[b.PrefixID]; ok {
			out[i].BGP = append(out[i].BGP, b)
		}
	}
	for _, b := range bindings {
		if i, ok := place[b.PrefixID]; ok {
			out[i].Bindings = append(out[i].Bindings, b)
		}
	}
	down := map[string]*intentIndex{}
	for _, n := range intents {
		if down[n.AccountID] == nil {
			down[n.AccountID] = &intentIndex{}
		}
		down[n.AccountID].add(n)
	}
	for _, x := range down {
		x.sort()
	}
	for i := range out {
		if x := down[out[i].AccountID]; x != nil {
			out[i].Negative = x.over(out[i].CIDR)
		}
	}
	slices.SortFunc(out, func(a, b PrefixDetail) int {
		if c := ComparePrefix(a.CIDR, b.CIDR); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// intentIndex finds the negative intents of one account over a prefix, at a
// cost that follows the answer and not their number.
type intentIndex struct {
	exact  map[netip.Prefix][]NegativeIntent
	sorted []netip.Prefix // keys of exact
}

func (x *intentIndex) add(n NegativeIntent) {
	if !n.CIDR.IsValid() {
		return
	}
	if x.exact == nil {
		x.exact = map[netip.Prefix][]NegativeIntent{}
	}
	if _, there := x.exact[n.CIDR]; !there {
		x.sorted = append(x.sorted, n.CIDR)
	}
	x.exact[n.CIDR] = append(x.exact[n.CIDR], n)
}

func (x *intentIndex) sort() { slices.SortFunc(x.sorted, ComparePrefix) }

func (x *intentIndex) over(p netip.Prefix) []NegativeIntent {
	var out []NegativeIntent
	for bits := p.Bits() - 1; bits >= 0; bits-- { // those that contain p
		out = append(out, x.exact[netip.PrefixFrom(p.Addr(), bits).Masked()]...)
	}
	i, _ := slices.BinarySearchFunc(x.sorted, p, ComparePrefix)
	for ; i < len(x.sorted) && contains(p, x.sorted[i]); i++ { // p and those inside it
		out = append(out, x.exact[x.sorted[i]]...)
	}
	slices.SortFunc(out, func(a, b NegativeIntent) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// read runs one read-only use case.
func read[T any](ctx context.Context, r *Registry, op string, fn func(ReadTx) (T, error)) (T, error) {
	var out T
	err := r.store.View(ctx, func(tx ReadTx) error {
		var err error
		out, err = fn(tx)
		return err
	})
	if err != nil {
		var none T
		return none, inOp(op, err)
	}
	return out, nil
}

// inScope finds a prefix that may be seen: in scope, and pending or approved.
// Everything else does not exist for the caller.
func inScope(tx ReadTx, s Scope, id string) (PrefixDetail, error) {
	d, err := detail(tx, id)
	if err != nil {
		return PrefixDetail{}, err
	}
	if !s.Includes(d.AccountID) || !d.State.Visible() {
		return PrefixDetail{}, missing("prefix", id)
	}
	return d, nil
}

// missing is the error of an object that is not there or not in scope: the
// two must not be told apart from outside.
func missing(noun, id string) *Error {
	e := &Error{Code: CodeNotFound, Detail: "no " + noun + " with id " + quoted(id), Number: 1000, Message: "not_found"}
	if noun == "BGP prefix" || noun == "binding" {
		e.Number = 1002 // Cloudflare counts these apart from prefixes
	}
	return e
}

// Missing is the error a Store gives for an object that is not there.
func Missing(noun, id string) error { return missing(noun, id) }

// quoted keeps an id from outside short and printable in messages.
func quoted(id string) string {
	const most = 40
	if len(id) > most {
		id = id[:most] + "..."
	}
	return strings.ToValidUTF8(strings.Map(printable, id), "?")
}

func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return '?'
	}
	return r
}
