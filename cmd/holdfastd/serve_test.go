package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

var (
	noon   = time.Date(2026, 2, 20, 12, 0, 0, 0, time.UTC)
	script = addressing.Actor{Kind: addressing.Operator, ID: "token-1"}
)

func nth(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 0}), 24)
}

func withdrawal(i int, by addressing.Actor) addressing.ChangeSet {
	return addressing.ChangeSet{
		ID: fmt.Sprintf("change-%d", i), Actor: by, Reason: "clean-up", At: noon.Add(time.Duration(i) * 10 * time.Millisecond), Verb: "prefix.withdraw",
		Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: nth(i), AccountID: "account-00", Account: addressing.Customer, Resting: addressing.RestingAdvertised, Services: []string{"cdn"}}},
	}
}

// TestExplainKnowsOwnersAfterARestart: what an owner took down of its own,
// confirmed, counts against its account and not against the size of a snapshot
// (W7), also when the daemon died between the commit and the wire.
func TestExplainKnowsOwnersAfterARestart(t *testing.T) {
	dir := t.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		t.Fatal(err)
	}
	before, err := breaker.OpenDir(dir, breaker.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	g := gate.New(before, func() (*snapshots.Snapshot, snapshots.Head) { return nil, snapshots.Head{} })
	for i, by := range []addressing.Actor{{Kind: addressing.Owner, ID: "token-2", AccountID: "account-00"}, script} {
		if _, err := g.Admit(context.Background(), withdrawal(i, by)); err != nil {
			t.Fatal(err)
		}
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	after, err := breaker.OpenDir(dir, breaker.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	defer after.Close()
	g = gate.New(after, nil)
	for i, want := range []addressing.ActorKind{addressing.Owner, ""} {
		if why, ok := g.Explain("", nth(i)); !ok || why.By != want {
			t.Errorf("%s: %+v, %v: want it by %q", nth(i), why, ok, want)
		}
	}
	if why, ok := g.Explain("", nth(2)); ok {
		t.Errorf("%s was withdrawn by nobody, yet %+v explains it", nth(2), why)
	}
}

// TestMirrorSurvivesADatabaseThatLostItsTokens: the mirror is there for the day
// on which the database is not.
func TestMirrorSurvivesADatabaseThatLostItsTokens(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	file := filepath.Join(dir, "auth.json")
	m, err := openMirror(file, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{log: slog.New(slog.DiscardHandler), mirror: m}
	registry := func(name string) *addressing.Registry {
		store, err := sqlite.Open(ctx, sqlite.Options{Path: filepath.Join(dir, name), Environment: "test", Create: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close() })
		return addressing.NewRegistry(store, open{}, addressing.Options{Entropy: rand.Reader, OnTokens: m.Save})
	}
	full, empty := registry("full.db"), registry("empty.db")
	req := addressing.Request{Actor: script, Scope: addressing.EveryAccount(), At: noon, Reason: "test"}
	token, _, _, err := full.CreateToken(ctx, req, addressing.NewToken{Role: addressing.RoleOperator})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	d.mirrorTokens(ctx, full)
	d.mirrorTokens(ctx, empty)
	kept, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(kept), token.ID) {
		t.Errorf("the mirror holds %s, error %v; want token %s", kept, err, token.ID)
	}
}
