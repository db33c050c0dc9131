package addressing_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
)

var anyAddr netip.Addr

// universe is small, so that random calls meet: covers, more-specifics, twins.
var universe = []string{"11.0.0.0/22", "11.0.0.0/23", "11.0.1.0/24", "11.0.3.0/24", "12.0.0.0/24", "2a00::/32", "2a00:0:1::/48", "10.0.0.0/8", "11.0.0.0/25"}

// reach is what is to be on the wire, worked out from State alone and in the
// plainest way, to hold the registry's own arithmetic against.
func reach(t *rapid.T, st addressing.State, at time.Time) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for _, p := range st.Prefixes {
		for _, g := range st.BGPPrefixes {
			if g.PrefixID != p.ID || p.State != addressing.Approved || !g.Advertised {
				continue
			}
			bound, down := false, false
			for _, b := range st.Bindings {
				bound = bound || b.PrefixID == p.ID && b.CIDR.Overlaps(g.CIDR) && b.CIDR.Bits() <= g.CIDR.Bits()
			}
			for _, n := range st.Negative {
				inForce := n.ExpiresAt == nil || n.ExpiresAt.After(at)
				covers := n.CIDR == g.CIDR || n.Kind == addressing.IntentBlock && n.CIDR.Overlaps(g.CIDR) && n.CIDR.Bits() < g.CIDR.Bits()
				down = down || inForce && covers && n.AccountID == p.AccountID
			}
			if bound && !down {
				if out[g.CIDR] {
					t.Fatalf("two routes are %s", g.CIDR)
				}
				out[g.CIDR] = true
			}
		}
	}
	return out
}

// TestAnySequence: whatever is called in whatever order, valid or not,
// advertised implies bound (invariant 1), what an owner withdrew stays down
// (invariant 15), a refusal changes nothing, the
// effects told to the gate are the difference on the wire, accounts do not
// overlap, and the audit log has every change once.
func TestAnySequence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		x := newRig(t)
		m := &walker{rig: x, rt: rt}
		if rapid.Bool().Draw(rt, "furnished") { // or few runs would come to the end of a life
			x.advertised(x.a.ID, universe[0])
			x.advertised(x.b.ID, universe[5])
		}
		before := x.state()
		for range rapid.IntRange(1, 40).Draw(rt, "calls") {
			x.gate.err = nil
			if rapid.IntRange(0, 9).Draw(rt, "gate") == 0 {
				x.gate.err = &addressing.Error{Code: addressing.CodeRefused, Detail: "a limit"}
			}
			name, change, err := m.step()
			after := x.state()
			m.check(name, before, after, change, err)
			before = after
		}
		x.gate.err = nil
		if n, err := x.r.VerifyAudit(t.Context()); err != nil || n != before.Version {
			rt.Fatalf("audit: %d records, version %d, %v", n, before.Version, err)
		}
		_ = x.store.Close()
	})
}

type walker struct {
	*rig
	rt *rapid.T
}

func (m *walker) check(name string, before, after addressing.State, c addressing.ChangeSet, err error) {
	m.rt.Helper()
	if err != nil || c.ID == "" {
		if before.Version != after.Version || !equalStates(before, after) {
			m.rt.Fatalf("%s changed something and said: change %q, error %v", name, c.ID, err)
		}
		return
	}
	if after.Version != before.Version+1 || c.Version != after.Version {
		m.rt.Fatalf("%s: version %d to %d, change has %d", name, before.Version, after.Version, c.Version)
	}
	was, is := reach(m.rt, before, m.now), reach(m.rt, after, m.now)
	for _, e := range c.Effects {
		switch e.Kind {
		case addressing.Gained:
			if was[e.CIDR] || !is[e.CIDR] {
				m.rt.Fatalf("%s: %s was not gained", name, e.CIDR)
			}
			was[e.CIDR] = true
		case addressing.Lost:
			if !was[e.CIDR] || is[e.CIDR] {
				m.rt.Fatalf("%s: %s was not lost", name, e.CIDR)
			}
			delete(was, e.CIDR)
		}
	}
	if !maps.Equal(was, is) {
		m.rt.Fatalf("%s: effects %s do not explain the difference", name, effects(c))
	}
	m.invariants(name, after)
}

func equalStates(a, b addressing.State) bool {
	return diffStates(a, b) == ""
}

func (m *walker) invariants(name string, st addressing.State) {
	m.rt.Helper()
	live := map[string]addressing.Prefix{}
	for _, p := range st.Prefixes {
		live[p.ID] = p
		for _, o := range st.Prefixes {
			if p.AccountID != o.AccountID && p.CIDR.Overlaps(o.CIDR) {
				m.rt.Fatalf("%s: %s and %s overlap across accounts", name, p.CIDR, o.CIDR)
			}
		}
	}
	for _, g := range st.BGPPrefixes {
		p := live[g.PrefixID]
		if !g.Advertised {
			continue
		}
		if p.State != addressing.Approved || !slices.ContainsFunc(st.Bindings, func(b addressing.Binding) bool {
			return b.PrefixID == p.ID && b.CIDR.Bits() <= g.CIDR.Bits() && b.CIDR.Contains(g.CIDR.Addr())
		}) {
			m.rt.Fatalf("%s: %s is advertised, %s and not bound", name, g.CIDR, p.State)
		}
		for _, n := range st.Negative {
			if n.Kind == addressing.IntentOwner && n.CIDR == g.CIDR {
				m.rt.Fatalf("%s: %s is advertised, its owner withdrew it", name, g.CIDR) // invariant 15
			}
		}
	}
}

// step makes one random call over what is there.
func (m *walker) step() (string, addressing.ChangeSet, error) {
	ctx, rt := m.t.Context(), m.rt
	st := m.state()
	account := rapid.SampledFrom([]string{m.a.ID, m.b.ID}).Draw(rt, "account")
	req := rapid.SampledFrom([]addressing.Request{m.owner(account), m.operator(), m.system()}).Draw(rt, "actor")
	req.Reason = "because"
	prefix := addressing.Prefix{ID: m.service.ID}
	if len(st.Prefixes) > 0 {
		prefix = rapid.SampledFrom(st.Prefixes).Draw(rt, "prefix")
	}
	route := addressing.BGPPrefix{ID: prefix.ID, PrefixID: prefix.ID}
	if len(st.BGPPrefixes) > 0 {
		route = rapid.SampledFrom(st.BGPPrefixes).Draw(rt, "route")
	}
	binding := addressing.Binding{ID: prefix.ID, PrefixID: prefix.ID}
	if len(st.Bindings) > 0 {
		binding = rapid.SampledFrom(st.Bindings).Draw(rt, "binding")
	}
	intent := prefix.ID
	if len(st.Negative) > 0 {
		intent = rapid.SampledFrom(st.Negative).Draw(rt, "intent").ID
	}
	if rapid.IntRange(0, 3).Draw(rt, "lift") == 0 {
		req.Lift = []string{intent}
	}
	cidr := pfx(rapid.SampledFrom(universe).Draw(rt, "cidr"))
	on := rapid.Bool().Draw(rt, "on")
	calls := []struct {
		name string
		call func() (addressing.ChangeSet, error)
	}{
		{"create prefix", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.CreatePrefix(ctx, req, addressing.NewPrefix{AccountID: account, CIDR: cidr, ASN: 64500})
			return c, err
		}},
		{"approve", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.ApprovePrefix(ctx, req, prefix.ID, []string{addressing.RiskUnverified})
			return c, err
		}},
		{"bind whole", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.CreateBinding(ctx, req, addressing.NewBinding{PrefixID: prefix.ID, CIDR: prefix.CIDR, ServiceID: m.service.ID})
			return c, err
		}},
		{"bind", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.CreateBinding(ctx, req, addressing.NewBinding{PrefixID: prefix.ID, CIDR: cidr, ServiceID: m.service.ID})
			return c, err
		}},
		{"unbind", func() (addressing.ChangeSet, error) { return m.r.DeleteBinding(ctx, req, binding.PrefixID, binding.ID) }},
		{"create route", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.CreateBGPPrefix(ctx, req, prefix.ID, cidr)
			return c, err
		}},
		{"toggle", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.EditBGPPrefix(ctx, req, route.PrefixID, route.ID, toggle(on))
			return c, err
		}},
		{"delete route", func() (addressing.ChangeSet, error) { return m.r.DeleteBGPPrefix(ctx, req, route.PrefixID, route.ID) }},
		{"advertise", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.AdvertisePrefix(ctx, req, prefix.ID)
			return c, err
		}},
		{"withdraw", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.WithdrawPrefix(ctx, req, prefix.ID)
			return c, err
		}},
		{"delete", func() (addressing.ChangeSet, error) { return m.r.DeletePrefix(ctx, req, prefix.ID) }},
		{"undelete", func() (addressing.ChangeSet, error) { _, c, err := m.r.Undelete(ctx, req, prefix.ID); return c, err }},
		{"block", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.BlockPrefix(ctx, req, prefix.ID, nil)
			return c, err
		}},
		{"unblock", func() (addressing.ChangeSet, error) {
			_, c, err := m.r.UnblockPrefix(ctx, req, prefix.ID, intent)
			return c, err
		}},
		{"restore", func() (addressing.ChangeSet, error) {
			want := st
			for i := range want.BGPPrefixes {
				want.BGPPrefixes[i].Advertised = on
			}
			_, c, err := m.r.Restore(ctx, addressing.RestoreRequest{Request: req, Want: want, Withdraw: true})
			return c, err
		}},
	}
	// The first steps of a life come more often, or little would be advertised.
	i := rapid.SampledFrom([]int{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 4, 5, 5, 6, 6, 6, 7, 8, 8, 8, 9, 10, 11, 12, 13, 14}).Draw(rt, "call")
	c, err := calls[i].call()
	return calls[i].name, c, err
}
