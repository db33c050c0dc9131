package snapshots_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// changing is desired state that notes which accounts it changes.
type changing struct {
	st      addressing.State
	network snapshots.NetworkPart
	at      time.Time
	read    addressing.Revision
	changed map[string]int64
	made    int
}

func (c *changing) note(account string) {
	c.read.Changes++
	c.changed[account] = c.read.Changes
}

// since is Since of a Store.
func (c *changing) since(r addressing.Revision, also []string) addressing.Delta {
	if r == (addressing.Revision{}) {
		return addressing.Delta{Revision: c.read, Whole: true, State: c.st}
	}
	d := addressing.Delta{Revision: c.read, State: addressing.State{Services: c.st.Services}}
	of := map[string]bool{"": true}
	for account, n := range c.changed {
		of[account] = of[account] || n > r.Changes
	}
	for _, account := range also {
		of[account] = true
	}
	maps.DeleteFunc(of, func(_ string, changed bool) bool { return !changed })
	prefix := map[string]bool{}
	for _, a := range c.st.Accounts {
		if of[a.ID] {
			d.State.Accounts = append(d.State.Accounts, a)
		}
	}
	for _, p := range c.st.Prefixes {
		if prefix[p.ID] = of[p.AccountID]; of[p.AccountID] {
			d.State.Prefixes = append(d.State.Prefixes, p)
		}
	}
	for _, b := range c.st.BGPPrefixes {
		if prefix[b.PrefixID] {
			d.State.BGPPrefixes = append(d.State.BGPPrefixes, b)
		}
	}
	for _, b := range c.st.Bindings {
		if prefix[b.PrefixID] {
			d.State.Bindings = append(d.State.Bindings, b)
		}
	}
	for _, n := range c.st.Negative {
		if of[n.AccountID] {
			d.State.Negative = append(d.State.Negative, n)
		}
	}
	delete(of, "")
	d.Accounts = slices.Sorted(maps.Keys(of))
	return d
}

func (c *changing) id() string { c.made++; return fmt.Sprintf("made-%d", c.made) }

// step changes something, and says what.
func (c *changing) step(t *rapid.T) string {
	pick := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	moment := func() *time.Time {
		at := c.at.Add(time.Duration(pick(4, "seconds")) * 700 * time.Millisecond)
		return &at
	}
	if len(c.st.Prefixes) == 0 || len(c.st.Accounts) == 0 {
		synthetic.Add(&c.st, 100, c.addAccount())
		return "start again"
	}
	i := pick(len(c.st.Prefixes), "prefix")
	p := c.st.Prefixes[i]
	owner := c.st.Accounts[pick(len(c.st.Accounts), "account")].ID
	route := slices.IndexFunc(c.st.BGPPrefixes, func(b addressing.BGPPrefix) bool { return b.PrefixID == p.ID })
	switch what := rapid.SampledFrom([]string{"toggle", "toggle", "withdraw later", "unbind", "bind", "describe", "add", "overlap", "delete", "hand over", "account", "account gone", "block",
		"drain", "lift", "service", "neighbor", "time", "time"}).Draw(t, "step"); what {
	case "toggle":
		c.st.BGPPrefixes[route].Advertised = !c.st.BGPPrefixes[route].Advertised
		c.note(p.AccountID)
	case "withdraw later":
		c.st.BGPPrefixes[route].Advertised, c.st.BGPPrefixes[route].DownAt = false, moment()
		c.note(p.AccountID)
	case "unbind":
		c.st.Bindings = slices.DeleteFunc(c.st.Bindings, func(b addressing.Binding) bool { return b.PrefixID == p.ID })
		c.note(p.AccountID)
	case "bind":
		c.st.Bindings = append(c.st.Bindings, addressing.Binding{ID: c.id(), PrefixID: p.ID, CIDR: p.CIDR, ServiceID: "cdn", Active: true})
		c.note(p.AccountID)
	case "describe":
		text := c.id()
		c.st.Prefixes[i].Description = &text
		c.note(p.AccountID)
	case "add":
		c.made++
		synthetic.Add(&c.st, 1000+c.made, owner)
		c.note(owner)
	case "overlap": // of another account: it does not build until it is gone
		id := c.id()
		c.st.Prefixes = append(c.st.Prefixes, addressing.Prefix{ID: id, AccountID: owner, CIDR: netip.PrefixFrom(p.CIDR.Addr(), p.CIDR.Bits()-1).Masked(), ASN: 1, State: addressing.Approved})
		c.st.BGPPrefixes = append(c.st.BGPPrefixes, addressing.BGPPrefix{ID: id + "-b", PrefixID: id, CIDR: p.CIDR, Sites: addressing.AllSites()})
		c.note(owner)
	case "delete":
		c.remove(func(q addressing.Prefix) bool { return q.ID == p.ID })
		c.note(p.AccountID)
	case "hand over":
		c.st.Prefixes[i].AccountID = owner
		c.note(p.AccountID)
		c.note(owner)
	case "account":
		c.addAccount()
	case "account gone":
		c.remove(func(q addressing.Prefix) bool { return q.AccountID == owner })
		c.st.Negative = slices.DeleteFunc(c.st.Negative, func(n addressing.NegativeIntent) bool { return n.AccountID == owner })
		c.st.Accounts = slices.DeleteFunc(c.st.Accounts, func(a addressing.Account) bool { return a.ID == owner })
		c.note(owner)
	case "block":
		c.st.Negative = append(c.st.Negative, addressing.NegativeIntent{ID: c.id(), AccountID: p.AccountID, CIDR: p.CIDR, Kind: addressing.IntentBlock, Author: "a", CreatedAt: c.at, ExpiresAt: moment()})
		c.note(p.AccountID)
	case "drain":
		c.st.Negative = append(c.st.Negative, addressing.NegativeIntent{ID: c.id(), Site: snapshots.DefaultSite, Kind: addressing.IntentDrain, Author: "a", CreatedAt: c.at, ExpiresAt: moment(), DownAt: moment()})
	case "lift":
		for _, n := range c.st.Negative {
			c.note(n.AccountID)
		}
		c.st.Negative = nil
	case "service":
		c.st.Services = append(c.st.Services, addressing.Service{ID: c.id(), Name: "new", MinSites: 1})
	case "neighbor":
		c.network = synthetic.Network(1 + pick(3, "neighbors"))
	case "time":
		c.at = c.at.Add(time.Duration(1+pick(3, "pass")) * 400 * time.Millisecond)
	}
	return ""
}

func (c *changing) addAccount() string {
	id := c.id()
	c.st.Accounts = append(c.st.Accounts, addressing.Account{ID: id, Name: "new", Kind: addressing.Customer})
	c.note(id)
	return id
}

func (c *changing) remove(gone func(addressing.Prefix) bool) {
	of := map[string]bool{}
	for _, p := range c.st.Prefixes {
		of[p.ID] = gone(p)
	}
	c.st.Prefixes = slices.DeleteFunc(c.st.Prefixes, gone)
	c.st.BGPPrefixes = slices.DeleteFunc(c.st.BGPPrefixes, func(b addressing.BGPPrefix) bool { return of[b.PrefixID] })
	c.st.Bindings = slices.DeleteFunc(c.st.Bindings, func(b addressing.Binding) bool { return of[b.PrefixID] })
}

// TestUpdateIsBuild: whatever changes, in whatever order, and whether it builds
// or not, what is made of the changes is what is made of everything.
func TestUpdateIsBuild(t *testing.T) {
	refused, made := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := &changing{st: synthetic.State(4, 24), network: synthetic.Network(2), at: synthetic.At, changed: map[string]int64{}, read: addressing.Revision{Changes: 1, Schema: 1}}
		var builder snapshots.Builder
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			c.step(t)
			delta := c.since(builder.Since(c.at))
			got, err := builder.Update(delta, c.network, synthetic.Environment, c.at)
			want, errWhole := snapshots.Build(c.st, c.network, synthetic.Environment, c.at)
			if (err == nil) != (errWhole == nil) {
				t.Fatalf("of what changed: %v; of everything: %v", err, errWhole)
			}
			if err != nil {
				refused++
				continue
			}
			made++
			if got.ID() != want.ID() || !slices.Equal(got.Manifest().Accounts, want.Manifest().Accounts) {
				t.Fatalf("of what changed %s, of everything %s:\n%s", got.ID(), want.ID(), cmp.Diff(want.Accounts, got.Accounts, cmpopts.EquateComparable(netip.Prefix{})))
			}
			if raw, err := snapshots.Canonical(got.Manifest()); err != nil || snapshots.SumOf(raw) != snapshots.Sum(got.ID()) {
				t.Fatalf("the manifest was not hashed in canonical form: %v", err)
			}
			if !got.NextExpiry().Equal(want.NextExpiry()) {
				t.Fatalf("next expiry %s, want %s", got.NextExpiry(), want.NextExpiry())
			}
		}
	})
	if refused == 0 || made == 0 {
		t.Errorf("%d refused, %d made: the test shows nothing", refused, made)
	}
}

// TestUpdateSharesTheRest: a change of one account hashes that account's part
// and no other, and reads of no other.
func TestUpdateSharesTheRest(t *testing.T) {
	c := &changing{st: synthetic.State(6, 60), network: synthetic.Network(1), at: synthetic.At, changed: map[string]int64{}, read: addressing.Revision{Changes: 1}}
	var builder snapshots.Builder
	before, err := builder.Update(c.since(builder.Since(c.at)), c.network, synthetic.Environment, c.at)
	if err != nil {
		t.Fatal(err)
	}
	owner := c.st.Prefixes[30].AccountID
	c.st.BGPPrefixes[30].Advertised = false
	c.note(owner)
	d := c.since(builder.Since(c.at))
	if !slices.Equal(d.Accounts, []string{owner}) {
		t.Fatalf("%v was read", d.Accounts)
	}
	after, err := builder.Update(d, c.network, synthetic.Environment, c.at)
	if err != nil {
		t.Fatal(err)
	}
	for i := range after.Accounts {
		id := after.Accounts[i].Account
		shared := &after.Accounts[i].Prefixes[0] == &before.Accounts[i].Prefixes[0]
		if (id == owner) == shared || (id == owner) == (after.PartSum(id) == before.PartSum(id)) {
			t.Errorf("account %s: shared %v, part %s, before %s", id, shared, after.PartSum(id), before.PartSum(id))
		}
	}
}

// TestUpdateNeedsSince: a Delta of which the Builder does not know what it is
// on top of is never taken for everything (invariant 2).
func TestUpdateNeedsSince(t *testing.T) {
	builder := snapshots.NewBuilder(build(t, synthetic.State(2, 8)), snapshots.Limits{})
	if r, also := builder.Since(synthetic.At); r != (addressing.Revision{}) || also != nil {
		t.Errorf("a builder that has read nothing asks for what changed since %+v", r)
	}
	if s, err := builder.Update(addressing.Delta{}, synthetic.Network(2), synthetic.Environment, synthetic.At); err == nil {
		t.Errorf("built %d routes of nothing", s.RouteCount())
	}
}
