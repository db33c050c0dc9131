//go:build interop && linux

package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/cmd/internal/rig"
)

// post sends a request to the admin socket and wants a status.
func (n *network) post(path, body string, want int, into any) {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, "http://holdfast.sock"+path, strings.NewReader(body))
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := n.http().Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != want {
		n.t.Fatalf("%s: %d %s (%v), want %d", path, answer.StatusCode, bytes.TrimSpace(text), err, want)
	}
	if into != nil {
		if err := json.Unmarshal(text, into); err != nil {
			n.t.Fatal(err)
		}
	}
}

// holds is nil when an edge has so many routes of ours straight from us.
func (n *network) holds(e *rig.Edge, want int, draining bool) error {
	got := 0
	for i, f := range addressing.Families() {
		routes, err := e.Routes(f)
		if err != nil {
			return err
		}
		for _, r := range routes.From(addresses(n.Speakers[0])[i]) {
			if slices.ContainsFunc(r.Communities, graceful) == draining && (!draining || r.LocalPref != nil && *r.LocalPref == 0) {
				got++
			}
		}
	}
	if got != want {
		return fmt.Errorf("%s has %d routes (draining %v), want %d", e.Name, got, draining, want)
	}
	return nil
}

// graceful is GRACEFUL_SHUTDOWN as FRR and BIRD print it.
func graceful(c string) bool { return c == "65535:0" || c == "gracefulShutdown" }

// A site is drained, the daemon restarted while it is, and undrained: its edges
// see the routes de-preferred, then gone, then back; the transits are never
// without a path to anything.
func TestDrainSite(t *testing.T) {
	n := start(t, func(r *rig.Rig) string { return r.Sites() })
	n.advertise()
	n.arrived()
	all := len(n.rows)
	each := func(site string, want int, draining bool) {
		t.Helper()
		n.Eventually(coming, func() error {
			var err error
			for _, e := range n.Edges {
				if e.Site == site {
					err = errors.Join(err, n.holds(e, want, draining))
				}
			}
			return err
		})
	}
	// Two of three sites at a time are too many.
	n.post("/v1/sites/ams/drain", `{"reason":"maintenance","wait_seconds":8}`, 200, nil)
	n.post("/v1/sites/fra/drain", `{"reason":"maintenance"}`, 409, nil)
	each("ams", all, true)
	each("ams", 0, false)
	n.Eventually(coming, func() error { return drained(n.Edges[:2], n) })
	each("fra", all, false)
	// It survives a restart: kill -9, so that nothing is written on the way out.
	n.daemon.Kill()
	program := rig.Build(t, "cmd/holdfastd")
	n.daemon = n.Speakers[0].Start("again", program, "serve", "--config", n.file)
	n.Up(0, n.daemon)
	n.Eventually(coming, func() error { return n.holds(n.Edges[2], all, false) })
	if err := drained(n.Edges[:2], n); err != nil {
		t.Error("after the restart:", err)
	}
	n.Eventually(coming, func() error {
		_, err := n.api().GetStatus(context.Background())
		return err
	})
	n.Eventually(coming, n.ready)
	n.post("/v1/sites/ams/undrain", `{"reason":"done"}`, 200, nil)
	each("ams", all, false)
	each("ams", 0, true)
	n.arrived()
	for _, x := range n.Transits {
		heard, err := x.Heard()
		if err != nil {
			t.Fatal(err)
		}
		if gaps := rig.Gaps(heard); len(gaps) > 0 {
			t.Errorf("%s was without a path %d times, such as %+v", x.Name, len(gaps), gaps[0])
		}
	}
	if b := n.breaker(); b != "" {
		t.Errorf("the breaker opened: %s", b)
	}
}

// ready is nil once the daemon has its database.
func (n *network) ready() error {
	r, err := n.http().Get("http://holdfast.sock/readyz")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != 200 {
		return fmt.Errorf("not ready: %d", r.StatusCode)
	}
	return nil
}

// breaker lists the scopes that are not closed.
func (n *network) breaker() string {
	r, err := n.http().Get("http://holdfast.sock/v1/breaker")
	if err != nil {
		n.t.Fatal(err)
	}
	defer r.Body.Close()
	var list struct {
		Items []struct{ Scope, Key, State, Reason string }
	}
	if err := json.NewDecoder(r.Body).Decode(&list); err != nil {
		n.t.Fatal(err)
	}
	for _, s := range list.Items {
		if s.State != "closed" {
			return fmt.Sprintf("%+v", s)
		}
	}
	return ""
}

// drained is nil when the edges have nothing from us straight.
func drained(edges []*rig.Edge, n *network) error {
	for _, e := range edges {
		if err := errors.Join(n.holds(e, 0, true), n.holds(e, 0, false)); err != nil {
			return err
		}
	}
	return nil
}
