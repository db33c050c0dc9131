package main

import (
	"context"
	"crypto/rand"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// TestExplainKnowsOwnersAfterARestart: what an owner took down of its own,
// confirmed, counts against its account and not against the size of a snapshot
// (W7), also when the daemon died between the commit and the wire.
func TestExplainKnowsOwnersAfterARestart(t *testing.T) {
	g := newGate(t, fullTable(4306))
	dir := t.TempDir()
	if err := breaker.Init(dir, noon); err != nil {
		t.Fatal(err)
	}
	before, err := breaker.OpenDir(dir, breaker.Options{At: noon})
	if err != nil {
		t.Fatal(err)
	}
	g.breaker = before
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
	d := &daemon{breaker: after}
	for i, want := range []addressing.ActorKind{addressing.Owner, ""} {
		if why, ok := d.explain("", nth(i)); !ok || why.By != want {
			t.Errorf("%s: %+v, %v: want it by %q", nth(i), why, ok, want)
		}
	}
	if why, ok := d.explain("", nth(2)); ok {
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
		return addressing.NewRegistry(store, newGate(t, fullTable(1)), addressing.Options{Entropy: rand.Reader, OnTokens: m.Save})
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
