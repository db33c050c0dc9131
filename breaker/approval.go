package breaker

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Approval lets named losses pass the limits. It is an upper bound: any subset
// of Prefixes within the window, each once, Count at most.
type Approval struct {
	ID        string
	Prefixes  []netip.Prefix // the explicit set; an empty one approves nothing
	Count     int            // 0 means all of the set
	From      time.Time      // not before
	Until     time.Time      // not after; mandatory
	Requester Actor
	Approvers []string // enrolled identities, none of them the requester
	Reason    string
}

func (a Approval) validate(need int) error {
	switch {
	case a.ID == "":
		return fmt.Errorf("breaker: approve: id: missing, name the approval")
	case len(a.Prefixes) == 0:
		return fmt.Errorf("breaker: approve %s: prefixes: an empty set approves nothing, name each prefix", a.ID)
	case a.Until.IsZero() || a.Until.Before(a.From):
		return fmt.Errorf("breaker: approve %s: until: give the window an end after its start", a.ID)
	case a.Requester.Kind == System:
		return fmt.Errorf("breaker: approve %s: requester: a system actor cannot ask for an approval", a.ID)
	case a.Count < 0 || a.Count > len(a.Prefixes):
		return fmt.Errorf("breaker: approve %s: count %d: use 0 to %d", a.ID, a.Count, len(a.Prefixes))
	}
	for _, p := range a.Prefixes {
		if FamilyOf(p) == 0 || p.Masked() != p {
			return fmt.Errorf("breaker: approve %s: prefixes: %s is no prefix without host bits", a.ID, p)
		}
	}
	if n := distinctBut(a.Approvers, a.Requester.Key); n < need {
		return fmt.Errorf("breaker: approve %s: approvers: %d of %d needed, the requester does not count", a.ID, n, need)
	}
	return nil
}

// distinctBut counts the different names that are neither empty nor one's own.
func distinctBut(names []string, own string) int {
	names = slices.Sorted(slices.Values(names))
	n := 0
	for _, name := range slices.Compact(names) {
		if name != "" && name != own {
			n++
		}
	}
	return n
}

// grant is an approval as the model keeps it: what is left of it.
type grant struct {
	left        map[key]bool
	count       int
	from, until int64
}

// covers says why the grant does not cover the losses, or "".
func (g *grant) covers(now int64, losses []Loss) string {
	switch {
	case g == nil:
		return "is not known: it was never given, or revoked"
	case now < g.from:
		return "is not valid yet"
	case now > g.until:
		return "has expired"
	case len(losses) > g.count:
		return fmt.Sprintf("has %d prefixes left and the change loses %d", g.count, len(losses))
	}
	for i := range losses {
		if !g.left[prefixKey(losses[i].Prefix)] {
			return fmt.Sprintf("does not name %s, or it was used already", losses[i].Prefix)
		}
	}
	return ""
}

// Covering finds an approval that covers the loss of all of these, "" if there
// is none: for changes that nobody asks for by hand, as a new configuration.
func (b *Breaker) Covering(prefixes []netip.Prefix, at time.Time) string {
	if err := b.enter(context.Background()); err != nil {
		return ""
	}
	defer b.leave()
	b.m.clock(b.clock(at))
	return b.m.covering(prefixes)
}

func (m *Model) covering(prefixes []netip.Prefix) string {
	losses := make([]Loss, len(prefixes))
	for i, p := range prefixes {
		losses[i].Prefix = p
	}
	for _, id := range sortedKeys(m.grants) {
		if m.grants[id].covers(m.now, losses) == "" {
			return id
		}
	}
	return ""
}
