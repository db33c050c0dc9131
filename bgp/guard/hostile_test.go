package guard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	gobgp "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/hostile"
	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

const vectorDir = "../../testdata/vectors"

// hostileASN is the AS that the vectors' own messages come from.
const hostileASN = 64666

// inbound is the whole way of a neighbor's message through the guard in one
// process: reader, phase, RFC 7606, OTC, the origin of what may be sent, and the
// hand-over to the engine, without a socket. The neighbor may send us anything,
// so that everything that is not malformed is rebuilt and handed on.
type inbound struct {
	neighbor *neighbor
	other    *table // of a neighbor that shares nothing with the hostile one but the guard
	terms    terms
	engine   *sink
	before   []snapshots.TargetRoute
}

// sink is the engine's end of a leg: what is written to it must be readable for
// GoBGP, and is checked by a second reader.
type sink struct {
	net.Conn
	session  wire.Session
	messages int
	failure  error
}

func (s *sink) SetWriteDeadline(time.Time) error { return nil }

func (s *sink) Write(raw []byte) (int, error) {
	for rest := raw; len(rest) > 0 && s.failure == nil; {
		length, t, refuse := wire.CheckHeader(rest)
		if refuse != nil || len(rest) < length || t != wire.TypeUpdate {
			s.failure = fmt.Errorf("handed to the engine: %s, %v: %x", t, refuse, rest)
			break
		}
		s.failure = s.check(rest[:length])
		rest = rest[length:]
		s.messages++
	}
	return len(raw), nil
}

// check reads a message as the guard's own walker and as GoBGP do.
func (s *sink) check(raw []byte) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("GoBGP panics on %x: %v", raw, r)
		}
	}()
	if u := s.session.Classify(raw[wire.HeaderLen:]); u.Action != wire.Accept {
		return fmt.Errorf("handed to the engine: %s, %s: %x", u.Action, u.Why, raw)
	}
	m, err := gobgp.ParseBGPMessage(raw)
	if err != nil {
		return fmt.Errorf("GoBGP refuses %x: %w", raw, err)
	}
	u := m.Body.(*gobgp.BGPUpdate)
	families := map[gobgp.RouteFamily]gobgp.BGPAddPathMode{gobgp.RF_IPv4_UC: 0, gobgp.RF_IPv6_UC: 0}
	if ok, err := gobgp.ValidateUpdateMsg(u, families, true, false, true); !ok {
		return fmt.Errorf("GoBGP refuses %x: %w", raw, err)
	}
	return nil
}

// silent is a connection whose deadlines nobody waits for.
type silent struct{ net.Conn }

func (silent) SetReadDeadline(time.Time) error { return nil }

func newInbound(t testing.TB, receive policy.Receive) *inbound {
	t.Helper()
	both := addressing.Families()
	g := &Guard{cfg: Config{ASN: 64500, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Events: func(bgp.Event) {}}, legs: map[netip.Addr]*leg{}}
	g.log, g.ctx = g.cfg.Logger, t.Context()
	n := newNeighbor(g, Neighbor{
		Neighbor: policy.Neighbor{Name: "hostile", Kind: policy.EBGP, ASN: hostileASN, LocalASN: 64500, Role: policy.RoleProvider, Families: both[:], Receive: receive},
		Loopback: LegNetwork(policy.RoleProvider).Addr().Next().Next(), HoldTime: time.Minute,
		Accept: func(netip.Prefix) bool { return true },
	})
	families := wire.NewFamilySet(wire.IPv4Unicast, wire.IPv6Unicast)
	in := &inbound{
		neighbor: n, other: newTable(&offers{}), engine: &sink{session: wire.Session{Families: families}},
		terms: terms{families: families, hold: time.Minute, session: wire.Session{Families: families}},
	}
	n.leg.conn = in.engine
	target, err := compile(&n.Neighbor, bgp.Order{Epoch: 1}, []snapshots.TargetRoute{{
		Prefix: netip.MustParsePrefix("203.0.113.0/24"), Attrs: &snapshots.Attributes{ASPath: []uint32{64500}, NextHop: netip.MustParseAddr("192.0.2.1")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tb := range []*table{n.table, in.other} {
		tb.offers.newPass()
		tb.offers.put(netip.MustParsePrefix("203.0.113.0/24"), 0, wire.AttrSet{})
		tb.swap(target)
		tb.begin(families, true)
		if _, _, err := tb.fill(nil, wire.Encoding{}); err != nil {
			t.Fatal(err)
		}
	}
	in.before = in.other.routes()
	return in
}

// session feeds one session with messages until one ends it. It returns how
// many octets were read, and how the session ended.
func (in *inbound) session(stream []byte) (read int, end error) {
	from := bytes.NewReader(stream)
	in.neighbor.table.mu.Lock()
	in.neighbor.table.dump = dump{} // nobody reads what a ROUTE-REFRESH asks for
	in.neighbor.table.mu.Unlock()
	end = in.neighbor.read(&connection{Conn: silent{}}, wire.NewReader(from), in.terms)
	return len(stream) - from.Len(), end
}

// unharmed reports what must never have happened.
func (in *inbound) unharmed() error {
	if in.engine.failure != nil {
		return in.engine.failure
	}
	for name, tb := range map[string]*table{"its own": in.neighbor.table, "another neighbor's": in.other} {
		if got := tb.routes(); len(got) != len(in.before) || got[0] != in.before[0] || tb.undecided() != 0 {
			return fmt.Errorf("%s Adj-RIB-Out is %v, %d to be decided; want %v", name, got, tb.undecided(), in.before)
		}
	}
	return nil
}

// expected is how a session that reads raw has to end, nil for not at all.
func (in *inbound) expected(raw []byte) *wire.Notification {
	var refusal *wire.Notification
	m, err := wire.ParseMessage(raw)
	switch {
	case errors.As(err, &refusal):
		return refusal
	case err != nil:
		return nil
	}
	if refusal := wire.PhaseEstablished.Admit(m.Type); refusal != nil {
		return refusal
	}
	if m.Type == wire.TypeUpdate {
		if u := in.terms.session.Classify(m.Body); u.Action == wire.SessionReset {
			return u.Notification()
		}
	}
	return nil
}

// Every message of the vectors, alone on a session: it ends as RFC 7606 and RFC
// 4271 say or not at all, what reaches the engine is whole, and the Adj-RIB-Outs
// do not notice.
func TestVectorsThroughTheGuard(t *testing.T) {
	vectors, err := hostile.Vectors(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, receive := range []policy.Receive{policy.ReceiveControl, policy.ReceiveNone} {
		in := newInbound(t, receive)
		for i, raw := range vectors {
			want := in.expected(raw)
			_, end := in.session(raw)
			got := answer(end)
			if (got == nil) != (want == nil) || got != nil && (got.Code != want.Code || got.Subcode != want.Subcode) {
				t.Errorf("message %d, %x: ends with %v, want %v", i, raw, end, want)
			}
			if err := in.unharmed(); err != nil {
				t.Fatalf("message %d, %x: %v", i, raw, err)
			}
		}
		if handed := in.engine.messages; (handed > 50) != (receive == policy.ReceiveControl) {
			t.Errorf("receive %s: %d messages reached the engine", receive, handed)
		}
	}
}

// Mutated messages through the guard: no panic, nothing malformed reaches the
// engine, and nobody's Adj-RIB-Out changes. HOLDFAST_MESSAGES says how many.
func TestMutatedMessagesThroughTheGuard(t *testing.T) {
	total := throughTheGuard
	if s := os.Getenv("HOLDFAST_MESSAGES"); s != "" {
		var err error
		if total, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	vectors, err := hostile.Vectors(vectorDir)
	if err != nil {
		t.Fatal(err)
	}
	begun, workers := time.Now(), runtime.GOMAXPROCS(0)
	results := make([]assault, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { results[w] = attack(newInbound(t, policy.ReceiveControl), vectors, uint64(w), total/workers) })
	}
	group.Wait()
	var all assault
	for w, r := range results {
		if r.failure != nil {
			t.Errorf("worker %d after %d messages: %v", w, r.messages, r.failure)
		}
		all.messages, all.ends, all.handed = all.messages+r.messages, all.ends+r.ends, all.handed+r.handed
	}
	if all.messages < total/workers*workers || all.ends == 0 || all.handed == 0 {
		t.Errorf("%+v, want %d messages, some of which end the session and some of which pass", all, total)
	}
	t.Logf("%d messages, %d ends of a session, %d messages to the engine, in %s", all.messages, all.ends, all.handed, time.Since(begun).Round(time.Millisecond))
}

// assault is what came of an attack.
type assault struct {
	messages, ends, handed int
	failure                error
}

// attack sends mutated messages, a stream at a time; a session that ends is
// followed by the next, with the rest of the stream.
func attack(in *inbound, vectors [][]byte, seed uint64, total int) (out assault) {
	rng := rand.New(rand.NewPCG(seed, 9234))
	var stream []byte
	for out.messages < total {
		stream = stream[:0]
		var starts []int
		for range min(64, total-out.messages) {
			starts = append(starts, len(stream))
			stream = append(stream, hostile.Mutate(rng, vectors[rng.IntN(len(vectors))])...)
			out.messages++
		}
		for len(starts) > 0 {
			at := starts[0]
			read, end := in.session(stream[at:])
			if answer(end) != nil {
				out.ends++
			}
			// The next session begins at the next message.
			for len(starts) > 0 && starts[0] < at+read {
				starts = starts[1:]
			}
		}
		if out.failure = in.unharmed(); out.failure != nil {
			out.failure = fmt.Errorf("%w, after %x", out.failure, stream)
			break
		}
	}
	out.handed = in.engine.messages
	return out
}

// FuzzInbound: any octets that a neighbor may send on an established session.
func FuzzInbound(f *testing.F) {
	vectors, err := hostile.Vectors(vectorDir)
	if err != nil {
		f.Fatal(err)
	}
	for _, raw := range vectors {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		in := newInbound(t, policy.ReceiveControl)
		if _, end := in.session(stream); end == nil {
			t.Error("the session goes on after the end of the stream")
		}
		if err := in.unharmed(); err != nil {
			t.Error(err)
		}
	})
}
