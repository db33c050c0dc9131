package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/addressing/sqlite"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// desk is a real store, for the tasks of the daemon.
type desk struct {
	t        *testing.T
	store    *sqlite.Store
	registry *addressing.Registry
	account  string
	service  string
	log      lines
	off      atomic.Bool
}

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// open is a gate that lets all pass: what holds the worker here must be itself.
type open struct{}

func (open) Admit(context.Context, addressing.ChangeSet) (func(), error) { return func() {}, nil }

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t}
	store, err := sqlite.Open(t.Context(), sqlite.Options{Path: filepath.Join(t.TempDir(), "intent.db"), Environment: "test", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	d.store = store
	d.registry = addressing.NewRegistry(store, open{}, addressing.Options{Entropy: rand.Reader, AllowSpecial: true, Grace: time.Hour})
	account, _, err := d.registry.CreateAccount(t.Context(), d.request(noon), addressing.NewAccount{Name: "one"})
	d.must(err)
	service, _, err := d.registry.CreateService(t.Context(), d.request(noon), addressing.NewService{Name: "CDN"})
	d.must(err)
	d.account, d.service = account.ID, service.ID
	return d
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) request(at time.Time) addressing.Request {
	return addressing.Request{Actor: addressing.Actor{Kind: addressing.Operator, ID: "uid:0"}, Scope: addressing.EveryAccount(), Reason: "test", At: at}
}

// prefix makes an approved one, bound and advertised, or deleted and in its grace time.
func (d *desk) prefix(cidr string, asn uint32, deleted bool) string {
	d.t.Helper()
	p := netip.MustParsePrefix(cidr)
	got, _, err := d.registry.CreatePrefix(d.t.Context(), d.request(noon), addressing.NewPrefix{AccountID: d.account, CIDR: p, ASN: asn})
	d.must(err)
	_, _, err = d.registry.ApprovePrefix(d.t.Context(), d.request(noon), got.ID, []string{addressing.RiskUnverified})
	d.must(err)
	if deleted {
		_, err = d.registry.DeletePrefix(d.t.Context(), d.request(noon), got.ID)
		d.must(err)
		return got.ID
	}
	_, _, err = d.registry.CreateBinding(d.t.Context(), d.request(noon), addressing.NewBinding{PrefixID: got.ID, CIDR: p, ServiceID: d.service})
	d.must(err)
	_, _, err = d.registry.AdvertisePrefix(d.t.Context(), d.request(noon), got.ID)
	d.must(err)
	return got.ID
}

// table writes n advertised and bound prefixes at once.
func (d *desk) table(n int) []string {
	d.t.Helper()
	ids := make([]string, n)
	d.must(d.store.Update(d.t.Context(), func(tx addressing.Tx) error {
		for i := range n {
			id := func(kind int) string { return fmt.Sprintf("%032x", kind<<16|i) }
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{20, byte(i >> 8), byte(i), 0}), 24)
			ids[i] = id(1)
			if err := tx.SavePrefix(addressing.Prefix{ID: id(1), AccountID: d.account, CIDR: p, ASN: 64500, State: addressing.Approved,
				Control: addressing.ControlAPI, OnDemandEnabled: true, CreatedAt: noon, ModifiedAt: noon, Version: 1}); err != nil {
				return err
			}
			if err := tx.InsertBinding(addressing.Binding{ID: id(2), PrefixID: id(1), CIDR: p, ServiceID: d.service, Active: true, CreatedAt: noon}); err != nil {
				return err
			}
			if err := tx.SaveBGPPrefix(addressing.BGPPrefix{ID: id(3), PrefixID: id(1), CIDR: p, Advertised: true, Resting: addressing.RestingAdvertised,
				Sites: addressing.Sites{All: true}, CreatedAt: noon, ModifiedAt: noon, Version: 1}); err != nil {
				return err
			}
		}
		return nil
	}))
	return ids
}

func (d *desk) cleaner(cfg config.Cleanup) *cleaner {
	return newCleaner(cfg, func() *addressing.Registry { return d.registry }, d.off.Load, slog.New(slog.NewJSONHandler(&d.log, nil)))
}

func (d *desk) pending() int {
	d.t.Helper()
	all, err := d.registry.PendingDeletions(d.t.Context(), addressing.EveryAccount())
	d.must(err)
	return len(all)
}

func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

var live = config.Cleanup{Enabled: true, Apply: true, Every: time.Hour, Cap: 10}

// TestCleanupOf20February feeds the worker the list of 20 February: every
// prefix there is, among them the few that are to go.
func TestCleanupOf20February(t *testing.T) {
	const advertised, deleted = 4306, 5
	d := newDesk(t)
	var listed []string
	listed = append(listed, d.table(advertised)...)
	for i := range deleted {
		listed = append(listed, d.prefix(fmt.Sprintf("21.0.%d.0/24", i), 64500, true))
	}
	c, later := d.cleaner(live), noon.Add(2*time.Hour)
	if done := c.clean(t.Context(), d.registry, listed, later); len(done.Expire) != 0 || done.Refused == "" {
		t.Errorf("did %+v", done)
	}
	all, err := d.registry.Prefixes(t.Context(), addressing.EveryAccount())
	d.must(err)
	up := 0
	for _, p := range all {
		if p.Advertised() && len(p.Bindings) == 1 {
			up++
		}
	}
	if up != advertised || d.pending() != deleted {
		t.Errorf("%d advertised and bound, %d pending, want %d and %d", up, d.pending(), advertised, deleted)
	}
	if !strings.Contains(d.log.String(), `"alert":"cleanup_plan_exceeds_cap"`) || count(t, c.overCap) != 1 {
		t.Errorf("no alert: %v", count(t, c.overCap))
	}
	// With a list of its own it does what it is for.
	c.round(t.Context(), later)
	if d.pending() != 0 || count(t, c.deleted) != deleted {
		t.Errorf("%d pending, %v deleted", d.pending(), count(t, c.deleted))
	}
}

// TestCleanupOverItsCap: plan, approve, apply. What is approved is an exact set:
// one more deletion, another plan or a day later is not covered, and nothing is
// done.
func TestCleanupOverItsCap(t *testing.T) {
	d := newDesk(t)
	few := live
	few.Cap = 2
	c, later := d.cleaner(few), noon.Add(2*time.Hour)
	for i := range 3 {
		d.prefix(fmt.Sprintf("21.0.%d.0/24", i), 64500, true)
	}
	left := func(what string, want int) {
		t.Helper()
		if got := d.pending(); got != want {
			t.Errorf("%s: %d pending, want %d", what, got, want)
		}
	}
	c.round(t.Context(), later)
	left("over the cap", 3)
	s, err := c.Plan(t.Context(), later)
	if err != nil || !s.Work.OverCap || s.Work.Refused == "" || len(s.Work.Expire) != 3 || s.Approved {
		t.Fatalf("plan %+v, %v", s, err)
	}
	approve := func(plan string, count int) error {
		_, err := c.Approve(t.Context(), api.CleanupApproval{Plan: plan, Count: count, Reason: "seen", Actor: addressing.Actor{Kind: addressing.Operator, ID: "bob"}, At: later})
		return err
	}
	for what, err := range map[string]error{"another plan": approve(strings.Repeat("0", 32), 3), "another count": approve(s.Plan, 4)} {
		if addressing.CodeOf(err) != addressing.CodeConflict {
			t.Errorf("%s was approved: %v", what, err)
		}
	}
	d.must(approve(s.Plan, 3))
	d.prefix("21.0.9.0/24", 64500, true) // after the approval
	c.round(t.Context(), later)
	left("one more than was approved", 4)
	s, err = c.Plan(t.Context(), later)
	d.must(err)
	d.must(approve(s.Plan, 4))
	c.round(t.Context(), later.Add(cleanupApprovalTime))
	left("a day later", 4)
	c.round(t.Context(), later.Add(time.Minute))
	left("as approved", 0)
	if count(t, c.deleted) != 4 {
		t.Errorf("%v deleted", count(t, c.deleted))
	}
	s, err = c.Plan(t.Context(), later)
	d.must(err)
	if err := approve(s.Plan, 0); addressing.CodeOf(err) != addressing.CodeConflict {
		t.Errorf("a plan that needs no approval: %v", err)
	}
	dry := few
	dry.Apply = false
	c = d.cleaner(dry)
	if err := approve(s.Plan, 0); addressing.CodeOf(err) != addressing.CodeConflict || !strings.Contains(err.Error(), "dry") {
		t.Errorf("a worker that runs dry: %v", err)
	}
}

func TestCleanupHolds(t *testing.T) {
	dry, few := live, live
	dry.Apply, few.Cap = false, 2
	for _, tc := range []struct {
		name string
		cfg  config.Cleanup
		off  bool
		at   time.Duration
		want int // still pending, of 3
	}{
		{"the zero configuration", config.Cleanup{}, false, 2 * time.Hour, 3},
		{"dry run", dry, false, 2 * time.Hour, 3},
		{"over its cap", few, false, 2 * time.Hour, 3},
		{"switched off", live, true, 2 * time.Hour, 3},
		{"within the grace time", live, false, time.Minute, 3},
		{"enabled", live, false, 2 * time.Hour, 0},
	} {
		d := newDesk(t)
		for i := range 3 {
			d.prefix(fmt.Sprintf("21.0.%d.0/24", i), 64500, true)
		}
		d.off.Store(tc.off)
		c := d.cleaner(tc.cfg)
		c.round(t.Context(), noon.Add(tc.at))
		if got := d.pending(); got != tc.want {
			t.Errorf("%s: %d pending, want %d", tc.name, got, tc.want)
		}
		if over := count(t, c.overCap); (over == 1) != (tc.name == "over its cap") {
			t.Errorf("%s: alert %v", tc.name, over)
		}
	}
}

// TestCleanupActsUnderItsOwnName: who did it is known, and it was a task.
func TestCleanupActsUnderItsOwnName(t *testing.T) {
	d := newDesk(t)
	id := d.prefix("21.0.0.0/24", 64500, true)
	d.cleaner(live).round(t.Context(), noon.Add(2*time.Hour))
	records, err := d.registry.Audit(t.Context(), addressing.EveryAccount(), 0, 100)
	d.must(err)
	last := records[len(records)-1]
	if last.Actor.Key() != "system/cleanup" || last.Verb != "prefix.expire" || last.Objects[0] != id {
		t.Errorf("last record %+v", last)
	}
	registered := false
	for _, s := range killSwitches() {
		registered = registered || s.Name == last.Actor.Key()
	}
	if !registered {
		t.Error("the worker's key has no kill switch")
	}
}

func (d *desk) validation(cfg *config.Config) *validation {
	log := slog.New(slog.NewJSONHandler(&d.log, nil))
	return newValidation(newSources(cfg, log), func() *addressing.Registry { return d.registry }, d.off.Load, log)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func roas(asn int) string {
	return fmt.Sprintf(`{"roas":[{"prefix":"21.0.0.0/24","maxLength":24,"asn":%d}]}`, asn)
}

// TestValidationLife: the steps approve a pending prefix; a ROA that names
// another origin later alerts, bars new advertising and withdraws nothing; a
// file that cannot be read changes nothing.
func TestValidationLife(t *testing.T) {
	d, dir := newDesk(t), t.TempDir()
	cfg := &config.Config{RPKI: config.RPKI{File: filepath.Join(dir, "vrps.json"), Refresh: time.Minute}, IRR: config.IRR{File: filepath.Join(dir, "irr.db")}}
	v := d.validation(cfg)
	p, _, err := d.registry.CreatePrefix(t.Context(), d.request(noon), addressing.NewPrefix{AccountID: d.account, CIDR: netip.MustParsePrefix("21.0.0.0/24"), ASN: 64500})
	d.must(err)
	get := func() addressing.PrefixDetail {
		t.Helper()
		now, err := d.registry.Prefix(t.Context(), addressing.EveryAccount(), p.ID)
		d.must(err)
		return now
	}
	one := func() { v.one(t.Context(), d.registry, p.ID, v.sources.every(), noon) }
	look := func() { v.sources.readFiles(noon); v.all(t.Context(), noon) }

	one()
	if now := get(); now.State != addressing.Pending || now.RPKI != addressing.ValidationPending {
		t.Errorf("nothing was read yet: %+v", now.Prefix)
	}
	write(t, cfg.RPKI.File, roas(64500))
	write(t, cfg.IRR.File, "route: 21.0.0.0/24\norigin: AS64500\nremarks: cf-validation: "+p.OwnershipToken+"\n")
	v.sources.readFiles(noon)
	one()
	if now := get(); now.State != addressing.Approved || now.Ownership != addressing.ValidationValid {
		t.Fatalf("all valid: %+v", now.Prefix)
	}
	_, _, err = d.registry.CreateBinding(t.Context(), d.request(noon), addressing.NewBinding{PrefixID: p.ID, CIDR: p.CIDR, ServiceID: d.service})
	d.must(err)
	_, _, err = d.registry.AdvertisePrefix(t.Context(), d.request(noon), p.ID)
	d.must(err)

	for _, bad := range []string{`{"roas":[]}`, `{`, ""} {
		write(t, cfg.RPKI.File, bad)
		look()
		if now := get(); now.RPKI != addressing.ValidationValid || len(v.risks()) == 0 && strings.Contains(d.log.String(), "lapsed") {
			t.Errorf("a file that says %q: %+v", bad, now.Prefix)
		}
	}
	if !strings.Contains(d.log.String(), "the last good data stays") {
		t.Error("nobody was told that the file cannot be read")
	}
	write(t, cfg.RPKI.File, roas(64501))
	look()
	now := get()
	if now.RPKI != addressing.ValidationMismatchASN || !now.Advertised() || now.BarsAdvertising() != addressing.StepRPKI {
		t.Errorf("another origin: %+v", now)
	}
	if v.barred.Load() != 1 || !strings.Contains(d.log.String(), `"alert":"authorisation_lapsed"`) || !strings.Contains(strings.Join(v.risks(), " "), "authorisation_lapsed") {
		t.Errorf("no alert: %d, %v", v.barred.Load(), v.risks())
	}
	version := now.Version
	look()
	if get().Version != version {
		t.Error("the same data is a change")
	}
	write(t, cfg.RPKI.File, roas(64500))
	d.off.Store(true)
	look()
	if get().Version != version {
		t.Error("the kill switch was not heeded")
	}
	d.off.Store(false)
	look()
	if get().BarsAdvertising() != "" || v.barred.Load() != 0 {
		t.Errorf("valid again: %+v", get().Prefix)
	}
}
