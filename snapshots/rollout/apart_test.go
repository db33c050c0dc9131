package rollout_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// apartBench has enough accounts for one of them to be no broken database.
func apartBench(t *testing.T, test func(t *testing.T, b *bench)) { runSized(t, 20, 200, nil, test) }

func ownedBy(st *addressing.State, account string) int {
	return slices.IndexFunc(st.Prefixes, func(p addressing.Prefix) bool { return p.AccountID == account })
}

// One invalid account stays as it is and is named, once; everybody else's
// changes reach the wire. What it asked for meanwhile follows, explained, when it
// has been valid for a while.
func TestInvalidAccountHoldsOnlyItself(t *testing.T) {
	apartBench(t, func(t *testing.T, b *bench) {
		bad, good := synthetic.AccountID(3), synthetic.AccountID(5)
		var asn uint32
		own := ownedBy(&b.intent.st, bad)
		b.intent.set(func(st *addressing.State) {
			asn, st.Prefixes[own].ASN = st.Prefixes[own].ASN, 0
			synthetic.Add(st, 5000, good)
			synthetic.Add(st, 5001, bad)
		})
		// It withdraws one of its own as well, and is admitted.
		gone := b.intent.st.Prefixes[own]
		b.intent.set(func(st *addressing.State) {
			for i := range st.BGPPrefixes {
				if st.BGPPrefixes[i].PrefixID == gone.ID {
					st.BGPPrefixes[i].Advertised = false
				}
			}
		})
		b.Notify(addressing.ChangeSet{ID: "own", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: gone.CIDR, AccountID: bad}}})
		b.settle()
		apart := b.Apart()
		if len(apart) != 1 || apart[0].Account != bad || apart[0].Problems[0].Rule != "origin" || apart[0].Left != rollout.Believed {
			t.Fatalf("apart %+v", apart)
		}
		if !b.wire.held[synthetic.CIDR(5000)] || b.wire.held[synthetic.CIDR(5001)] || !b.wire.held[gone.CIDR] || b.wire.routes() != 201 {
			t.Fatalf("%d routes on the wire", b.wire.routes())
		}
		b.intent.set(func(st *addressing.State) { synthetic.Add(st, 5002, good) })
		b.Kick()
		time.Sleep(5 * time.Minute)
		if n := len(b.refusals()); n != 1 || !b.refusals()[0].Has(rollout.RuleApart) || b.wire.routes() != 202 {
			t.Fatalf("%d incidents, %d routes", n, b.wire.routes())
		}
		if _, report, err := b.Pending(t.Context()); err != nil {
			t.Errorf("a plan cannot be shown: %+v, %v", report, err)
		}
		b.intent.set(func(st *addressing.State) { st.Prefixes[own].ASN = asn })
		b.Kick()
		time.Sleep(time.Second)
		synctest.Wait()
		if b.wire.held[synthetic.CIDR(5001)] || len(b.Apart()) != 1 {
			t.Fatal("believed at once")
		}
		time.Sleep(time.Minute)
		if len(b.Apart()) != 0 || !b.wire.held[synthetic.CIDR(5001)] || b.wire.held[gone.CIDR] || b.Status().Refusal != nil {
			t.Errorf("apart %+v, %d routes, %+v", b.Apart(), b.wire.routes(), b.Status().Refusal)
		}
	})
}

// An account that alternates between good and bad moves nothing of its own
// (SNP-08), and keeps nobody waiting.
func TestAlternatingAccount(t *testing.T) {
	apartBench(t, func(t *testing.T, b *bench) {
		bad := synthetic.AccountID(3)
		own := ownedBy(&b.intent.st, bad)
		for i := range 12 {
			b.intent.set(func(st *addressing.State) {
				st.Prefixes[own].ASN = uint32(i % 2 * 64500) // 0 is invalid
				synthetic.Add(st, 6000+i, bad)
				synthetic.Add(st, 7000+i, synthetic.AccountID(5))
			})
			b.Kick()
			time.Sleep(time.Second)
		}
		if b.wire.routes() != 212 || b.wire.held[synthetic.CIDR(6011)] || b.wire.taken() != 0 || len(b.refusals()) != 1 {
			t.Fatalf("%d routes, %d taken, %d incidents", b.wire.routes(), b.wire.taken(), len(b.refusals()))
		}
		time.Sleep(time.Minute)
		if b.wire.routes() != 224 || len(b.Apart()) != 0 {
			t.Errorf("%d routes once it stayed valid, apart %+v", b.wire.routes(), b.Apart())
		}
	})
}
