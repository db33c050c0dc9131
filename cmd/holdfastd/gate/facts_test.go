package gate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// heard is a breaker that allows everything and keeps what it was told.
type heard struct {
	p    breaker.Proposal
	base breaker.Baseline
}

func (h *heard) Admit(_ context.Context, p breaker.Proposal, b breaker.Baseline) breaker.Decision {
	h.p, h.base = p, b
	return breaker.Decision{Verdict: breaker.Allow}
}

func (h *heard) Judge(context.Context, breaker.PlanFacts, breaker.Baseline) breaker.Decision {
	return breaker.Decision{Verdict: breaker.Allow}
}

func (h *heard) Release(string, time.Time) error { return nil }

func (h *heard) Covering([]netip.Prefix, time.Time) string { return "" }

func (h *heard) Admitted(netip.Prefix) (breaker.Class, bool) { return breaker.Counted, false }

// Every fact that a limit is judged by reaches the breaker: what is protected,
// which neighbors hold a route, which sites are down.
func TestFactsAreFilled(t *testing.T) {
	s := threeSites()
	s.Accounts[1].Routes[0].Sites = addressing.Sites{Names: []string{"ams", "fra"}}
	g := newGate(t, s)
	h := &heard{}
	g.breaker = h
	g.Protect([]netip.Prefix{netip.MustParsePrefix("10.0.2.0/23")})
	down := []string{"lon"}
	g.Sites(func() []string { return down })
	for _, tt := range []struct {
		name      string
		nth       int
		kind      addressing.AccountKind
		protected bool
		neighbors []string
	}{
		{"everywhere", 0, addressing.Customer, false, nil},
		{"at two sites", 1, addressing.Customer, false, []string{"ams0", "ams1", "fra0", "fra1"}},
		{"in a protected range", 2, addressing.Customer, true, nil},
		{"our own", 4, addressing.FirstParty, true, nil},
	} {
		c := withdrawal(tt.nth, addressing.Actor{Kind: addressing.Operator, ID: "noc"})
		c.Effects[0].Account = tt.kind
		if _, err := g.Admit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		l := h.p.Losses[0]
		if l.Protected != tt.protected || !slices.Equal(l.Neighbors, tt.neighbors) || l.Customer != (tt.kind == addressing.Customer) || !slices.Equal(l.Services, []string{"cdn"}) {
			t.Errorf("%s: %+v, want protected %v and neighbors %v", tt.name, l, tt.protected, tt.neighbors)
		}
		if !slices.Equal(h.base.SitesDown, down) || h.base.Neighbors["lon0"].IPv4 != 99 || h.base.Neighbors["ams0"].IPv4 != 100 || h.base.Services["cdn"].IPv4 != 100 {
			t.Errorf("%s: baseline %+v", tt.name, h.base)
		}
	}
}

// While two sites are unexpectedly down removals elsewhere hold, whoever asks;
// announcements, restores and the emergency lane pass, and so does everything
// once one of the sites is back.
func TestSitesDownHoldRemovals(t *testing.T) {
	down := []string{"ams", "fra"}
	g := newGate(t, threeSites())
	g.Sites(func() []string { return down })
	noc := addressing.Actor{Kind: addressing.Operator, ID: "noc"}
	i := 0
	ask := func(by addressing.Actor, kind addressing.EffectKind, verb string) error {
		c := withdrawal(i, by)
		i++
		c.Effects[0].Kind, c.Verb, c.Incident = kind, verb, "INC-1"
		_, err := g.Admit(t.Context(), c)
		return err
	}
	owner := addressing.Actor{Kind: addressing.Owner, ID: "t", AccountID: "account-01"}
	for _, tt := range []struct {
		name string
		by   addressing.Actor
		kind addressing.EffectKind
		verb string
		held bool
	}{
		{"an operator", noc, addressing.Lost, "prefix.withdraw", true},
		{"an owner", owner, addressing.Lost, "prefix.withdraw", true},
		{"an announcement", noc, addressing.Gained, "prefix.advertise", false},
		{"a restore", noc, addressing.Gained, addressing.VerbRestore, false},
		{"an emergency", noc, addressing.Lost, addressing.VerbEmergency, false},
	} {
		err := ask(tt.by, tt.kind, tt.verb)
		if tt.held != (addressing.CodeOf(err) == addressing.CodeHeld && strings.Contains(fmt.Sprint(err), "2 sites are unexpectedly down (ams, fra)")) || !tt.held && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	down = down[:1]
	if err := ask(noc, addressing.Lost, "prefix.withdraw"); err != nil {
		t.Errorf("one site alone is down: %v", err)
	}
}
