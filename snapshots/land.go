package snapshots

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// land is every prefix there is and whose it is, in the order of addresses: a
// prefix comes right before what lies within it.
type land []plot

type plot struct {
	cidr    netip.Prefix
	account string
}

func comparePlot(a, b plot) int {
	return cmp.Or(addressing.ComparePrefix(a.cidr, b.cidr), cmp.Compare(a.account, b.account))
}

func landOf(parts []AccountPart) land {
	n := 0
	for i := range parts {
		n += len(parts[i].Prefixes)
	}
	out := make(land, 0, n)
	for i := range parts {
		for j := range parts[i].Prefixes {
			out = append(out, plot{parts[i].Prefixes[j].CIDR, parts[i].Account})
		}
	}
	slices.SortFunc(out, comparePlot)
	return out
}

// replace is the land without that of the accounts, which are sorted, and with
// what they hold now. It sorts only that.
func (l land) replace(accounts []string, now []AccountPart) land {
	fresh := landOf(now)
	out := make(land, 0, len(l)+len(fresh))
	for _, p := range l {
		for len(fresh) > 0 && comparePlot(fresh[0], p) < 0 {
			out, fresh = append(out, fresh[0]), fresh[1:]
		}
		if _, gone := slices.BinarySearch(accounts, p.account); !gone {
			out = append(out, p)
		}
	}
	return append(out, fresh...)
}

// check wants no prefix of one account to overlap one of another. Prefixes nest
// or are disjoint, so those around one form a stack.
func (l land) check(bad *Invalid) {
	var open []plot
	for _, p := range l {
		for len(open) > 0 && !within(p.cidr, open[len(open)-1].cidr) {
			open = open[:len(open)-1]
		}
		if len(open) > 0 && open[len(open)-1].account != p.account {
			other := open[len(open)-1]
			bad.addProblem(Problem{Rule: "overlap", Account: p.account, Prefix: p.cidr.String(), With: other.account, Detail: fmt.Sprintf("overlaps %s of account %s", other.cidr, other.account)})
		}
		open = append(open, p)
	}
}
