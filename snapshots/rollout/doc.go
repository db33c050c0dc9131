// Package rollout is the one way from desired state to the wire. A Runner
// takes notices of admitted ChangeSets, reads desired state, builds a snapshot,
// plans and judges the difference, stores it and hands the Target to the
// speaker; a rollback goes the same way with an older state brought forward.
//
// It gives generations and their status. Every failure leaves the wire as it
// is (invariant 3). It never withdraws on its own account: what it takes down,
// an admitted ChangeSet or a person named (invariants 6 and 16).
package rollout
