package breaker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var ctx = context.Background()

// opened returns an initialised breaker in a fresh directory.
func opened(t testing.TB, lim Limits) (*Breaker, string) {
	t.Helper()
	dir := t.TempDir()
	if err := Init(dir, start); err != nil {
		t.Fatal(err)
	}
	return reopened(t, dir, lim, start), dir
}

func reopened(t testing.TB, dir string, lim Limits, when time.Time) *Breaker {
	t.Helper()
	b, err := OpenDir(dir, Options{Limits: lim, At: when})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// crash leaves the files as a killed process would: nothing is flushed.
func crash(b *Breaker) {
	b.j.f.Close()
	b.j = nil
}

func losing(id string, by Actor, when time.Duration, losses ...Loss) Proposal {
	return Proposal{ID: id, Actor: by, At: at(when), Losses: losses}
}

// A restart, clean or not, refreshes no budget.
func TestRestartRefreshesNothing(t *testing.T) {
	w := feb20()
	b, dir := opened(t, DefaultLimits())
	n := 0
	for i, l := range w.customers[:200] {
		when := time.Duration(i) * time.Second
		if b.Admit(ctx, losing(fmt.Sprint(i), operator("x"), when, l), w.base).Verdict == Allow {
			n++
		}
		if i%5 == 0 {
			crash(b)
			b = reopened(t, dir, DefaultLimits(), at(when))
		}
	}
	if n > 43 || n < 30 {
		t.Errorf("with 40 crashes %d were withdrawn, want as many as without", n)
	}
	st := b.Status(at(time.Hour))
	if st[0].State != Open || st[0].Scope != operator("x").Scope() || st[0].TripID == "" || st[0].Reason == "" || st[0].Since.IsZero() {
		t.Errorf("after the crashes the status is %+v, want the actor open", st[0])
	}
	if !b.Explained(w.customers[0].Prefix) || b.Explained(w.customers[199].Prefix) {
		t.Error("after the crashes the admitted losses are not those explained")
	}
}

// The trailing maximum survives a crash.
func TestPeakSurvivesCrash(t *testing.T) {
	w := feb20()
	lim := only(func(l *Limits) { l.StateFloor, l.StateShare = 10, 10 })
	b, dir := opened(t, lim)
	if err := b.ObserveAdvertised("n", IPv4, 6000, at(0)); err != nil {
		t.Fatal(err)
	}
	if err := b.ObserveAdvertised("n", IPv4, 6500, at(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	b.Admit(ctx, losing("a", operator("x"), time.Second, w.customers[0]), Baseline{Customer: w.base.Customer})
	crash(b)
	b = reopened(t, dir, lim, at(time.Minute))
	facts := PlanFacts{At: at(time.Minute), Neighbors: []NeighborFact{{"n", IPv4, 6450, 6434}}}
	if d := b.Judge(ctx, facts, w.base); d.Verdict != Refuse {
		t.Errorf("66 under the maximum before the crash: %v, want refused", d.Verdict)
	}
	facts.At = at(2 * time.Hour)
	b.Reset(Scope{ScopeNeighbor, "n"}, b.Status(facts.At)[0].TripID, "test", operator("x"), facts.At)
}

// A clock that jumps back, while running or across a restart, refreshes no
// budget, and does not stop time either.
func TestClockJumpsBack(t *testing.T) {
	w := feb20()
	lim := only(func(l *Limits) { l.Ladder = []Rung{{Name: "L", Span: 10 * time.Minute, Floor: 5, Total: 5}} })
	b, dir := opened(t, lim)
	for i, l := range w.customers[:5] {
		if d := b.Admit(ctx, losing(fmt.Sprint(i), operator(fmt.Sprint(i)), time.Hour, l), w.base); d.Verdict != Allow {
			t.Fatal(d.Findings)
		}
	}
	again := func(id int, when time.Duration) Verdict {
		return b.Admit(ctx, losing(fmt.Sprint("again", id), operator(fmt.Sprint(id)), when, w.customers[id]), w.base).Verdict
	}
	if again(10, -24*time.Hour) == Allow {
		t.Error("a clock a day back refreshed the budget")
	}
	crash(b)
	b = reopened(t, dir, lim, at(-24*time.Hour))
	if again(11, -24*time.Hour) == Allow {
		t.Error("a clock a day back across a restart refreshed the budget")
	}
	st := b.Status(at(-24 * time.Hour))
	if st[0].State != Open {
		t.Fatalf("status %+v, want the trip", st)
	}
	if err := b.Reset(st[0].Scope, st[0].TripID, "test", operator("z"), at(-24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	// Time goes on from where the journal ended.
	if v := again(12, -23*time.Hour); v != Allow {
		t.Errorf("an hour later: %v, want allowed", v)
	}
}

// A day forward does not close anything.
func TestOpenSurvivesClockForward(t *testing.T) {
	b, dir := opened(t, DefaultLimits())
	id, err := b.Trip(Global, Open, "test", operator("x"), at(0))
	if err != nil {
		t.Fatal(err)
	}
	for _, when := range []time.Duration{24 * time.Hour, 400 * 24 * time.Hour, -time.Hour} {
		crash(b)
		b = reopened(t, dir, DefaultLimits(), at(when))
		if st := b.Status(at(when)); st[0].State != Open || st[0].TripID != id {
			t.Errorf("clock moved by %s: %+v, want open by %s", when, st[0], id)
		}
	}
}

func TestMissingJournalMeansOpen(t *testing.T) {
	dir := t.TempDir()
	b := reopened(t, dir, DefaultLimits(), start)
	if st := b.Status(start); st[0].State != Open || !strings.Contains(st[0].Reason, "missing") {
		t.Fatalf("no journal: %+v, want open and why", st[0])
	}
	w := feb20()
	if d := b.Admit(ctx, losing("a", operator("x"), 0, w.customers[0]), w.base); d.Verdict != Refuse {
		t.Error("a loss passed without a journal")
	}
	if d := b.Admit(ctx, Proposal{ID: "g", Actor: operator("x"), At: start, Gains: prefixes(w.customers[:1])}, w.base); d.Verdict != Allow {
		t.Errorf("a restore without a journal: %v", d.Findings)
	}
	id := b.Status(start)[0].TripID
	b.Close()
	b = reopened(t, dir, DefaultLimits(), start)
	if st := b.Status(start); st[0].State != Open || st[0].TripID != id {
		t.Errorf("after another restart %+v, want the same trip %s", st[0], id)
	}
	if err := b.Reset(Global, id, "looked into it", operator("x"), start); err != nil {
		t.Error(err)
	}
}

func TestInitNeverEmpties(t *testing.T) {
	b, dir := opened(t, DefaultLimits())
	if err := Init(dir, start); err == nil {
		t.Fatal("init on an initialised directory")
	}
	if _, err := OpenDir(dir, Options{At: start}); !errors.Is(err, errBusy) {
		t.Errorf("a second process: %v, want %v", err, errBusy)
	}
	b.Close()
	if d := b.Admit(ctx, Proposal{Actor: operator("x"), At: start}, Baseline{}); d.Verdict != Refuse {
		t.Error("a closed breaker allowed")
	}
	var zero Breaker
	if d := zero.Admit(ctx, Proposal{Actor: operator("x"), At: start}, Baseline{}); d.Verdict != Refuse {
		t.Error("the zero breaker allowed")
	}
	if d := zero.Judge(ctx, PlanFacts{At: start}, Baseline{}); d.Verdict != Refuse || zero.State(start) != Open {
		t.Error("the zero breaker is not open")
	}
}

// sampleJournal is a journal with every kind of record.
func sampleJournal(t testing.TB) []byte {
	t.Helper()
	w := newNetwork(300, 10, 20, "n", "m")
	b, dir := opened(t, DefaultLimits())
	b.ObserveAdvertised("n", IPv4, 270, at(0))
	for i, l := range w.customers[:8] {
		l.Services, l.Neighbors = []string{"cdn"}, []string{"n"}
		b.Admit(ctx, losing(fmt.Sprint(i), operator("x"), time.Duration(i)*time.Second, l), w.base)
	}
	b.Admit(ctx, losing("own", owner("a001"), 0, w.of("a001", 2)...), w.base)
	b.Release("3", at(9*time.Second))
	b.Admit(ctx, Proposal{ID: "g", Actor: operator("x"), At: at(10 * time.Second), Gains: prefixes(w.customers[:2])}, w.base)
	b.Admit(ctx, losing("big", operator("x"), 11*time.Second, w.customers[20:80]...), w.base)
	if err := b.Approve(Approval{ID: "ap", Prefixes: prefixes(w.customers[:3]), Until: at(time.Hour), Requester: operator("x")}, at(12*time.Second)); err != nil {
		t.Fatal(err)
	}
	b.Approve(Approval{ID: "ap2", Prefixes: prefixes(w.customers[:3]), Until: at(time.Hour), Requester: operator("x")}, at(12*time.Second))
	b.Revoke("ap2", operator("y"), at(13*time.Second))
	id, _ := b.Trip(operator("y").Scope(), Locked, "test", operator("x"), at(14*time.Second))
	b.Reset(operator("y").Scope(), id, "test", operator("x"), at(15*time.Second))
	b.Close()
	data, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Every cut and every flipped bit is seen.
func TestJournalDamageIsSeen(t *testing.T) {
	data := sampleJournal(t)
	kinds := map[RecordKind]int{}
	if _, err := scanJournal(data, func(r *Record) { kinds[r.Kind]++ }); err != nil {
		t.Fatal(err)
	}
	for k := RecordCharge; k <= RecordStart; k++ {
		if kinds[k] == 0 {
			t.Errorf("the sample has no %v record", k)
		}
	}
	ignore := func(*Record) {}
	for n := range len(data) {
		if _, err := scanJournal(data[:n], ignore); !errors.Is(err, errDamaged) {
			t.Fatalf("cut after %d of %d bytes: %v, want damage", n, len(data), err)
		}
	}
	for i := range len(data) * 8 {
		bad := bytes.Clone(data)
		bad[i/8] ^= 1 << (i % 8)
		if _, err := scanJournal(bad, ignore); !errors.Is(err, errDamaged) {
			t.Fatalf("bit %d flipped: %v, want damage", i, err)
		}
	}
	for _, tail := range [][]byte{{0}, bytes.Repeat([]byte{0}, 8), bytes.Repeat([]byte{0xff}, 100), []byte("garbage at the end")} {
		if _, err := scanJournal(append(bytes.Clone(data), tail...), ignore); !errors.Is(err, errDamaged) {
			t.Errorf("%d bytes appended: %v, want damage", len(tail), err)
		}
	}
}

// A crash between a record and the header that counts it loses nothing.
func TestJournalRecordWithoutHeader(t *testing.T) {
	data := sampleJournal(t)
	j, err := scanJournal(data, func(*Record) {})
	if err != nil {
		t.Fatal(err)
	}
	more, _ := j.frame(nil, []Record{{Kind: RecordTrip, Seq: 99, ID: "trip-9", Scope: Global, To: Open}})
	n := 0
	if _, err := scanJournal(append(data, more...), func(*Record) { n++ }); err != nil || n != int(j.count)+1 {
		t.Errorf("%d records, %v, want %d", n, err, j.count+1)
	}
}

func TestDamagedJournalMeansOpenAndIsKept(t *testing.T) {
	dir := t.TempDir()
	data := sampleJournal(t)
	path := filepath.Join(dir, journalName)
	if err := os.WriteFile(path, data[:len(data)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	b := reopened(t, dir, DefaultLimits(), start)
	if st := b.Status(start)[0]; st.State != Open || st.Scope != Global || !strings.Contains(st.Reason, "cut") {
		t.Errorf("a torn journal: %+v, want open and why", st)
	}
	if kept, err := os.ReadFile(path + ".damaged-1"); err != nil || !bytes.Equal(kept, data[:len(data)-3]) {
		t.Errorf("the damaged journal was not kept aside: %v", err)
	}
}

// FuzzJournal: whatever the bytes are, they are read without a panic and
// without more memory than they are long; and what is not what was written
// means open.
func FuzzJournal(f *testing.F) {
	good := sampleJournal(f)
	f.Add(good, uint32(0), byte(0))
	f.Add(good, uint32(70), byte(1))
	f.Add(good[:headerSize], uint32(0), byte(0))
	f.Add([]byte{}, uint32(0), byte(0))
	f.Fuzz(func(t *testing.T, data []byte, at uint32, xor byte) {
		data = bytes.Clone(data)
		if len(data) > 0 {
			data[int(at)%len(data)] ^= xor
		}
		m := NewModel(DefaultLimits())
		_, err := scanJournal(data, m.Replay)
		if err != nil && !errors.Is(err, errDamaged) {
			t.Fatalf("%v, want damage", err)
		}
		if err == nil && len(data) == len(good) && !bytes.Equal(data, good) {
			if bytes.Equal(data[:headerSize], good[:headerSize]) {
				t.Fatal("a changed journal was taken for the good one")
			}
		}
	})
}

// FuzzRecord: what decodes encodes to the same again.
func FuzzRecord(f *testing.F) {
	scanJournal(sampleJournal(f), func(r *Record) { f.Add(appendRecord(nil, r)) })
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeRecord(data, map[string]string{})
		if err != nil {
			return
		}
		again, err := decodeRecord(appendRecord(nil, &r), map[string]string{})
		if err != nil || !reflect.DeepEqual(r, again) {
			t.Fatalf("%+v became %+v, %v", r, again, err)
		}
		m := NewModel(DefaultLimits())
		m.Replay(&r)
		m.Status()
	})
}

func TestKeyRoundTrip(t *testing.T) {
	for _, s := range []string{"0.0.0.0/0", "192.0.2.0/24", "203.0.113.7/32", "::/0", "2001:db8::/32", "2001:db8::1/128", "::ffff:1.2.3.0/120"} {
		if p := netip.MustParsePrefix(s); prefixKey(p).prefix() != p {
			t.Errorf("%s became %s", p, prefixKey(p).prefix())
		}
	}
}

func TestReadJournalBesideADaemon(t *testing.T) {
	w := feb20()
	b, dir := opened(t, DefaultLimits())
	b.Admit(ctx, Proposal{ID: "c1", Actor: operator("x"), At: at(0), Generation: 7, Reason: "test", Losses: w.customers[:2]}, w.base)
	var got []Record
	if err := ReadJournal(dir, func(r Record) error { got = append(got, r); return nil }); err != nil {
		t.Fatal(err)
	}
	last := got[len(got)-1]
	if last.Kind != RecordCharge || last.ID != "c1" || last.Generation != 7 || last.Actor != operator("x") ||
		last.At != start.UnixMilli() || len(last.Items) != 2 || last.Items[0].Prefix != w.customers[0].Prefix {
		t.Errorf("the journal ends with %+v", last)
	}
	stop := errors.New("stop")
	if err := ReadJournal(dir, func(Record) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("%v, want the callback's error", err)
	}
}

// A journal that cannot be written refuses, and charges nothing for good.
func TestUnwritableJournalRefuses(t *testing.T) {
	w := feb20()
	b, dir := opened(t, DefaultLimits())
	good := b.j.f
	ro, err := os.Open(filepath.Join(dir, journalName))
	if err != nil {
		t.Fatal(err)
	}
	defer ro.Close()
	b.j.f = ro
	for i := range 30 {
		d := b.Admit(ctx, losing(fmt.Sprint("f", i), operator("x"), 0, w.customers[i]), w.base)
		if d.Verdict != Refuse || rules(d)[0] != "breaker.failed" {
			t.Fatalf("with a journal that cannot be written: %v %v", d.Verdict, rules(d))
		}
		if b.Failing() == nil || b.State(at(0)) != Closed {
			t.Fatalf("the breaker shows %s and says %v", b.State(at(0)), b.Failing())
		}
	}
	b.j.f = good
	if d := b.Admit(ctx, losing("ok", operator("x"), 0, w.customers[40]), w.base); d.Verdict != Allow {
		t.Errorf("with the disk back: %v", d.Findings)
	}
	if err := b.Failing(); err != nil {
		t.Errorf("with the disk back: %v", err)
	}
	if n := b.m.ledger(Global, dimLoss).rings[0].sum.total(); n != WeightFull {
		t.Errorf("%d charged, want the one that was allowed", n)
	}
}

// One person alone resets only some time after asking, across a crash too.
func TestResetAlone(t *testing.T) {
	lim := DefaultLimits()
	lim.ResetApprovals, lim.Approvals, lim.SingleDelay = 1, 1, 15*time.Minute
	b, dir := opened(t, lim)
	id, err := b.Trip(Global, Open, "test", operator("x"), at(0))
	if err != nil {
		t.Fatal(err)
	}
	reset := func(when time.Duration, id string, approvers ...string) error {
		return b.Reset(Global, id, "looked into it", operator("x"), at(when), approvers...)
	}
	for _, when := range []time.Duration{0, time.Minute, 15*time.Minute - time.Second} {
		if err := reset(when, id); !errors.Is(err, ErrAsked) {
			t.Errorf("after %s: %v, want %v", when, err, ErrAsked)
		}
		crash(b)
		b = reopened(t, dir, lim, at(when))
		if b.State(at(when)) != Open {
			t.Fatalf("after %s it is not open", when)
		}
	}
	if err := reset(15*time.Minute, id); err != nil || b.State(at(15*time.Minute)) != Recovering {
		t.Errorf("15 minutes after asking: %v", err)
	}
	id, _ = b.Trip(Global, Open, "again", operator("x"), at(16*time.Minute))
	if err := reset(40*time.Minute, id); !errors.Is(err, ErrAsked) {
		t.Errorf("a new trip was reset by asking about the old one: %v", err)
	}
	if err := reset(40*time.Minute, id, "operator/y"); err != nil {
		t.Errorf("with a second person: %v", err)
	}
	w := feb20()
	if err := b.Approve(Approval{ID: "one", Prefixes: prefixes(w.take(0, 50)), Until: at(9 * time.Hour), Requester: operator("x")}, at(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		when time.Duration
		want Verdict
	}{{2*time.Hour + time.Minute, Refuse}, {2*time.Hour + 15*time.Minute, Allow}} {
		p := losing(tt.when.String(), operator("x"), tt.when, w.take(0, 10)...)
		p.Approval = "one"
		if d := b.Admit(ctx, p, w.base); d.Verdict != tt.want {
			t.Errorf("one person's approval at %s: %v, want %v", tt.when, d.Verdict, tt.want)
		}
	}
}

// A hung breaker refuses in time.
func TestHungBreakerRefuses(t *testing.T) {
	b, _ := opened(t, DefaultLimits())
	if err := b.enter(ctx); err != nil { // somebody has it and does not come back
		t.Fatal(err)
	}
	c, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	if d := b.Admit(c, Proposal{Actor: operator("x"), At: start}, Baseline{}); d.Verdict != Refuse {
		t.Error("a hung breaker allowed")
	}
	if d := b.Judge(c, PlanFacts{At: start}, Baseline{}); d.Verdict != Refuse {
		t.Error("a hung breaker allowed a plan")
	}
	b.leave()
}
