package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Config is what a Server is made of. Only Environment is required: what is
// missing answers 503 and nothing else breaks.
type Config struct {
	Environment string
	Version     string
	Mode        string // enforce, observe or speak; enforce if empty
	StartedAt   time.Time

	Pipeline Pipeline
	History  History
	Breaker  CircuitBreaker
	Speaker  Speaker
	Letters  Letters

	Pins      Pins
	Trips     Trips
	Emergency EmergencyLane
	Repair    Repair
	Switches  KillSwitches
	Rollouts  Rollouts
	Health    HealthBoard
	Loads     LoadBoard
	Edge      Edge
	Approvals Approvals
	Doctor    Doctor
	Cleanup   CleanupWorker
	Feed      Feed
	Speakers  Speakers
	Beyond    BeyondEdge
	Approvers Approvers
	Held      HeldChanges
	Notices   Notices
	Limits    BreakerLimitSource

	Edges         Edges
	Drains        Drains
	Configuration Configuration

	Mirror *Mirror                      // tokens without the store
	Ready  func() (ok bool, why string) // for /readyz; ready if nil
	Risks  func() []string              // named risks in force, for /v1/status
	// Validate starts the validation of a prefix and does not wait; may be nil.
	Validate func(prefixID string)

	Quota   Quota         // of one account; DefaultQuota if zero
	Timeout time.Duration // of one request; 30 s if zero
	Log     *slog.Logger  // discarded if nil
	Now     func() time.Time
}

// Server serves both surfaces. It may serve before a Registry is attached:
// then it answers from the active snapshot.
type Server struct {
	dryRun   dryRun
	cfg      Config
	gate     *gate
	registry atomic.Pointer[addressing.Registry]
	limits   *limiter
	turns    *turns
	repeats  *repeats
	uses     *uses
	metrics  *metrics
	down     atomic.Bool  // the store failed the last request that needed it
	handler  http.Handler // the generated one
	uid      uint32
}

// New builds a Server. It fails if the embedded document promises something
// that the gate does not enforce.
func New(cfg Config) (*Server, error) {
	if cfg.Environment == "" {
		return nil, errors.New("api: environment: missing; nothing has a default one")
	}
	ops, err := readOperations(document)
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 30 * time.Second
	}
	if cfg.Mode == "" {
		cfg.Mode = "enforce"
	}
	if cfg.StartedAt.IsZero() {
		cfg.StartedAt = cfg.Now()
	}
	s := &Server{cfg: cfg, gate: newGate(ops), limits: newLimiter(cfg.Quota), turns: newTurns(), repeats: newRepeats(),
		uses: newUses(), metrics: newMetrics(), uid: uint32(os.Geteuid())}
	s.handler = s.generated()
	return s, nil
}

// generated mounts the handlers on the generated router. Errors they return,
// and those of the generated decoding, take the form of the surface.
func (s *Server) generated() http.Handler {
	strict := NewStrictHandlerWithOptions(&handlers{s}, nil, StrictHTTPServerOptions{
		RequestErrorHandlerFunc:  s.badRequest,
		ResponseErrorHandlerFunc: s.refuse,
	})
	return HandlerWithOptions(strict, StdHTTPServerOptions{ErrorHandlerFunc: s.badRequest})
}

// badRequest answers what the generated decoding refused although the gate let
// it pass.
func (s *Server) badRequest(w http.ResponseWriter, r *http.Request, err error) {
	s.refuse(w, r, &inputError{"", err.Error()})
}

// Attach gives the server the use cases once the database is open. Nil takes
// them away again.
func (s *Server) Attach(r *addressing.Registry) {
	s.registry.Store(r)
	s.down.Store(false)
}

// Probe reads something small from the store, so that Usable and the status say
// what is so and not what the last request met. It waits storeWait at most.
func (s *Server) Probe(ctx context.Context) {
	r := s.registry.Load()
	if r == nil {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, storeWait)
	defer cancel()
	_, err := r.Services(bounded)
	if ctx.Err() == nil {
		s.down.Store(storeFailed(err))
	}
}

// Usable says whether desired state could be read when it was last tried.
func (s *Server) Usable() bool { return s.registry.Load() != nil && !s.down.Load() }

// ServeHTTP is every request's way in and the boundary that panics do not
// cross.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := s.cfg.Now()
	c := &call{requestID: ulid.MustNew(ulid.Timestamp(at), rand.Reader).String(), at: at, header: w.Header()}
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), callKey{}, c), s.cfg.Timeout)
	defer cancel()
	r = r.WithContext(ctx)
	out := &answer{ResponseWriter: w}
	out.Header().Set("Request-Id", c.requestID)
	out.Header().Set("Cache-Control", "no-store")
	out.Header().Set("X-Content-Type-Options", "nosniff")
	s.metrics.inflight.Inc()
	defer func() {
		s.metrics.inflight.Dec()
		s.recovered(out, r, recover())
		s.done(out, r, c)
	}()
	if s.outside(out, r) {
		return
	}
	if err := s.serve(out, r, c); err != nil {
		s.refuse(out, r, err)
	}
}

// serve is the order of checks: strict gate, account syntax, authentication,
// permission, existence, body.
func (s *Server) serve(w *answer, r *http.Request, c *call) error {
	op, err := s.gate.admit(r)
	if err != nil {
		return err
	}
	c.op = op
	values := pathValues(op.path, r.URL.Path)
	if err := checkAccount(op, values["account_id"], r.URL.Path); err != nil {
		return err
	}
	if c.caller, err = s.authenticate(r, c); err != nil {
		return err
	}
	if !c.caller.local {
		if err := s.limits.admit(c.caller, c.at, w.Header()); err != nil {
			return err
		}
	}
	if err := c.authorise(values["account_id"]); err != nil {
		return err
	}
	if c.caller.actor.AccountID != "" {
		key, _ := c.caller.payer()
		giveBack, err := s.turns.take(r.Context(), key)
		if err != nil {
			return err
		}
		defer giveBack()
	}
	if err := s.exists(r.Context(), c, values, r.URL.Path); err != nil {
		return err
	}
	if op.mutates() {
		if err := c.readHeaders(r.Header); err != nil {
			return err
		}
	}
	raw, err := readBody(w, r, op)
	if err != nil {
		return err
	}
	return s.dispatch(w, r, c, raw)
}

// dispatch runs the handler, once per Idempotency-Key.
func (s *Server) dispatch(w *answer, r *http.Request, c *call, raw []byte) error {
	key, err := oneHeader(r.Header, "Idempotency-Key", 200)
	if err != nil {
		return err
	}
	if key == "" || !c.op.mutates() {
		s.handler.ServeHTTP(w, r)
		return nil
	}
	print := sha256.Sum256(bytes.Join([][]byte{[]byte(r.Method), []byte(r.URL.Path), raw}, []byte{0}))
	return s.repeats.once(r.Context(), c.caller.actor.Key()+" "+key, print, c.at, w, func(w http.ResponseWriter) {
		s.handler.ServeHTTP(w, r)
	})
}

// checkAccount is Cloudflare's check of the account before anything else: an
// id that cannot be one routes nowhere.
func checkAccount(op *operation, id, path string) error {
	if op.cloudflare() && !isID(id) {
		return noRoute(path)
	}
	return nil
}

func isID(id string) bool {
	return len(id) == 32 && strings.Trim(id, "0123456789abcdef") == ""
}

// authorise checks permission and narrows the scope to the account of the
// path: inside /client/v4 not even an operator sees another account's objects.
func (c *call) authorise(accountID string) error {
	if !c.caller.may(c.op.permissions) {
		return forbidden(fmt.Sprintf("a caller with the role %s may not %s", c.caller.role, c.op.id), "use a token that has the permission "+anyOf(c.op.permissions)+" here")
	}
	c.scope = c.caller.scope
	if c.op.cloudflare() {
		if !c.caller.scope.Includes(accountID) {
			return forbidden("this token is bound to another account", "use a token of the account "+accountID+", or name the token's own account in the path")
		}
		c.accountID, c.scope = accountID, addressing.OneAccount(accountID)
	}
	return nil
}

func anyOf(all []permission) string {
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = string(p)
	}
	return strings.Join(names, " or ")
}

func forbidden(why, next string) error {
	return fail(failure{status: http.StatusForbidden, code: addressing.CodeForbidden, number: 10000,
		message: "Authentication error", why: why, next: next, field: "header.Authorization", noRetry: true})
}

// exists checks the objects that the path names, before the body is read. Reads
// find out by themselves.
func (s *Server) exists(ctx context.Context, c *call, values map[string]string, path string) error {
	if c.op.cloudflare() && c.caller.scope.Every() {
		if _, err := s.reading(ctx).Account(ctx, c.scope, c.accountID); err != nil {
			if addressing.CodeOf(err) == addressing.CodeNotFound {
				return noRoute(path)
			}
			return err
		}
	}
	if c.op.body == nil || c.op.recovery {
		return nil
	}
	if id := values["prefix_id"]; id != "" && c.op.id != "undeletePrefix" {
		if _, err := s.reading(ctx).Prefix(ctx, c.scope, id); err != nil {
			return err
		}
	}
	if id := values["bgp_prefix_id"]; id != "" {
		_, err := s.reading(ctx).BGPPrefix(ctx, c.scope, values["prefix_id"], id)
		return err
	}
	return nil
}

// pathValues reads the {names} of a pattern off a path that matched it.
func pathValues(pattern, path string) map[string]string {
	values := make(map[string]string)
	have := strings.Split(path, "/")
	for i, segment := range strings.Split(pattern, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok && i < len(have) {
			values[strings.TrimSuffix(name, "}")] = have[i]
		}
	}
	return values
}

// outside serves what is not in the document: the document itself and the two
// probes. They take no query, ask for no token and touch no store.
func (s *Server) outside(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet && r.Method != http.MethodHead || r.URL.RawQuery != "" || r.URL.ForceQuery {
		return false
	}
	switch r.URL.EscapedPath() {
	case "/openapi.yaml":
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(document)
	case "/healthz":
		writeText(w, http.StatusOK, "ok\n")
	case "/readyz":
		ok, why := true, "ready"
		if s.cfg.Ready != nil {
			ok, why = s.cfg.Ready()
		}
		status := http.StatusOK
		if !ok {
			status = http.StatusServiceUnavailable
		}
		writeText(w, status, why+"\n")
	default:
		return false
	}
	return true
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}

// refuse writes a failure in the form of the surface.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	c := callIn(r.Context())
	if c.op != nil && !c.op.recovery && storeFailed(err) {
		s.Probe(context.WithoutCancel(r.Context())) // something is unavailable: is it the store?
	}
	f := failureOf(err)
	if f.status >= http.StatusInternalServerError {
		s.cfg.Log.ErrorContext(r.Context(), "request failed", "request_id", c.requestID, "path", s.gate.redacted(r.URL.Path), "error", err.Error())
	}
	h := w.Header()
	if f.retry != "" {
		h.Set("Retry-After", f.retry)
	}
	if f.noRetry {
		h.Set("X-Should-Retry", "false")
	}
	if f.confirm != "" {
		h.Set("Holdfast-Confirm", f.confirm)
	}
	if f.status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	if f.status == http.StatusMethodNotAllowed {
		h.Set("Allow", strings.TrimPrefix(f.next, "use "))
	}
	var body any = problemOf(f, c.requestID)
	media := "application/problem+json"
	if onCloudflareSurface(r.URL.Path) {
		body, media = envelopeOf(f), mediaJSON
	}
	raw, err := json.Marshal(body)
	if err != nil {
		raw = []byte(`{"success":false}`)
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(raw)+1))
	w.WriteHeader(f.status)
	_, _ = w.Write(append(raw, '\n'))
}

// recovered turns a panic into a 500 and counts it. What was going on is in
// the log; nothing of it reaches the caller.
func (s *Server) recovered(w *answer, r *http.Request, p any) {
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel value of net/http, never wrapped
		panic(p)
	}
	s.metrics.panics.Inc()
	err := fmt.Errorf("panic: %v", p)
	if w.status != 0 {
		s.cfg.Log.ErrorContext(r.Context(), "panic after the answer began", "error", err.Error())
		return
	}
	s.refuse(w, r, err)
}

// done writes the access log and the metrics of one request.
func (s *Server) done(w *answer, r *http.Request, c *call) {
	name := "none"
	if c.op != nil {
		name = c.op.id
	}
	took := s.cfg.Now().Sub(c.at)
	s.metrics.observe(name, w.status, took)
	s.cfg.Log.LogAttrs(r.Context(), slog.LevelInfo, "request",
		slog.String("request_id", c.requestID), slog.String("method", r.Method), slog.String("path", s.gate.redacted(r.URL.Path)),
		slog.String("operation", name), slog.Int("status", w.status), slog.Int("bytes", w.bytes),
		slog.Duration("took", took), slog.String("actor", c.caller.actor.Key()),
		slog.String("token", c.caller.suffix), slog.String("remote", r.RemoteAddr))
	if c.caller.role == addressing.RoleBreakGlass && c.op != nil && c.op.mutates() {
		s.cfg.Log.LogAttrs(r.Context(), slog.LevelWarn, "break-glass token used", slog.Bool("page", true), slog.String("request_id", c.requestID),
			slog.String("operation", name), slog.Int("status", w.status), slog.String("actor", c.caller.actor.Key()), slog.String("remote", r.RemoteAddr))
	}
}

// answer notes what was answered.
type answer struct {
	http.ResponseWriter
	status, bytes int
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(b []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(b)
	a.bytes += n
	return n, err
}

// remote is the address of the caller, invalid on a Unix socket.
func remote(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
