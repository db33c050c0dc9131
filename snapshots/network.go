package snapshots

import (
	"fmt"
	"slices"
)

// WithNetwork is active under another configuration: neighbors, sites and
// marks are those of n; accounts, services and what is down on purpose stay.
// It is pure.
func WithNetwork(active *Snapshot, n NetworkPart) (*Snapshot, error) {
	n.Services, n.Negative = active.Network.Services, active.Network.Negative
	draft := &Snapshot{Environment: active.Environment, Accounts: slices.Clone(active.Accounts), Network: n}
	s, err := sealOver(draft, active, Expect{Environment: active.Environment})
	if err != nil {
		return nil, fmt.Errorf("with network: %w", err)
	}
	return s, nil
}
