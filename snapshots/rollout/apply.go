package rollout

import (
	"context"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// applyTo hands the Target of a generation to the speaker: the neighbors that
// the snapshot and the configuration both know. One that the two describe as
// different sessions keeps what it has, with a finding: its routes were meant
// for somebody else.
func applyTo(ctx context.Context, speaker Applier, l snapshots.Loaded, configured []policy.Neighbor) ([]policy.Finding, error) {
	head := l.Head
	t, findings := snapshots.Targets(l.Snapshot, head.Epoch, head.Generation, firstWave)
	known := make(map[string]policy.Neighbor, len(configured))
	for _, n := range configured {
		known[n.Name] = n
	}
	for _, n := range l.Snapshot.Network.Neighbors {
		have, found := known[n.Name]
		switch {
		case !found:
			findings = append(findings, policy.Finding{Rule: "target.unconfigured", Verdict: policy.Allow,
				Why: "neighbor " + n.Name + " is in the snapshot but not in the configuration: it has no session"})
		case !sameSession(have, n):
			findings = append(findings, policy.Finding{Rule: "target.other-session", Verdict: policy.Hold,
				Why:  "neighbor " + n.Name + " has another AS, role, kind or families in the configuration than in the snapshot: it keeps what it has",
				Next: "make the two agree"})
		default:
			continue
		}
		delete(t.Neighbors, n.Name)
	}
	if t.Total() == 0 {
		t.Empty = fmt.Sprintf("generation %d has no route for any neighbor: %s by %s", head.Generation, head.Reason, head.Actor)
	}
	if err := speaker.Apply(ctx, t); err != nil {
		return findings, fmt.Errorf("apply generation %d: %w", head.Generation, err)
	}
	return findings, nil
}

// sameSession compares what decides which routes a neighbor may have.
func sameSession(a, b policy.Neighbor) bool {
	return a.ASN == b.ASN && a.LocalASN == b.LocalASN && a.Role == b.Role && a.Kind == b.Kind && a.Site == b.Site && slices.Equal(a.Families, b.Families)
}

// otherSession finds a neighbor that the snapshot and the configuration
// describe as different sessions.
func otherSession(s *snapshots.Snapshot, configured []policy.Neighbor) (name string, found bool) {
	for _, n := range s.Network.Neighbors {
		for _, have := range configured {
			if have.Name == n.Name && !sameSession(have, n) {
				return n.Name, true
			}
		}
	}
	return "", false
}
