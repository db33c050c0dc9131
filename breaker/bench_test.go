package breaker

import (
	"fmt"
	"net/netip"
	"runtime"
	"testing"
	"time"
)

// A decision on a plan of 10,000 changes.
func BenchmarkJudge10000(b *testing.B) {
	w := newNetwork(100_000, 1000, 0, "n")
	lim := DefaultLimits()
	m := NewModel(lim)
	set := w.customers[:10_000]
	step := func(e Event) Decision {
		d, _, err := m.Step(e)
		if err != nil {
			b.Fatal(err)
		}
		return d
	}
	step(WasApproved{Approval{ID: "a", Prefixes: prefixes(set), Until: at(day), Requester: operator("x")}, at(0)})
	if d := step(Proposed{Proposal{ID: "c", Actor: operator("x"), At: at(0), Losses: set, Approval: "a"}, w.base}); d.Verdict != Allow {
		b.Fatal(d.Findings)
	}
	facts := PlanFacts{At: at(0), Losses: set, Neighbors: []NeighborFact{{"n", IPv4, 90_000, 81_000}, {"n", IPv6, 10_000, 9_000}}}
	for b.Loop() {
		if d := step(Planned{facts, w.base}); d.Verdict != Allow {
			b.Fatal(d.Findings)
		}
	}
}

// A decision on a change of 10,000 losses that every window has room for.
func BenchmarkAdmit10000(b *testing.B) {
	w := newNetwork(200_000, 1000, 0, "n")
	lim := DefaultLimits()
	for _, list := range [][]Rung{lim.Ladder, lim.Actor, lim.Account} {
		for i := range list {
			list[i].Share, list[i].Floor, list[i].Total = 1000, 1<<20, 1<<20
		}
	}
	lim.PlanShare, lim.StateShare = 1000, 1000
	m := NewModel(lim)
	i := 0
	for b.Loop() {
		i++
		id := fmt.Sprint(i)
		d, _, err := m.Step(Proposed{Proposal{ID: id, Actor: operator("x"), At: at(0), Losses: w.customers[:10_000]}, w.base})
		if err != nil || d.Verdict != Allow {
			b.Fatal(d.Findings, err)
		}
		m.Step(Released{id, at(0)})
	}
}

// One owner's toggle through the whole breaker, journal and fsync included.
func BenchmarkAdmitOneFsynced(b *testing.B) {
	w := feb20()
	br, _ := opened(b, DefaultLimits())
	i := 0
	for b.Loop() {
		i++
		l := w.customers[i%len(w.customers)]
		l.OnDemand = true
		when := time.Duration(i) * time.Minute
		if d := br.Admit(ctx, losing(fmt.Sprint(i), owner(l.Account), when, l), w.base); d.Verdict != Allow {
			b.Fatal(d.Findings)
		}
	}
}

// A week of one loss a second of 20,000 prefixes.
func weekRecords() []Record {
	w := newNetwork(20_000, 400, 0)
	recs := []Record{{Kind: RecordStart, Seq: 1, At: start.UnixMilli()}}
	for i := range 7 * 24 * 3600 {
		l := w.customers[(i*7919)%len(w.customers)]
		recs = append(recs, Record{Kind: RecordCharge, Seq: uint64(i + 2), At: start.UnixMilli() + int64(i)*1000, ID: fmt.Sprint(i), Actor: operator(fmt.Sprint(i % 20)),
			Base:  Baseline{Customer: w.base.Customer, Accounts: map[string]Count{l.Account: w.base.Accounts[l.Account]}},
			Items: []Item{{Prefix: l.Prefix, Account: l.Account, Weight: WeightFull}}})
	}
	return recs
}

// journalOf is a journal of these records as it is on disk.
func journalOf(recs []Record) []byte {
	j := &journal{}
	buf, chain := j.frame(make([]byte, headerSize), recs)
	copy(buf, encodeHeader(int64(len(buf)-headerSize), chain, uint64(len(recs))))
	return buf
}

func replayBench(b *testing.B, data []byte) {
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		m := NewModel(DefaultLimits())
		if _, err := replayJournal(data, m); err != nil {
			b.Fatal(err)
		}
	}
}

// The week as the daemon finds it at start: compacted as it went.
func BenchmarkReplayWeek(b *testing.B) {
	recs := weekRecords()
	m := NewModel(DefaultLimits())
	var kept []Record
	length, base := 0, 0
	for i := range recs {
		m.Replay(&recs[i])
		kept = append(kept, recs[i])
		length += frameSize + len(appendRecord(nil, &recs[i]))
		if length > compactMin && length > compactFactor*base {
			kept = m.Compacted()
			length = len(journalOf(kept)) - headerSize
			base = length
		}
	}
	replayBench(b, journalOf(kept))
}

// The week without a single compaction.
func BenchmarkReplayWeekWhole(b *testing.B) { replayBench(b, journalOf(weekRecords())) }

// Memory is per prefix and scope, whatever the number of events.
func BenchmarkMemory(b *testing.B) {
	for _, rounds := range []int{1, 20} {
		b.Run(fmt.Sprintf("prefixes=50000/rounds=%d", rounds), func(b *testing.B) {
			for b.Loop() {
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				l := newLedger(newBook(), DefaultLimits().Ladder)
				var k key
				for r := range rounds {
					for i := range 50_000 {
						now := start.UnixMilli() + int64(r*50_000+i)
						l.advance(now)
						k = prefixKey(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(i >> 16), byte(i >> 8), byte(i), 0}), 24))
						l.charge(k, mark{at: now, weight: WeightFull})
					}
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/50_000, "B/prefix")
				runtime.KeepAlive(l)
			}
		})
	}
}

// Ten times the events of the same prefixes, actors and accounts leave the model
// as large as it was: memory is O(prefixes x scopes), whatever the number of
// events in a window.
func TestMemoryIsPerPrefix(t *testing.T) {
	w := newNetwork(2000, 40, 0)
	lim := DefaultLimits()
	size := func(rounds int) float64 {
		m := NewModel(lim)
		at := start.UnixMilli()
		r := Record{Kind: RecordCharge, Base: Baseline{Customer: w.base.Customer}, Items: make([]Item, 1)}
		for i := range rounds * len(w.customers) {
			l := &w.customers[i%len(w.customers)]
			at += 86_400_000 / int64(20*len(w.customers)) // at most a day in all: nothing leaves its windows
			r.Seq, r.At, r.ID, r.Actor = uint64(i+1), at, "", operator(actorNames[i%len(w.customers)%len(actorNames)])
			r.Items[0] = Item{Prefix: l.Prefix, Account: l.Account, Weight: WeightFull}
			m.Replay(&r)
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		held := len(m.book.pages)
		runtime.KeepAlive(m)
		m = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		if held < len(w.customers) {
			t.Fatalf("%d prefixes are held of %d", held, len(w.customers))
		}
		return float64(before.HeapAlloc) - float64(after.HeapAlloc)
	}
	once, often := size(2), size(20)
	if often > 1.1*once || once < 1000*float64(len(w.customers))/10 {
		t.Errorf("%.0f bytes after 4,000 events, %.0f after 40,000", once, often)
	}
}

var actorNames = []string{"a", "b", "c", "d", "e"}

// Events through one ledger of seven windows.
func BenchmarkLedgerCharge(b *testing.B) {
	l := newLedger(newBook(), DefaultLimits().Ladder)
	ks := make([]key, 65536)
	for i := range ks {
		ks[i] = prefixKey(testPrefix(i))
	}
	i := 0
	for b.Loop() {
		now := start.UnixMilli() + int64(i/1000)
		l.advance(now)
		l.charge(ks[i%len(ks)], mark{at: now, weight: WeightFull})
		i++
	}
}
