package main

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// What waits for the breaker expires: it is taken back in the name of whoever
// asked, the account is told, and the wire never notices.
func TestHeldChangeExpires(t *testing.T) {
	n := newSmall(t, breaker.DefaultLimits())
	queue, err := gate.OpenQueue(n.daemon.dir.held(), 4*time.Hour)
	n.must(err)
	n.daemon.queue = queue
	n.daemon.gate.Hold(queue)
	id := n.prefix("20.1.0.0/24", 64500, false)
	n.prefix("20.1.1.0/24", 64500, false)
	n.holds(2)
	trip, err := n.b.Trip(breaker.Global, breaker.Open, "a drill", breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}, time.Now())
	n.must(err)
	asked := time.Now()
	_, change, err := n.registry.WithdrawPrefix(t.Context(), n.request(asked), id)
	n.must(err)
	if w := queue.Expired(asked.Add(4*time.Hour - time.Second)); len(w) != 0 {
		t.Fatalf("expired too early: %+v", w)
	}
	late := asked.Add(4*time.Hour + time.Second)
	waited := queue.Expired(late)
	if len(waited) != 1 || waited[0].ID != change.ID || waited[0].TripID != trip {
		t.Fatalf("expired: %+v", waited)
	}
	n.daemon.expire(t.Context(), waited[0], late)
	if left := queue.List(); len(left) != 0 {
		t.Errorf("still waits: %+v", left)
	}
	d, err := n.registry.Prefix(t.Context(), addressing.EveryAccount(), id)
	n.must(err)
	if !d.BGP[0].Advertised {
		t.Error("it is still desired to be withdrawn")
	}
	told, err := n.daemon.notices.Told(t.Context(), n.account)
	n.must(err)
	if len(told) != 1 || told[0].TripID != trip || len(told[0].Prefixes) != 1 || told[0].Prefixes[0] != "20.1.0.0/24" {
		t.Errorf("the account was told %+v", told)
	}
	records, err := n.registry.Audit(t.Context(), addressing.EveryAccount(), 0, 100)
	n.must(err)
	if last := records[len(records)-1]; last.Actor.Key() != change.Actor.Key() {
		t.Errorf("taken back by %s, asked for by %s", last.Actor.Key(), change.Actor.Key())
	}
	n.holds(2)
	if _, withdrawn := n.wire.count(); withdrawn != 0 {
		t.Errorf("%d routes were withdrawn", withdrawn)
	}
}

// A freeze takes the permit of speakers that run alone away at once, one of the
// calendar at the next look, and its end gives it back.
func TestFreezeTakesThePermit(t *testing.T) {
	if permitEvery > 2*time.Second {
		t.Errorf("the calendar is looked at every %s: a freeze is to be effective within 2 s", permitEvery)
	}
	began := time.Now()
	limits := breaker.DefaultLimits()
	limits.Freezes = []breaker.Freeze{{From: began.Add(time.Hour), Until: began.Add(2 * time.Hour), Reason: "year's end"}}
	n := newSmall(t, limits)
	n.prefix("20.1.0.0/24", 64500, false)
	n.holds(1)
	f := newFeedServer(n.daemon.store, n.b, func() bool { return n.daemon.off(sinkSpeakers) }, n.daemon.log)
	n.daemon.feed = f
	n.daemon.breaker = n.b
	permitted := func(after time.Duration) bool {
		f.refresh(began.Add(after))
		_, permit, _, _ := f.Pointer()
		return permit != nil
	}
	for _, c := range []struct {
		after time.Duration
		want  bool
	}{{time.Minute, true}, {time.Hour + permitEvery, false}, {2*time.Hour + permitEvery, true}} {
		if got := permitted(c.after); got != c.want {
			t.Errorf("permit %s after the start: %v, want %v", c.after, got, c.want)
		}
	}
	later := began.Add(3 * time.Hour)
	if _, err := n.b.Trip(breaker.Global, breaker.Locked, "freeze", breaker.Actor{Kind: breaker.Operator, Key: "operator/noc"}, later); err != nil {
		t.Fatal(err)
	}
	if permitted(3 * time.Hour) {
		t.Error("frozen, and speakers that run alone have a permit")
	}
	if _, _, err := n.registry.CreatePrefix(t.Context(), n.request(later), addressing.NewPrefix{AccountID: n.account, CIDR: netip.MustParsePrefix("20.2.0.0/24"), ASN: 64500}); addressing.CodeOf(err) != addressing.CodeFrozen {
		t.Errorf("a new prefix while frozen: %v", err)
	}
	if _, _, err := n.registry.WithdrawPrefix(t.Context(), n.request(later), n.idOf("20.1.0.0/24")); addressing.CodeOf(err) != addressing.CodeFrozen {
		t.Errorf("a withdrawal while frozen: %v", err)
	}
}

func (n *small) idOf(cidr string) string {
	d, err := n.registry.PrefixAt(n.t.Context(), addressing.EveryAccount(), netip.MustParsePrefix(cidr))
	n.must(err)
	return d.ID
}

// A breaker that shows closed and cannot write a loss down is a named risk: what
// it refuses, it refuses for that.
func TestBreakerThatCannotRecordIsARisk(t *testing.T) {
	n := newSmall(t, breaker.DefaultLimits())
	n.must(os.WriteFile(n.daemon.dir.marker(), nil, 0o600))
	named := func() bool {
		return slices.ContainsFunc(n.daemon.storageRisks(), func(r string) bool { return strings.HasPrefix(r, "breaker_cannot_record: every loss is refused") })
	}
	if named() {
		t.Error("a risk that there is not")
	}
	n.must(n.b.Close())
	if !named() {
		t.Error("the breaker has no journal, and status says nothing")
	}
}
