package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/renameio/v2"
	"github.com/oklog/ulid/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// emergencyLane takes a few prefixes down at once. With the database there the
// negative intents are written to it first; without it they live in the
// snapshot, and in a plain file until desired state is back.
type emergencyLane struct {
	d  *daemon
	mu *sync.Mutex // one at a time, and none while the file is read back
}

var _ api.EmergencyLane = emergencyLane{}

// offlineEmergency is one withdrawal that desired state does not know yet.
type offlineEmergency struct {
	Request addressing.Request          `json:"request"`
	Change  string                      `json:"change"`
	Intents []addressing.NegativeIntent `json:"intents"`
}

// Withdraw implements api.EmergencyLane.
func (e emergencyLane) Withdraw(ctx context.Context, r api.EmergencyRequest) (api.EmergencyOutcome, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	out, intents, err := e.look(r)
	if err != nil {
		return out, err
	}
	if r.DryRun {
		out.Offline = e.d.registry.Load() == nil
		out.Detail = "dry run: nothing was changed"
		return out, nil
	}
	req := addressing.Request{Actor: r.Actor, Scope: addressing.EveryAccount(), Reason: r.Reason, Incident: r.Incident, RequestID: r.RequestID, At: r.At}
	change, intents, offline, err := e.intend(ctx, req, r.Prefixes, intents)
	if err != nil {
		return out, err
	}
	head, err := e.d.pipeline.TakeDown(ctx, change, intents)
	if err != nil {
		code := addressing.CodeUnavailable
		if errors.Is(err, rollout.ErrRefused) {
			code = addressing.CodeRefused
		}
		return out, &addressing.Error{Code: code, Op: "emergency withdraw", Detail: err.Error(), Next: "repeat the command; holdfast breaker status"}
	}
	e.d.log.Error("emergency withdrawal", "page", true, "prefixes", r.Prefixes, "incident", r.Incident, "reason", r.Reason, "actor", r.Actor.Key(),
		"generation", head.Generation, "offline", offline)
	out.ChangeID, out.Offline = change.ID, offline
	for _, n := range intents {
		out.Intents = append(out.Intents, n.ID)
	}
	out.Detail = fmt.Sprintf("%d route(s) down with generation %d; lift by name: holdfast prefix unblock --intent ID", out.Advertised, head.Generation)
	if offline {
		out.Detail += "; desired state is not there: the snapshot keeps them down until it is"
	}
	return out, nil
}

// look finds the prefixes in the active snapshot.
func (e emergencyLane) look(r api.EmergencyRequest) (api.EmergencyOutcome, []addressing.NegativeIntent, error) {
	var out api.EmergencyOutcome
	snap, _ := e.d.pipeline.Active()
	if snap == nil {
		return out, nil, &addressing.Error{Code: addressing.CodeConflict, Op: "emergency withdraw", Detail: "nothing is advertised"}
	}
	out.Total = snap.RouteCount()
	var intents []addressing.NegativeIntent
	for _, p := range r.Prefixes {
		account, advertised, found := snap.HoldsRoute(p)
		if !found {
			return out, nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "emergency withdraw", Field: "prefixes", Detail: p.String() + " is no BGP prefix of the active snapshot",
				Next: "name it exactly as holdfast prefix list shows it; neither a cover nor a part is understood"}
		}
		if advertised {
			out.Advertised++
		}
		var id [16]byte
		if _, err := rand.Read(id[:]); err != nil {
			return out, nil, fmt.Errorf("emergency withdraw: %w", err)
		}
		intents = append(intents, addressing.NegativeIntent{ID: hex.EncodeToString(id[:]), AccountID: account, CIDR: p, Kind: addressing.IntentEmergency,
			Author: r.Actor.Key(), Reason: r.Incident + ": " + r.Reason, CreatedAt: r.At.UTC()})
	}
	return out, intents, nil
}

// intend records the negative intents: in desired state, or beside it when it
// is not there. A refusal is final; only a store that fails leads offline.
func (e emergencyLane) intend(ctx context.Context, req addressing.Request, cidrs []netip.Prefix, intents []addressing.NegativeIntent) (addressing.ChangeSet, []addressing.NegativeIntent, bool, error) {
	if reg := e.d.registry.Load(); reg != nil {
		done, change, err := reg.EmergencyWithdraw(ctx, req, cidrs, intents...)
		if code := addressing.CodeOf(err); err == nil || code != addressing.CodeUnavailable && code != addressing.CodeInternal {
			if change.ID == "" {
				change = e.change(req, nil) // down already: nothing new was admitted
			}
			return change, done, false, err
		}
		e.d.log.Error("desired state cannot take an emergency; it goes on without", "error", err)
	}
	change := e.change(req, intents)
	release, err := e.d.gate.Admit(ctx, change)
	if err != nil {
		return change, nil, true, err
	}
	if err := e.keep(offlineEmergency{Request: req, Change: change.ID, Intents: intents}); err != nil {
		release()
		return change, nil, true, &addressing.Error{Code: addressing.CodeUnavailable, Op: "emergency withdraw", Detail: err.Error(), Next: "look at the data directory's space and permissions"}
	}
	return change, intents, true, nil
}

// change is the ChangeSet of an emergency that the database cannot make.
func (e emergencyLane) change(req addressing.Request, intents []addressing.NegativeIntent) addressing.ChangeSet {
	c := addressing.ChangeSet{ID: ulid.MustNew(ulid.Timestamp(req.At), rand.Reader).String(), RequestID: req.RequestID, Actor: req.Actor, Reason: req.Reason,
		Incident: req.Incident, At: req.At.UTC(), Verb: addressing.VerbEmergency}
	snap, _ := e.d.pipeline.Active()
	for _, n := range intents {
		c.Objects = append(c.Objects, n.ID)
		part := gate.AccountPart(snap, n.AccountID)
		if r := gate.RouteAt(part, n.CIDR); r != nil {
			c.Effects = append(c.Effects, addressing.Effect{Kind: addressing.Lost, CIDR: n.CIDR, AccountID: n.AccountID, Account: part.Kind,
				Resting: r.Resting, Services: r.Services})
		}
	}
	return c
}

func (e emergencyLane) keep(one offlineEmergency) error {
	all, err := e.kept()
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(append(all, one), "", "  ")
	if err != nil {
		return fmt.Errorf("emergency file: %w", err)
	}
	if err := renameio.WriteFile(e.d.dir.emergencies(), append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("emergency file: %w", err)
	}
	return syncDir(string(e.d.dir))
}

func (e emergencyLane) kept() ([]offlineEmergency, error) {
	raw, err := os.ReadFile(e.d.dir.emergencies())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("emergency file: %w", err)
	}
	var all []offlineEmergency
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("emergency file %s: %w: move it away once its negative intents are in the database", e.d.dir.emergencies(), err)
	}
	return all, nil
}

// bringBack writes what was taken down while the database was gone to it,
// before anything is built from it: what was taken down on purpose stays down
// (invariant 15). A prefix that the database does not have needs no intent.
func (e emergencyLane) bringBack(ctx context.Context, reg *addressing.Registry) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, err := e.kept()
	if err != nil {
		return err
	}
	for _, one := range all {
		one.Request.Scope = addressing.EveryAccount()
		for _, n := range one.Intents {
			_, _, err := reg.EmergencyWithdraw(ctx, one.Request, []netip.Prefix{n.CIDR}, n)
			if err != nil && addressing.CodeOf(err) != addressing.CodeNotFound {
				return fmt.Errorf("emergency of incident %s: %s: %w", one.Request.Incident, n.CIDR, err)
			}
		}
	}
	if len(all) == 0 {
		return nil
	}
	e.d.log.Info("emergency withdrawals written to desired state", "commands", len(all))
	if err := os.Remove(e.d.dir.emergencies()); err != nil {
		return fmt.Errorf("emergency file: %w", err)
	}
	return syncDir(filepath.Dir(e.d.dir.emergencies()))
}
