package snapshots

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Builder builds one snapshot after another and shares with the one before
// every account that did not change: the part in memory, its hash and its
// counts. The zero Builder is ready. It is not safe for concurrent use.
type Builder struct {
	Limits Limits // zero means DefaultLimits

	last  *Snapshot
	since addressing.Revision // of the state that last was built from; zero if that is not known
	land  land                // of last; nil until it is needed
}

// NewBuilder returns a Builder that starts from a snapshot that is known
// already; base may be nil.
func NewBuilder(base *Snapshot, limits Limits) *Builder { return &Builder{Limits: limits, last: base} }

// Build is like the function Build, on the shoulders of the last snapshot.
func (b *Builder) Build(state addressing.State, network NetworkPart, environment string, at time.Time) (*Snapshot, error) {
	draft := &Snapshot{Environment: environment}
	var err error
	if draft.Accounts, draft.Network, err = assemble(state, network, at, b.last); err != nil {
		return nil, fmt.Errorf("build snapshot: %w", err)
	}
	s, err := sealOver(draft, b.last, Expect{Environment: environment, Limits: b.Limits})
	if err != nil {
		return nil, fmt.Errorf("build snapshot: %w", err)
	}
	b.last, b.since, b.land = s, addressing.Revision{}, nil
	return s, nil
}

// Since is what to read of desired state for the next Update: what changed
// since a Revision, and the accounts that change by time alone.
func (b *Builder) Since(at time.Time) (r addressing.Revision, also []string) {
	if b.last == nil || b.since == (addressing.Revision{}) {
		return addressing.Revision{}, nil
	}
	for i := range b.last.Accounts {
		if turn := b.last.Tally(i).turn; turn != 0 && turn <= at.Unix() {
			also = append(also, b.last.Accounts[i].Account)
		}
	}
	return b.since, also
}

// Update is Build, from what has changed since the last Update. It gives the
// snapshot that Build gives of all of desired state, at a cost that follows
// the change; what it cannot build is read and tried again with the next one.
// The Delta must be what was asked for by Since.
func (b *Builder) Update(d addressing.Delta, network NetworkPart, environment string, at time.Time) (*Snapshot, error) {
	if d.Whole || b.last == nil || b.since == (addressing.Revision{}) {
		if !d.Whole {
			return nil, fmt.Errorf("build snapshot: what has changed is known, and not since when: read all of desired state")
		}
		s, err := b.Build(d.State, network, environment, at)
		if err == nil {
			b.since = d.Revision
		}
		return s, err
	}
	changed, draftNetwork, err := assemble(d.State, network, at, b.last)
	if err != nil {
		return nil, fmt.Errorf("build snapshot: %w", err)
	}
	draft := &Snapshot{Environment: environment, Network: draftNetwork, Accounts: replaceParts(b.last.Accounts, d.Accounts, changed)}
	next := b.land
	if !b.sameLand(d.Accounts, changed) {
		if next == nil {
			next = landOf(b.last.Accounts)
		}
		next = next.replace(d.Accounts, changed)
	}
	s, err := sealOn(draft, b.last, next, Expect{Environment: environment, Limits: b.Limits})
	if err != nil {
		return nil, fmt.Errorf("build snapshot: %w", err)
	}
	b.last, b.since, b.land = s, d.Revision, next
	return s, nil
}

// sameLand reports whether the changed accounts hold the prefixes that they
// held before.
func (b *Builder) sameLand(accounts []string, changed []AccountPart) bool {
	held := 0
	for _, id := range accounts {
		if was, there := b.last.Account(id); there && len(was.Prefixes) > 0 {
			held++
		}
	}
	for i := range changed {
		was, there := b.last.Account(changed[i].Account)
		switch {
		case there && len(was.Prefixes) > 0:
			if held--; !sameCIDRs(was, &changed[i]) {
				return false
			}
		case len(changed[i].Prefixes) > 0:
			return false
		}
	}
	return held == 0
}

// replaceParts is the parts without the accounts, and with what they are now.
// All three lists are sorted.
func replaceParts(parts []AccountPart, accounts []string, now []AccountPart) []AccountPart {
	out := make([]AccountPart, 0, len(parts)+len(now))
	i := 0
	for _, id := range accounts {
		at, found := slices.BinarySearchFunc(parts[i:], id, func(p AccountPart, id string) int { return cmp.Compare(p.Account, id) })
		out = append(out, parts[i:i+at]...)
		if i += at; found {
			i++
		}
		for len(now) > 0 && now[0].Account <= id {
			out, now = append(out, now[0]), now[1:]
		}
	}
	return append(append(out, parts[i:]...), now...)
}
