package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// Whatever happens to a rollout is in the audit log, with who decided and why,
// and in the history of the prefixes concerned.
func TestDecisionsAreAudited(t *testing.T) {
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "intent.db"), Environment: synthetic.Environment, Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var registry *addressing.Registry // the database is not there yet
	s := synthetic.Snapshot(synthetic.State(3, 20), 1)
	d := newDecisions(func() *addressing.Registry { return registry }, func() *snapshots.Snapshot { return s }, slog.New(slog.DiscardHandler))
	item := func(i int) plan.Item {
		return plan.Item{Account: s.Accounts[0].Account, Block: s.Accounts[0].Prefixes[i].CIDR, Losses: nil, Ops: 1}
	}
	id := func(i int) string { return s.Accounts[0].Prefixes[i].ID }
	ro := rollout.Rollout{ID: "r1-x", Class: rollout.Removal, Waves: []plan.Wave{{Percent: 10, Soak: time.Minute, Items: []plan.Item{item(0)}}, {Percent: 100, Items: []plan.Item{item(1), item(2)}}}}
	at := synthetic.At
	for _, e := range []rollout.Event{
		{Kind: rollout.Released}, {Kind: rollout.OnWire},
		{Kind: rollout.Watched, Health: health.NoData, Why: "nobody reported"},
		{Kind: rollout.Watched, Health: health.Pass}, {Kind: rollout.OnWire},
		{Kind: rollout.Pause, By: "operator/uid:7", Why: "let me look"},
		{Kind: rollout.Promote, By: "operator/uid:7", Why: "fine"},
		{Kind: rollout.Watched, Health: health.Fail, Why: "errors"},
		{Kind: rollout.Undone},
	} {
		at = at.Add(2 * time.Minute)
		e.At = at
		next, _, err := ro.Next(e)
		if err != nil {
			t.Fatal(err)
		}
		ro = next
		d.add(ro)
	}
	d.write(t.Context())
	registry = addressing.NewRegistry(store, openGate{}, addressing.Options{Entropy: rand.Reader})
	d.write(t.Context())

	all, err := registry.Audit(t.Context(), addressing.EveryAccount(), 0, 100)
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, r := range all {
		verbs = append(verbs, r.Verb+" "+r.Actor.Key())
		if r.Reason == "" || r.Objects[0] != "r1-x" {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{
		"rollout.begin system/rollout", "rollout.hold system/rollout", "rollout.advance system/rollout",
		"rollout.pause operator/uid:7", "rollout.promote operator/uid:7", "rollout.fail system/rollout", "rollout.put-back system/rollout",
	}; !slices.Equal(verbs, want) {
		t.Errorf("audited %v, want %v", verbs, want)
	}
	if n, err := registry.VerifyAudit(t.Context()); err != nil || int(n) != len(all) {
		t.Errorf("%d records verified: %v", n, err)
	}
	for i, want := range []int{5, 5, 5} { // begin, hold and what concerns all; advance and what concerns all
		history, err := registry.History(t.Context(), addressing.EveryAccount(), id(i))
		if err != nil || len(history) != want {
			t.Errorf("the history of prefix %d has %d records: %v", i, len(history), err)
		}
	}
}

// openGate admits everything.
type openGate struct{}

func (openGate) Admit(context.Context, addressing.ChangeSet) (func(), error) { return func() {}, nil }
