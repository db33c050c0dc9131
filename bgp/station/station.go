package station

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/bmp"
)

const (
	firstMessage = 30 * time.Second // until a router must have begun to speak
	keepAlive    = 15 * time.Second // of TCP: BMP has none
)

// Station receives BMP. Make one with New, then Start.
type Station struct {
	log       *slog.Logger
	listeners []net.Listener
	running   sync.WaitGroup

	mu      sync.Mutex
	cfg     Config
	feeds   []*feed // sorted by name
	open    map[*feed]net.Conn
	edges   map[netip.Addr]*feed // by router id
	refused uint64
	strange map[netip.Addr]bool // strangers that were logged
	closed  bool

	touching sync.Mutex
	touched  map[string]bool // neighbors that were sent something
}

// New makes a station; nothing happens before Start.
func New(cfg Config, log *slog.Logger, now time.Time) (*Station, error) {
	if cfg.Silent <= 0 {
		cfg.Silent = DefaultSilent
	}
	if cfg.MaxRoutes <= 0 {
		cfg.MaxRoutes = DefaultMaxRoutes
	}
	s := &Station{log: log, open: map[*feed]net.Conn{}, edges: map[netip.Addr]*feed{}, strange: map[netip.Addr]bool{}, touched: map[string]bool{}}
	return s, s.Configure(cfg, now)
}

// Configure takes another set of routers; what is known of those that stay the
// same stays. Listen is read by Start alone.
func (s *Station) Configure(cfg Config, now time.Time) error {
	if err := cfg.check(); err != nil {
		return fmt.Errorf("bmp: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cfg.Silent, cfg.MaxRoutes = or(cfg.Silent, s.cfg.Silent), or(cfg.MaxRoutes, s.cfg.MaxRoutes)
	c := compass{own: cfg.Own, roles: cfg.Roles}
	var feeds []*feed
	for _, r := range cfg.Routers {
		i := slices.IndexFunc(s.feeds, func(f *feed) bool {
			return reflect.DeepEqual(f.conf, r) && reflect.DeepEqual(f.compass, c) && f.limit == cfg.MaxRoutes
		})
		if i >= 0 {
			feeds = append(feeds, s.feeds[i])
		} else {
			feeds = append(feeds, newFeed(r, c, cfg.MaxRoutes, now))
		}
	}
	slices.SortFunc(feeds, func(a, b *feed) int { return strings.Compare(a.conf.Name, b.conf.Name) })
	for _, f := range s.feeds {
		if !slices.Contains(feeds, f) {
			s.drop(f)
		}
	}
	s.cfg, s.feeds = cfg, feeds
	clear(s.strange)
	return nil
}

func or[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

// drop forgets a router.
func (s *Station) drop(f *feed) {
	if conn := s.open[f]; conn != nil {
		_ = conn.Close()
		delete(s.open, f)
	}
	for id, e := range s.edges {
		if e == f {
			delete(s.edges, id)
		}
	}
}

// Start listens. Close ends it.
func (s *Station) Start(ctx context.Context) error {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3}}
	for _, at := range s.cfg.Listen {
		l, err := lc.Listen(ctx, "tcp", at.String())
		if err != nil {
			return errors.Join(fmt.Errorf("bmp: %w", err), s.Close())
		}
		s.listeners = append(s.listeners, l)
		s.running.Go(func() { s.accept(l) })
	}
	return nil
}

// Addrs are the addresses that are listened on.
func (s *Station) Addrs() []net.Addr {
	var out []net.Addr
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

// Close ends every connection and waits for what is running.
func (s *Station) Close() error {
	var errs error
	for _, l := range s.listeners {
		errs = errors.Join(errs, l.Close())
	}
	s.listeners = nil
	s.mu.Lock()
	s.closed = true
	for _, conn := range s.open {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return errs
}

// accept lets in who is configured, one connection each.
func (s *Station) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of descriptors, or the other side gave up
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if f := s.admit(conn); f != nil {
			s.running.Go(func() { s.listen(f, conn) })
		} else {
			_ = conn.Close()
		}
	}
}

// admit finds the router that connects. A newer connection of the same router
// ends the older: it may have restarted without a word.
func (s *Station) admit(conn net.Conn) *feed {
	from, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return nil
	}
	at := from.Addr().Unmap()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	i := slices.IndexFunc(s.feeds, func(f *feed) bool { return slices.Contains(f.conf.Addresses, at) })
	if i < 0 {
		if s.refused++; !s.strange[at] && len(s.strange) < 1000 {
			s.strange[at] = true
			s.log.Warn("a connection to the BMP listener was refused: no router has this address", "address", at)
		}
		return nil
	}
	f := s.feeds[i]
	if old := s.open[f]; old != nil {
		_ = old.Close()
	}
	s.open[f] = conn
	f.connected(time.Now())
	return f
}

// listen reads one connection to its end.
func (s *Station) listen(f *feed, conn net.Conn) {
	why, err := s.read(f, conn)
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[f] != conn {
		return // a newer one took over
	}
	delete(s.open, f)
	f.disconnected(time.Now(), why)
	switch {
	case s.closed:
	case errors.Is(err, net.ErrClosed):
		s.log.Info("BMP: the router repeats itself and is to tell its tables anew", "router", f.conf.Name)
	default:
		s.log.Warn("BMP: the router cannot be asked any more", "router", f.conf.Name, "why", why)
	}
}

func (s *Station) read(f *feed, conn net.Conn) (why string, err error) {
	r := bmp.NewReader(bufio.NewReaderSize(conn, 1<<16))
	_ = conn.SetReadDeadline(time.Now().Add(firstMessage))
	for first := true; ; first = false {
		var m bmp.Message
		m, err = r.Next()
		now := time.Now()
		switch {
		case errors.Is(err, bmp.ErrMessage):
			s.mu.Lock()
			f.spoilt(m, err, now)
			s.mu.Unlock()
			s.log.Debug("BMP", "router", f.conf.Name, "error", err)
		case errors.Is(err, io.EOF):
			return "the router closed the connection", err
		case errors.Is(err, net.ErrClosed):
			return "the router was asked to tell everything once more", err
		case err != nil:
			return err.Error(), err
		case first && m.Kind != bmp.Initiation:
			// RFC 7854 section 4.3: the Initiation message is the first.
			return fmt.Sprintf("the router began with %s, not with an initiation", m.Kind), nil
		case m.Kind == bmp.Termination:
			return fmt.Sprintf("the router ended it, reason %d (RFC 7854 section 4.5)", m.Reason), nil
		default:
			if first {
				_ = conn.SetReadDeadline(time.Time{})
			}
			s.take(f, conn, m, now)
		}
	}
}

// take hands a message to the router's feed, unless a newer connection speaks
// for it.
func (s *Station) take(f *feed, conn net.Conn, m bmp.Message, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[f] != conn {
		return
	}
	f.take(m, now)
	if m.Kind == bmp.PeerUp && !f.conf.Outside && m.Up.LocalID.IsValid() {
		s.edges[m.Up.LocalID] = f
	}
	if m.Kind == bmp.Initiation {
		s.log.Info("BMP", "router", f.conf.Name, "system", f.name)
	}
}

func (s *Station) edgeOf(id netip.Addr) (name, site string, known bool) {
	f := s.edges[id]
	if f == nil {
		return "", "", false
	}
	return f.conf.Name, f.conf.Site, true
}

// Assess compares what was sent with what routers tell, where something changed;
// all compares everywhere.
func (s *Station) Assess(now time.Time, from Source, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.touch()
	o := outbox{from: from, by: map[string]sent{}}
	for _, f := range s.feeds {
		if conn := s.open[f]; conn != nil && f.mustDump(now) {
			f.suspect = false
			_ = conn.Close() // the router connects again, and tells everything
		}
		if !all && !f.dirty {
			continue
		}
		r := &round{feed: f, now: now, found: map[findingKey]Finding{}}
		if dead, _ := f.dead(now, s.cfg.Silent); dead != "" {
			for key, old := range f.findings {
				old.Stale = true
				r.found[key] = old
			}
			r.finish()
			continue
		}
		if !f.conf.Outside {
			r.edge(o.to(f.conf.Name, f.conf.Neighbors))
		} else {
			r.outsider(o.to("", s.cfg.Neighbors), func(id netip.Addr) (string, string, sent, bool) {
				e := s.edges[id]
				if e == nil {
					return "", "", nil, false
				}
				return e.conf.Name, e.conf.Site, o.to(e.conf.Name, e.conf.Neighbors), true
			})
		}
		r.finish()
	}
}

// outbox is what was sent, by router, read once in an assessment.
type outbox struct {
	from Source
	by   map[string]sent
}

func (o outbox) to(router string, neighbors []string) sent {
	if w, known := o.by[router]; known {
		return w
	}
	w := sent{}
	for _, n := range neighbors {
		if routes, up := o.from(n); up {
			w.add(routes)
		}
	}
	o.by[router] = w
	return w
}

// Touch asks for an assessment of the router that a neighbor is, and of all
// outside: something was sent to it. It does not wait for anything, so that the
// session guard may call it.
func (s *Station) Touch(neighbor string) {
	s.touching.Lock()
	defer s.touching.Unlock()
	s.touched[neighbor] = true
}

// touch marks the feeds of neighbors that were touched.
func (s *Station) touch() {
	s.touching.Lock()
	touched := s.touched
	s.touched = map[string]bool{}
	s.touching.Unlock()
	for _, f := range s.feeds {
		f.dirty = f.dirty || len(touched) > 0 && f.conf.Outside || slices.ContainsFunc(f.conf.Neighbors, func(n string) bool { return touched[n] })
	}
}

// Findings lists what is wrong, the worst first.
func (s *Station) Findings() []Finding {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Finding
	for _, f := range s.feeds {
		for _, one := range f.findings {
			one.Examples, one.Marks = slices.Clone(one.Examples), slices.Clone(one.Marks)
			out = append(out, one)
		}
	}
	slices.SortFunc(out, order)
	return out
}

// RouterStatus is how a router's BMP stands.
type RouterStatus struct {
	Name, Site string
	Outside    bool
	Up         bool      // it can be asked
	Since      time.Time // of that
	Why        string    // it cannot
	System     string    // the name it gives itself
	Heard      time.Time
	Sessions   int // of the router, that are up
	Counts
}

// Routers lists the routers, sorted by name, and how many connections of others
// were refused.
func (s *Station) Routers(now time.Time) (routers []RouterStatus, refused uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.feeds {
		st := RouterStatus{Name: f.conf.Name, Site: f.conf.Site, Outside: f.conf.Outside, System: f.name, Heard: f.heard, Counts: f.count}
		st.Kept = f.kept
		if st.Why, st.Since = f.dead(now, s.cfg.Silent); st.Why == "" {
			st.Up, st.Since = true, f.since
		}
		for _, one := range f.sessions {
			if one.up {
				st.Sessions++
			}
		}
		routers = append(routers, st)
	}
	return routers, s.refused
}
