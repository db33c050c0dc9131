package api_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// world is a server over a real database, with small stand-ins for breaker,
// pipeline and speaker.
type world struct {
	t       testing.TB
	dir     string
	store   *sqlite.Store
	reg     *addressing.Registry
	gate    *gate
	pipe    *pipeline
	breaker *breaker
	pulled  *pulled
	desk    *desk
	speaker *speaker
	mirror  *api.Mirror
	api     *api.Server
	http    *httptest.Server
	log     *bytes.Buffer

	account, other  string // ids
	service         string
	tokens          map[string]string // by name: operator, approve, glass, observer, admin, on-demand, read-only, foreign
	operatorRequest addressing.Request
}

func newWorld(t testing.TB, change ...func(*api.Config)) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), gate: &gate{}, pipe: &pipeline{}, breaker: &breaker{}, desk: &desk{}, pulled: &pulled{now: "zero", another: make(chan struct{})}, tokens: make(map[string]string), log: new(bytes.Buffer)}
	var err error
	if w.store, err = sqlite.Open(context.Background(), sqlite.Options{Path: filepath.Join(w.dir, "intent.db"), Environment: "test", Create: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.mirror, err = api.OpenMirror(filepath.Join(w.dir, "auth.json")); err != nil {
		t.Fatal(err)
	}
	w.reg = addressing.NewRegistry(w.store, w.gate, addressing.Options{Entropy: rand.Reader, OnTokens: w.mirror.Save, AllowSpecial: true})
	w.speaker = &speaker{pipe: w.pipe}
	cfg := api.Config{Environment: "test", Version: "v0", Pipeline: w.pipe, History: w.pipe, Breaker: w.breaker, Speaker: w.speaker,
		Pins: w.desk, Trips: w.desk, Emergency: w.desk, Repair: w.desk, Switches: w.desk, Approvals: board{w.desk}, Doctor: w.desk, Cleanup: w.desk, Feed: w.pulled, Speakers: w.pulled, Beyond: afar{}, Edges: network{}, Drains: network{}, Configuration: network{},
		Letters: api.LetterDir(filepath.Join(w.dir, "letters")), Mirror: w.mirror, Quota: api.Quota{PerSecond: 1e9, Burst: 1e9},
		Log: slog.New(slog.NewTextHandler(&locked{w: w.log}, nil))}
	cfg.Approvers, cfg.Held, cfg.Notices, cfg.Limits = w.desk, w.desk, w.desk, w.desk
	withRollouts(&cfg, w.desk)
	for _, f := range change {
		f(&cfg)
	}
	if w.api, err = api.New(cfg); err != nil {
		t.Fatal(err)
	}
	w.api.Attach(w.reg)
	w.http = httptest.NewServer(w.api)
	t.Cleanup(w.http.Close)
	w.populate()
	return w
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// populate makes two accounts, a service and one token of each kind.
func (w *world) populate() {
	ctx := context.Background()
	w.operatorRequest = addressing.Request{Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Scope: addressing.EveryAccount(), Reason: "test", At: time.Now()}
	account := func(name string) string {
		a, _, err := w.reg.CreateAccount(ctx, w.operatorRequest, addressing.NewAccount{Name: name})
		if err != nil {
			w.t.Fatal(err)
		}
		return a.ID
	}
	w.account, w.other = account("one"), account("two")
	s, _, err := w.reg.CreateService(ctx, w.operatorRequest, addressing.NewService{Name: "CDN"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.service = s.ID
	for name, in := range map[string]addressing.NewToken{
		"operator":  {Role: addressing.RoleOperator},
		"approve":   {Role: addressing.RoleApprove},
		"glass":     {Role: addressing.RoleBreakGlass},
		"speaker":   {Role: addressing.RoleSpeaker},
		"observer":  {Role: addressing.RoleReadOnly},
		"reporter":  {Role: addressing.RoleReporter},
		"admin":     {Role: addressing.RoleAdmin, AccountID: w.account},
		"on-demand": {Role: addressing.RoleOnDemand, AccountID: w.account},
		"read-only": {Role: addressing.RoleReadOnly, AccountID: w.account},
		"foreign":   {Role: addressing.RoleAdmin, AccountID: w.other},
	} {
		in.Name = name
		_, secret, _, err := w.reg.CreateToken(ctx, w.operatorRequest, in)
		if err != nil {
			w.t.Fatal(err)
		}
		w.tokens[name] = secret
	}
}

// prefix makes an approved prefix of the account, bound and advertised if asked.
func (w *world) prefix(account, cidr string, advertised bool) addressing.PrefixDetail {
	w.t.Helper()
	ctx := context.Background()
	r := w.operatorRequest
	r.At = time.Now()
	d, _, err := w.reg.CreatePrefix(ctx, r, addressing.NewPrefix{AccountID: account, CIDR: netip.MustParsePrefix(cidr), ASN: 64500})
	if err == nil {
		d, _, err = w.reg.ApprovePrefix(ctx, r, d.ID, []string{"unverified"})
	}
	if err == nil {
		_, _, err = w.reg.CreateBinding(ctx, r, addressing.NewBinding{PrefixID: d.ID, CIDR: d.CIDR, ServiceID: w.service})
	}
	if err == nil && advertised {
		d, _, err = w.reg.AdvertisePrefix(ctx, r, d.ID)
	}
	if err == nil {
		d, err = w.reg.Prefix(ctx, r.Scope, d.ID)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// reply is an answer, read.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		t.Fatalf("%s: %v", r.body, err)
	}
}

// do sends one request. headers are name, value pairs.
func (w *world) do(token, method, path, body string, headers ...string) reply {
	w.t.Helper()
	req, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if secret := w.tokens[token]; secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{res.StatusCode, res.Header, raw}
}

// client is the generated client with one of the tokens.
func (w *world) client(token string) *client.ClientWithResponses {
	w.t.Helper()
	c, err := client.NewClientWithResponses(w.http.URL, client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+w.tokens[token])
		return nil
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// version is the desired state's version: what may not move when a request is
// refused.
func (w *world) version() int64 {
	w.t.Helper()
	s, err := w.reg.State(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Version
}

// build makes what is desired now the active snapshot.
func (w *world) build() {
	w.t.Helper()
	s, err := w.reg.State(context.Background())
	if err != nil {
		w.t.Fatal(err)
	}
	network := snapshots.NetworkPart{ASN: 64500, Sites: []string{"default"}, Neighbors: []policy.Neighbor{{Name: "transit-a", Kind: policy.EBGP, Site: "default",
		Address: netip.MustParseAddr("127.0.0.2"), ASN: 64510, LocalASN: 64500, Role: policy.RoleCustomer, Families: []addressing.Family{addressing.IPv4, addressing.IPv6},
		NextHop4: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("2001:db8::1")}}}
	for _, svc := range s.Services {
		network.Services = append(network.Services, snapshots.Service{ID: svc.ID, Name: svc.Name, MinSites: svc.MinSites})
	}
	snap, err := snapshots.Build(s, network, "test", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	w.pipe.activate(snap)
}

// gate admits everything unless it is told otherwise.
type gate struct {
	mu      sync.Mutex
	refusal error
}

func (g *gate) Admit(context.Context, addressing.ChangeSet) (func(), error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return func() {}, g.refusal
}

func (g *gate) refuse(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refusal = err
}

// pipeline keeps snapshots in memory and applies nothing.
type pipeline struct {
	mu       sync.Mutex
	snaps    []*snapshots.Snapshot
	heads    []snapshots.Head
	status   api.PipelineStatus
	report   plan.Report
	pending  plan.Plan
	rollback api.RollbackRequest
	fail     error
}

func (p *pipeline) activate(s *snapshots.Snapshot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.snaps = append(p.snaps, s)
	g := uint64(len(p.snaps))
	p.heads = append(p.heads, snapshots.Head{Environment: "test", Epoch: 1, Generation: g, ID: s.ID(), CreatedAt: time.Now().UnixNano(), Actor: "operator/uid:0", Reason: "test"})
	p.status.Generation, p.status.LastKnownGood = g, g
}

func (p *pipeline) Status() api.PipelineStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status
}

func (p *pipeline) Active() (*snapshots.Snapshot, snapshots.Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.snaps) == 0 {
		return nil, snapshots.Head{}
	}
	return p.snaps[len(p.snaps)-1], p.heads[len(p.heads)-1]
}

func (p *pipeline) Pending(context.Context) (plan.Plan, plan.Report, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pending.Environment == "" {
		return plan.Plan{Environment: "test"}, p.report, p.fail
	}
	return p.pending, p.report, p.fail
}

func (p *pipeline) Rollback(_ context.Context, r api.RollbackRequest) (api.RollbackOutcome, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rollback = r
	return api.RollbackOutcome{Generation: p.status.Generation + 1, To: r.To, Advertised: 3, IntentRestored: true}, p.fail
}

func (p *pipeline) Heads(context.Context) ([]snapshots.Head, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]snapshots.Head, 0, len(p.heads))
	for i := len(p.heads) - 1; i >= 0; i-- {
		out = append(out, p.heads[i])
	}
	return out, nil
}

func (p *pipeline) Snapshot(_ context.Context, generation uint64) (*snapshots.Snapshot, snapshots.Head, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if generation < 1 || generation > uint64(len(p.snaps)) {
		return nil, snapshots.Head{}, &addressing.Error{Code: addressing.CodeNotFound, Op: "find snapshot", Detail: "no such generation"}
	}
	return p.snaps[generation-1], p.heads[generation-1], nil
}

// breaker is open in one account's scope until it is reset.
type breaker struct {
	mu    sync.Mutex
	reset *api.ResetRequest
}

func (b *breaker) Scopes(context.Context) ([]api.BreakerStatus, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := "open"
	if b.reset != nil {
		state = "recovering"
	}
	return []api.BreakerStatus{{Scope: "global", State: "closed"}, {Scope: "account", Key: "x", State: state, TripID: "T1", Since: time.Unix(1, 0), Reason: "W2"}}, nil
}

func (b *breaker) Reset(_ context.Context, r api.ResetRequest) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.TripID != "T1" {
		return &addressing.Error{Code: addressing.CodeConflict, Op: "reset breaker", Detail: "no such trip", Next: "holdfast breaker status"}
	}
	b.reset = &r
	return nil
}

// speaker holds what the active snapshot targets.
type speaker struct {
	pipe *pipeline
	fail error
	down bool // no session is up
}

func (s *speaker) target() (snapshots.Target, bool) {
	snap, head := s.pipe.Active()
	if snap == nil {
		return snapshots.Target{}, false
	}
	t, _ := snapshots.Targets(snap, head.Epoch, head.Generation, 0)
	return t, true
}

func (s *speaker) Neighbors(context.Context) ([]bgp.NeighborStatus, error) {
	n := bgp.NeighborStatus{State: bgp.Established, Since: time.Unix(1, 0), Uptime: time.Hour}
	n.Name, n.Kind, n.ASN, n.LocalASN, n.Role, n.Site = "transit-a", policy.EBGP, 64510, 64500, policy.RoleCustomer, "default"
	n.Address = netip.MustParseAddr("127.0.0.2")
	n.Families = []addressing.Family{addressing.IPv4, addressing.IPv6}
	n.Advertised = make(map[addressing.Family]int)
	if t, ok := s.target(); ok {
		for _, r := range t.Neighbors["transit-a"].Routes {
			n.Advertised[addressing.FamilyOf(r.Prefix)]++
		}
	}
	n.Target = n.Advertised
	if s.down {
		n.State, n.Advertised = bgp.Active, nil
	}
	n.Tally = &bgp.Tally{
		Families:  map[addressing.Family]bgp.FamilyTally{addressing.IPv4: {Advertised: 7, Withdrawn: 1, HeldBack: 2, LeakBlocked: 3, Dropped: 4, Revoked: 5, Missing: 6, Foreign: 8}},
		Malformed: map[string]uint64{"treat-as-withdraw": 9}, Downs: map[bgp.DownCause]uint64{bgp.DownHoldTimer: 10}, OTC: map[string]uint64{bgp.OTCAddedOut: 11}, Ups: 12,
	}
	return []bgp.NeighborStatus{n}, s.fail
}

func (s *speaker) Routes(_ context.Context, neighbor string) ([]snapshots.TargetRoute, error) {
	t, _ := s.target()
	if s.down {
		return nil, s.fail
	}
	return t.Neighbors[neighbor].Routes, s.fail
}

var errBroken = errors.New("broken on purpose")

const accountPath = "/client/v4/accounts/"

// at is a path below the account of the world.
func (w *world) at(rest string) string { return accountPath + w.account + "/addressing" + rest }

func remoteAddr(t testing.TB) netip.Addr {
	t.Helper()
	return netip.MustParseAddr("192.0.2.200")
}

func uid() string { return strconv.Itoa(os.Geteuid()) }
