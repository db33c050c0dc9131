package rollout_test

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

func back(to uint64, all bool) rollout.RollbackRequest {
	return rollout.RollbackRequest{Back: snapshots.Back{Scope: snapshots.Scope{All: all}}, To: to, Actor: person, Reason: "incident"}
}

func TestRollbackAll(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		b.admit(person, 1, 2, 3)
		b.settle()
		b.admit(person, 4, 5)
		b.settle()
		b.intent.set(func(st *addressing.State) { synthetic.Add(st, 7000, st.Accounts[0].ID) })
		b.Notify(addressing.ChangeSet{ID: "new", Actor: person})
		b.settle()
		if b.wire.routes() != 196 {
			t.Fatalf("%d routes before the rollback", b.wire.routes())
		}
		res, err := b.Rollback(t.Context(), back(good, true))
		if err != nil {
			t.Fatal(err)
		}
		if b.wire.routes() != 201 || res.Generation == 0 || res.Pinned != "" {
			t.Errorf("%d routes on the wire, want 200 and the newer one: %+v", b.wire.routes(), res)
		}
		if len(res.Newer) != 1 || res.Newer[0] != synthetic.CIDR(7000) {
			t.Errorf("newer: %v", res.Newer)
		}
		withdrawn := b.wire.taken()
		b.Kick()
		b.settle()
		if s := b.Status(); b.wire.routes() != 201 || b.wire.taken() != withdrawn || s.Refusal != nil {
			t.Errorf("desired state took it back: %d routes, %+v", b.wire.routes(), s.Refusal)
		}
	})
}

func TestRollbackOfOneAccountLeavesTheOthers(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		account := b.intent.st.Prefixes[0].AccountID
		other := b.intent.st.Prefixes[199].AccountID
		b.admit(person, 0, 1, 199)
		b.settle()
		before := b.Active().Snapshot
		req := back(good, false)
		req.Accounts = []string{account}
		if _, err := b.Rollback(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		after := b.Active().Snapshot
		if b.wire.routes() != 199 {
			t.Errorf("%d routes, want all but the other account's", b.wire.routes())
		}
		for _, id := range after.AccountIDs() {
			if id != account && after.PartSum(id) != before.PartSum(id) {
				t.Errorf("account %s changed", id)
			}
		}
		if after.PartSum(other) != before.PartSum(other) || other == account {
			t.Error("the other account was rolled back too")
		}
	})
}

// Invariant 15: what was taken down on purpose stays down.
func TestRollbackKeepsNegativeIntents(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		cidr, account := b.intent.st.Prefixes[9].CIDR, b.intent.st.Prefixes[9].AccountID
		b.intent.set(func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "abuse", AccountID: account, CIDR: cidr, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
		})
		b.Notify(addressing.ChangeSet{ID: "block", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: cidr, AccountID: account}}})
		b.admit(person, 1)
		b.settle()
		res, err := b.Rollback(t.Context(), back(good, true))
		if err != nil {
			t.Fatal(err)
		}
		if b.wire.routes() != 199 || b.wire.held[cidr] || len(res.Down) != 1 || res.Down[0] != "abuse" {
			t.Errorf("%d routes, blocked one up: %v, result %+v", b.wire.routes(), b.wire.held[cidr], res)
		}
		req := back(good, true)
		req.Lift = []string{"abuse"}
		if _, err := b.Rollback(t.Context(), req); err != nil || !b.wire.held[cidr] {
			t.Errorf("named, it is still down: %v", err)
		}
		b.settle()
		if s := b.Status(); !b.wire.held[cidr] || s.Refusal != nil {
			t.Errorf("it went down again: %+v", s.Refusal)
		}
	})
}

// Invariant 11: with the database and the breaker gone, a rollback works and
// pins the speaker.
func TestRollbackWithNothingElse(t *testing.T) {
	var dead bool
	gate := gateFunc(func(plan.Plan) (policy.Verdict, error) {
		if dead {
			return policy.Allow, errors.New("breaker is dead")
		}
		return policy.Allow, nil
	})
	run(t, func(c *rollout.Config) { c.Gate = gate }, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		b.admit(person, 1, 2, 3)
		b.settle()
		b.intent.set(func(*addressing.State) { b.intent.err = errors.New("database is gone") })
		dead = true
		res, err := b.Rollback(t.Context(), back(good, true))
		if err != nil || b.wire.routes() != 200 || res.Pinned == "" {
			t.Fatalf("%v, %d routes, %+v", err, b.wire.routes(), res)
		}
		b.intent.set(func(*addressing.State) { b.intent.err = nil })
		b.Kick()
		b.settle()
		if s := b.Status(); b.wire.routes() != 200 || !s.Pinned {
			t.Fatalf("%d routes, status %+v", b.wire.routes(), s)
		}
		b.stop()
		dead = false
		b.start(nil)
		b.AttachDesired(b.intent)
		b.settle()
		if s := b.Status(); b.wire.routes() != 200 || !s.Pinned {
			t.Fatalf("the pin did not survive the restart: %+v", s)
		}
		if err := b.Unpin(t.Context(), ""); !errors.Is(err, rollout.ErrDiffers) {
			t.Errorf("unpinned over a difference: %v", err)
		}
		if _, err := b.Rebuild(t.Context(), person, "after the incident"); err != nil {
			t.Fatal(err)
		}
		if err := b.Unpin(t.Context(), ""); err != nil {
			t.Errorf("unpin: %v", err)
		}
		b.settle()
		if s := b.Status(); b.wire.routes() != 200 || s.Pinned || s.Refusal != nil {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

// Desired state that was emptied behind the daemon's back: the wire never
// noticed, and a rollback to the active generation puts intent back.
func TestRollbackRestoresIntentAlone(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		active := b.Status().Generation
		b.intent.set(func(st *addressing.State) {
			for i := range 15 {
				st.BGPPrefixes[i].Advertised = false
			}
		})
		b.Kick()
		b.settle()
		res, err := b.Rollback(t.Context(), back(active, true))
		if err != nil || res.Pinned != "" || res.Generation != 0 || len(b.intent.restored) != 1 {
			t.Fatalf("%+v, %v", res, err)
		}
		b.settle()
		if s := b.Status(); s.Refusal != nil || b.wire.routes() != 200 || b.wire.taken() != 0 {
			t.Errorf("%d routes, status %+v", b.wire.routes(), s)
		}
	})
}

func TestRebuildAfterLostDatabase(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		cidr, account := b.intent.st.Prefixes[9].CIDR, b.intent.st.Prefixes[9].AccountID
		b.intent.set(func(st *addressing.State) {
			st.Negative = append(st.Negative, addressing.NegativeIntent{ID: "abuse", AccountID: account, CIDR: cidr, Kind: addressing.IntentBlock, Author: "a", CreatedAt: synthetic.At})
		})
		b.Notify(addressing.ChangeSet{ID: "block", Actor: person, Effects: []addressing.Effect{{Kind: addressing.Lost, CIDR: cidr, AccountID: account}}})
		b.settle()
		b.intent.set(func(st *addressing.State) { *st = addressing.State{} })
		b.Kick()
		b.settle()
		if b.Status().IntentLost == "" {
			t.Fatal("an empty database was not noticed")
		}
		if _, err := b.Rebuild(t.Context(), person, "rebuild"); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if s := b.Status(); s.IntentLost != "" || s.Refusal != nil || b.wire.routes() != 199 || b.wire.held[cidr] {
			t.Errorf("%d routes, blocked one up: %v, status %+v", b.wire.routes(), b.wire.held[cidr], s)
		}
	})
}

func TestRollbackRefusesWhatNamesNothing(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		two := back(1, true)
		two.Accounts = []string{"x"}
		unknown := back(1, false)
		unknown.Accounts = []string{"nobody"}
		prefix := back(1, false)
		prefix.Prefixes = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		for name, req := range map[string]rollout.RollbackRequest{
			"nothing": back(1, false), "two kinds": two, "unknown account": unknown, "unknown prefix": prefix, "unknown generation": back(999, true),
		} {
			targets := b.wire.targets()
			if res, err := b.Rollback(t.Context(), req); err == nil || b.wire.targets() != targets {
				t.Errorf("%s: %+v, %v", name, res, err)
			}
		}
	})
}

func TestRollbackDryRun(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		b.admit(person, 1)
		b.settle()
		req := back(good, true)
		req.DryRun = true
		res, err := b.Rollback(t.Context(), req)
		if err != nil || len(res.Plan.Changes) != 1 || b.wire.routes() != 199 || len(b.intent.restored) != 0 {
			t.Errorf("%+v, %v, %d routes", res, err, b.wire.routes())
		}
	})
}

func TestPin(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		if err := b.Pin(person, ""); err == nil {
			t.Error("pinned without a reason")
		}
		if err := b.Pin(person, "holidays"); err != nil {
			t.Fatal(err)
		}
		b.admit(person, 1)
		b.settle()
		if b.wire.routes() != 200 {
			t.Fatalf("%d routes while pinned", b.wire.routes())
		}
		p, _, err := b.Pending(t.Context())
		if err != nil || len(p.Losses()) != 1 {
			t.Fatalf("pending %+v, %v", p, err)
		}
		if err := b.Unpin(t.Context(), p.To); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if b.wire.routes() != 199 {
			t.Errorf("%d routes after unpinning", b.wire.routes())
		}
	})
}

// A change that was held when everything was put back explains nothing later.
func TestRollbackForgetsWhatWasHeld(t *testing.T) {
	gate := gateFunc(func(p plan.Plan) (policy.Verdict, error) {
		if len(p.Losses()) > 0 {
			return policy.Hold, nil
		}
		return policy.Allow, nil
	})
	run(t, func(c *rollout.Config) { c.Gate = gate }, func(t *testing.T, b *bench) {
		b.admit(person, 1)
		b.settle()
		if _, err := b.Rollback(t.Context(), back(b.Status().Generation, true)); err != nil {
			t.Fatal(err)
		}
		b.settle()
		if s := b.Status(); s.Refusal != nil || !b.intent.st.BGPPrefixes[1].Advertised {
			t.Fatalf("still held: %+v", s.Refusal)
		}
		b.intent.set(func(st *addressing.State) { st.BGPPrefixes[1].Advertised = false })
		b.Kick()
		b.settle()
		if s := b.Status(); s.Refusal == nil || !s.Refusal.Report.Has(plan.RuleUnexplained) {
			t.Errorf("a loss behind the daemon's back is explained by what was held before: %+v", s.Refusal)
		}
	})
}

// A generation that is on the wire but could not be marked good is said to be
// degraded, and marked as soon as it can be.
func TestMarkingGoodIsTriedAgain(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		var blocked []string
		for _, copy := range []string{"a", "b"} {
			path := filepath.Join(b.root, copy, "good.note")
			if err := errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "x"), 0o700)); err != nil {
				t.Fatal(err)
			}
			blocked = append(blocked, path)
		}
		b.admit(person, 1)
		b.settle()
		if s := b.Status(); b.wire.routes() != 199 || s.Degraded == "" {
			t.Fatalf("%d routes, degraded %q", b.wire.routes(), s.Degraded)
		}
		for _, path := range blocked {
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
		}
		b.Kick()
		b.settle()
		l, err := b.store.Good()
		if s := b.Status(); err != nil || s.Degraded != "" || l.Head.Generation != s.Generation || l.Fallback {
			t.Errorf("last-known-good %+v, %v, degraded %q", l.Head, err, s.Degraded)
		}
	})
}

// An owner's rollback goes through desired state: what that refuses moves
// nothing and pins nothing, and what it takes in reaches the wire.
func TestRollbackByOwner(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good := b.Status().Generation
		account, other := b.intent.st.Prefixes[0].AccountID, b.intent.st.Prefixes[199].AccountID
		b.admit(person, 0, 1, 199)
		b.settle()
		lost, before := b.wire.routes(), b.Active().Snapshot
		req := back(good, false)
		req.Accounts, req.Actor = []string{account}, addressing.Actor{Kind: addressing.Owner, ID: "token-1", AccountID: account}

		for name, change := range map[string]func(*rollout.RollbackRequest){
			"everything":      func(q *rollout.RollbackRequest) { q.All, q.Accounts = true, nil },
			"another account": func(q *rollout.RollbackRequest) { q.Accounts = []string{other} },
			"two accounts":    func(q *rollout.RollbackRequest) { q.Accounts = []string{account, other} },
			"a prefix":        func(q *rollout.RollbackRequest) { q.Accounts, q.Prefixes = nil, []netip.Prefix{synthetic.CIDR(0)} },
			"withdraw":        func(q *rollout.RollbackRequest) { q.Withdraw = true },
			"lift":            func(q *rollout.RollbackRequest) { q.Lift = []string{"abuse"} },
		} {
			q := req
			change(&q)
			if _, err := b.Rollback(t.Context(), q); addressing.CodeOf(err) != addressing.CodeForbidden {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.intent.set(func(*addressing.State) {
			b.intent.err = &addressing.Error{Code: addressing.CodeForbidden, Detail: "no"}
		})
		if res, err := b.Rollback(t.Context(), req); addressing.CodeOf(err) != addressing.CodeForbidden || res.Pinned != "" {
			t.Errorf("refused by desired state: %+v, %v", res, err)
		}
		b.intent.set(func(*addressing.State) { b.intent.err = nil })
		dry := req
		dry.DryRun = true
		if res, err := b.Rollback(t.Context(), dry); err != nil || len(res.Plan.Changes) != 2 {
			t.Errorf("dry run: %d changes, %v", len(res.Plan.Changes), err)
		}
		if s := b.Status(); b.wire.routes() != lost || s.Pinned || len(b.intent.restored) != 0 {
			t.Fatalf("%d routes, were %d; restored %v; status %+v", b.wire.routes(), lost, b.intent.restored, s)
		}

		res, err := b.Rollback(t.Context(), req)
		if err != nil || res.Generation == 0 || res.Pinned != "" || len(res.Plan.Changes) != 2 {
			t.Fatalf("%+v, %v", res, err)
		}
		if scope := b.intent.restored[0].Scope; scope.Account() != account || b.intent.restored[0].Withdraw || b.intent.restored[0].Want.Services != nil {
			t.Errorf("asked desired state for %+v", b.intent.restored[0])
		}
		b.settle()
		if s := b.Status(); b.wire.routes() != 199 || s.Pinned || s.Refusal != nil || b.Active().Snapshot.PartSum(other) != before.PartSum(other) {
			t.Errorf("%d routes on the wire, want all but the other account's; status %+v", b.wire.routes(), s)
		}
	})
}

// A pinned wire is an operator's: an owner is told so, and nothing is written.
func TestRollbackByOwnerWhilePinned(t *testing.T) {
	run(t, nil, func(t *testing.T, b *bench) {
		good, account := b.Status().Generation, b.intent.st.Prefixes[0].AccountID
		b.admit(person, 0)
		b.settle()
		if err := b.store.SetPin(snapshots.Pin{Generation: b.Status().Generation, Actor: "operator/noc", Reason: "looking into it", At: 1}); err != nil {
			t.Fatal(err)
		}
		req := back(good, false)
		req.Accounts, req.Actor = []string{account}, addressing.Actor{Kind: addressing.Owner, ID: "token-1", AccountID: account}
		if _, err := b.Rollback(t.Context(), req); addressing.CodeOf(err) != addressing.CodeUnavailable || b.wire.routes() != 199 || len(b.intent.restored) != 0 {
			t.Errorf("%v, %d routes, asked for %v", err, b.wire.routes(), b.intent.restored)
		}
	})
}
