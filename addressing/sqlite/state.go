package sqlite

import (
	"cmp"
	"context"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// State is everything, as of one moment.
func (s *Store) State(ctx context.Context) (addressing.State, error) {
	var out addressing.State
	err := s.View(ctx, func(r addressing.ReadTx) error {
		var err error
		out, err = r.(*tx).state()
		return err
	})
	if err != nil {
		return addressing.State{}, err
	}
	return out, nil
}

func (t *tx) state() (st addressing.State, err error) {
	every := addressing.EveryAccount()
	head, err := t.AuditHead()
	if err != nil {
		return st, err
	}
	st.Version = head.Seq
	if st.Accounts, err = t.Accounts(every); err != nil {
		return st, err
	}
	if st.Services, err = t.Services(); err != nil {
		return st, err
	}
	if st.Negative, err = t.Intents(every); err != nil {
		return st, err
	}
	if st.Prefixes, err = list(t, "prefix", scanPrefix, "SELECT "+prefixColumns+" FROM prefixes WHERE state <> 'tombstone'"); err != nil {
		return st, err
	}
	sortPrefixes(st.Prefixes)
	const alive = " b LEFT JOIN prefixes p ON p.id = b.prefix_id WHERE p.state IS NOT 'tombstone'"
	// LEFT JOIN: a row whose prefix was deleted behind our back must show up,
	// so that the build is refused and not quietly smaller.
	if st.BGPPrefixes, err = t.bgpPrefixes("SELECT " + bgpPrefixColumns + " FROM bgp_prefixes" + alive); err != nil {
		return st, err
	}
	st.Bindings, err = t.bindings("SELECT " + bindingColumns + " FROM bindings" + alive)
	return st, err
}

func sortPrefixes(all []addressing.Prefix) {
	slices.SortFunc(all, func(a, b addressing.Prefix) int {
		return cmp.Or(addressing.ComparePrefix(a.CIDR, b.CIDR), cmp.Compare(a.ID, b.ID))
	})
}

func sortBGPPrefixes(all []addressing.BGPPrefix) {
	slices.SortFunc(all, func(a, b addressing.BGPPrefix) int {
		return cmp.Or(cmp.Compare(a.PrefixID, b.PrefixID), addressing.ComparePrefix(a.CIDR, b.CIDR), cmp.Compare(a.ID, b.ID))
	})
}

func sortBindings(all []addressing.Binding) {
	slices.SortFunc(all, func(a, b addressing.Binding) int {
		return cmp.Or(cmp.Compare(a.PrefixID, b.PrefixID), addressing.ComparePrefix(a.CIDR, b.CIDR), cmp.Compare(a.ID, b.ID))
	})
}

func sortByID[T any](all []T, id func(T) string) {
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(id(a), id(b)) })
}
