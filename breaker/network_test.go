package breaker

import (
	"fmt"
	"maps"
	"net/netip"
	"testing"
	"time"
)

// start is when every test begins.
var start = time.Date(2026, 2, 20, 17, 56, 0, 0, time.UTC)

// network is a made-up network: accounts of customers and first-party
// prefixes, everything sent to every neighbor.
type network struct {
	customers []Loss
	others    []Loss
	base      Baseline
	byPrefix  map[netip.Prefix]Loss
}

// newNetwork has n customer prefixes, every tenth of IPv6, of accounts many
// accounts, and others first-party prefixes.
func newNetwork(n, accounts, others int, neighbors ...string) *network {
	w := &network{byPrefix: map[netip.Prefix]Loss{}, base: Baseline{Accounts: map[string]Count{}, Neighbors: map[string]Count{}}}
	var all Count
	for i := range n + others {
		l := Loss{Prefix: testPrefix(i), Account: "first-party", Weight: WeightFull, Cause: "withdraw"}
		if i < n {
			l.Account, l.Customer = fmt.Sprintf("a%03d", i%accounts), true
			w.customers = append(w.customers, l)
			w.base.Customer = plus(w.base.Customer, l.Prefix, 1)
		} else {
			w.others = append(w.others, l)
		}
		w.base.Accounts[l.Account] = plus(w.base.Accounts[l.Account], l.Prefix, 1)
		all = plus(all, l.Prefix, 1)
		w.byPrefix[l.Prefix] = l
	}
	for _, name := range neighbors {
		w.base.Neighbors[name] = all
	}
	return w
}

// testPrefix is the i-th prefix of the test networks: a /24, or every tenth
// time a /48.
func testPrefix(i int) netip.Prefix {
	if i%10 == 9 {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, byte(i >> 8), byte(i)}), 48)
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(11 + i>>16), byte(i >> 8), byte(i), 0}), 24)
}

func plus(c Count, p netip.Prefix, n int) Count {
	if FamilyOf(p) == IPv4 {
		c.IPv4 += n
	} else {
		c.IPv6 += n
	}
	return c
}

// owner, operator and task are actors of each kind.
func owner(account string) Actor {
	return Actor{Kind: Owner, Key: "owner/" + account, Account: account}
}
func operator(name string) Actor   { return Actor{Kind: Operator, Key: "operator/" + name} }
func task(name string) Actor       { return Actor{Kind: System, Key: "system/" + name} }
func (w *network) size() int       { return len(w.customers) + len(w.others) }
func at(d time.Duration) time.Time { return start.Add(d) }

// harness drives one model and keeps what would be on the wire.
type harness struct {
	t    testing.TB
	m    *Model
	net  *network
	n    int
	base Baseline
	down map[netip.Prefix]bool
	recs []Record
}

func newHarness(t testing.TB, w *network, lim Limits) *harness {
	t.Helper()
	if err := lim.Validate(); err != nil {
		t.Fatal(err)
	}
	base := w.base
	base.Accounts, base.Neighbors = maps.Clone(base.Accounts), maps.Clone(base.Neighbors)
	return &harness{t: t, m: NewModel(lim), net: w, base: base, down: map[netip.Prefix]bool{}}
}

// step runs an event; it must not fail.
func (h *harness) step(e Event) Decision {
	h.t.Helper()
	d, recs, err := h.m.Step(e)
	if err != nil {
		h.t.Fatal(err)
	}
	h.recs = append(h.recs, recs...)
	return d
}

// propose sends a change and applies it to the wire if it is allowed.
func (h *harness) propose(p Proposal) Decision {
	h.t.Helper()
	h.n++
	if p.ID == "" {
		p.ID = fmt.Sprintf("change-%d", h.n)
	}
	d := h.step(Proposed{p, h.baseline()})
	if d.Verdict == Allow {
		for _, l := range p.Losses {
			h.count(l.Prefix, -1)
		}
		for _, g := range p.Gains {
			h.count(g, 1)
		}
	}
	return d
}

func (h *harness) withdraw(by Actor, when time.Duration, losses ...Loss) Decision {
	h.t.Helper()
	return h.propose(Proposal{Actor: by, At: at(when), Losses: losses})
}

// count moves one prefix of the network off the wire, or back on it.
func (h *harness) count(p netip.Prefix, n int) {
	l, ok := h.net.byPrefix[p]
	if !ok || h.down[p] == (n < 0) {
		return
	}
	if n > 0 {
		delete(h.down, p)
	} else {
		h.down[p] = true
	}
	if l.Customer {
		h.base.Customer = plus(h.base.Customer, p, n)
	}
	h.base.Accounts[l.Account] = plus(h.base.Accounts[l.Account], p, n)
	for name := range h.base.Neighbors {
		h.base.Neighbors[name] = plus(h.base.Neighbors[name], p, n)
	}
}

// baseline is the network less what is down: what the caller would count.
func (h *harness) baseline() Baseline {
	h.base.SitesDown = h.net.base.SitesDown
	return h.base
}

// left is how many routes a neighbor still holds.
func (h *harness) left() int { return h.net.size() - len(h.down) }

func (h *harness) state(s Scope) State { return h.m.state(s).state }

func (h *harness) wantState(s Scope, want State) {
	h.t.Helper()
	if got := h.state(s); got != want {
		h.t.Fatalf("%s is %s, want %s", s, got, want)
	}
}

// rules lists the rules of a decision, shadow ones with a question mark.
func rules(d Decision) []string {
	var out []string
	for _, f := range d.Findings {
		name := f.Rule
		if f.Shadow {
			name += "?"
		}
		out = append(out, name)
	}
	return out
}
