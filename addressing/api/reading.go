package api

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// storeWait is how long a read waits for the store before the active snapshot
// answers in its place.
const storeWait = 2 * time.Second

// reading is what /client/v4 reads. addressing.Registry is one, the active
// snapshot is the other.
type reading interface {
	Account(ctx context.Context, s addressing.Scope, id string) (addressing.Account, error)
	Services(ctx context.Context) ([]addressing.Service, error)
	Prefixes(ctx context.Context, s addressing.Scope) ([]addressing.PrefixDetail, error)
	Prefix(ctx context.Context, s addressing.Scope, id string) (addressing.PrefixDetail, error)
	Bindings(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.Binding, error)
	Binding(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.Binding, error)
	BGPPrefixes(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.BGPPrefix, error)
	BGPPrefix(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.BGPPrefix, error)
}

// unavailable is the answer when desired state cannot be asked or changed.
func unavailable(why string) error {
	return &addressing.Error{Code: addressing.CodeUnavailable, Op: "desired state", Detail: why, Next: stillWorks}
}

// intent returns the use cases, or says why there are none now.
func (s *Server) intent() (*addressing.Registry, error) {
	if s.cfg.Pipeline != nil && s.cfg.Pipeline.Status().IntentLost {
		return nil, unavailable("the database of desired state is lost; nothing is changed until it is rebuilt from a snapshot")
	}
	if r := s.registry.Load(); r != nil {
		return r, nil
	}
	if s.cfg.Mode == string(StatusModeSpeak) {
		return nil, &addressing.Error{Code: addressing.CodeUnavailable, Op: "desired state", Detail: "a speaker alone has no desired state", Next: elsewhere + " that it follows"}
	}
	return nil, unavailable("the database of desired state is not open")
}

// reading is where the request reads: the store, or the active snapshot as
// soon as the store has failed it once.
func (s *Server) reading(ctx context.Context) reading { return &fallback{s: s, c: callIn(ctx)} }

// fallback asks the store first and the active snapshot if that is unavailable.
type fallback struct {
	s *Server
	c *call
}

// ask runs a read against the store, then against the snapshot.
func ask[T any](ctx context.Context, f *fallback, read func(context.Context, reading) (T, error)) (T, error) {
	var zero T
	if f.c.source != nil {
		return read(ctx, f.c.source)
	}
	reg, err := f.s.intent()
	if err == nil {
		bounded, cancel := context.WithTimeout(ctx, storeWait)
		defer cancel()
		var v T
		if v, err = read(bounded, reg); !storeFailed(err) {
			f.s.down.Store(false)
			return v, err
		}
		f.s.down.Store(true)
	}
	if f.c.source = f.s.frozen(); f.c.source == nil {
		return zero, err
	}
	f.c.header.Set("Holdfast-Source", f.c.source.name())
	return read(ctx, f.c.source)
}

func storeFailed(err error) bool {
	return err != nil && (addressing.CodeOf(err) == addressing.CodeUnavailable || errors.Is(err, context.DeadlineExceeded))
}

func (f *fallback) Account(ctx context.Context, s addressing.Scope, id string) (addressing.Account, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) (addressing.Account, error) { return r.Account(ctx, s, id) })
}

func (f *fallback) Services(ctx context.Context) ([]addressing.Service, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) ([]addressing.Service, error) { return r.Services(ctx) })
}

func (f *fallback) Prefixes(ctx context.Context, s addressing.Scope) ([]addressing.PrefixDetail, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) ([]addressing.PrefixDetail, error) { return r.Prefixes(ctx, s) })
}

func (f *fallback) Prefix(ctx context.Context, s addressing.Scope, id string) (addressing.PrefixDetail, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) (addressing.PrefixDetail, error) { return r.Prefix(ctx, s, id) })
}

func (f *fallback) Bindings(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.Binding, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) ([]addressing.Binding, error) {
		return r.Bindings(ctx, s, prefixID)
	})
}

func (f *fallback) Binding(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.Binding, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) (addressing.Binding, error) {
		return r.Binding(ctx, s, prefixID, id)
	})
}

func (f *fallback) BGPPrefixes(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.BGPPrefix, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) ([]addressing.BGPPrefix, error) {
		return r.BGPPrefixes(ctx, s, prefixID)
	})
}

func (f *fallback) BGPPrefix(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.BGPPrefix, error) {
	return ask(ctx, f, func(ctx context.Context, r reading) (addressing.BGPPrefix, error) {
		return r.BGPPrefix(ctx, s, prefixID, id)
	})
}

// frozen answers reads from one snapshot. It knows less than the store: no
// validation states and no times of its own; what it does not know it leaves
// empty, never guessed.
type frozen struct {
	snap *snapshots.Snapshot
	head snapshots.Head
}

// frozen returns the active snapshot as a reading, nil if there is none.
func (s *Server) frozen() *frozen {
	if s.cfg.Pipeline == nil {
		return nil
	}
	snap, head := s.cfg.Pipeline.Active()
	if snap == nil {
		return nil
	}
	return &frozen{snap: snap, head: head}
}

func (f *frozen) name() string { return "snapshot; generation=" + itoa(f.head.Generation) }

func (f *frozen) at() time.Time { return time.Unix(0, f.head.CreatedAt).UTC() }

// parts returns the account parts in scope.
func (f *frozen) parts(s addressing.Scope) []snapshots.AccountPart {
	if s.Every() {
		return f.snap.Accounts
	}
	i, ok := slices.BinarySearchFunc(f.snap.Accounts, s.Account(), func(p snapshots.AccountPart, id string) int {
		return strings.Compare(p.Account, id)
	})
	if !ok || s.Account() == "" {
		return nil
	}
	return f.snap.Accounts[i : i+1]
}

func notInSnapshot(op, what string) error {
	return &addressing.Error{Code: addressing.CodeNotFound, Op: op, Detail: what + " is not in the active snapshot", Message: "not_found"}
}

func (f *frozen) Account(_ context.Context, s addressing.Scope, id string) (addressing.Account, error) {
	for _, p := range f.parts(s) {
		if p.Account == id {
			return f.account(p), nil
		}
	}
	return addressing.Account{}, notInSnapshot("find account", "the account")
}

func (f *frozen) account(p snapshots.AccountPart) addressing.Account {
	return addressing.Account{ID: p.Account, Name: p.Name, Kind: p.Kind, CreatedAt: f.at()}
}

func (f *frozen) Services(context.Context) ([]addressing.Service, error) {
	out := make([]addressing.Service, 0, len(f.snap.Network.Services))
	for _, s := range f.snap.Network.Services {
		out = append(out, addressing.Service{ID: s.ID, Name: s.Name, MinSites: s.MinSites, CreatedAt: f.at()})
	}
	return out, nil
}

func (f *frozen) Prefixes(_ context.Context, s addressing.Scope) ([]addressing.PrefixDetail, error) {
	var out []addressing.PrefixDetail
	for _, part := range f.parts(s) {
		for _, r := range part.Prefixes {
			if visible(r.State) {
				out = append(out, f.detail(part, r))
			}
		}
	}
	slices.SortFunc(out, func(a, b addressing.PrefixDetail) int { return addressing.ComparePrefix(a.CIDR, b.CIDR) })
	return out, nil
}

func visible(l addressing.Lifecycle) bool {
	return l == addressing.Pending || l == addressing.Approved
}

func (f *frozen) Prefix(_ context.Context, s addressing.Scope, id string) (addressing.PrefixDetail, error) {
	for _, part := range f.parts(s) {
		for _, r := range part.Prefixes {
			if r.ID == id && visible(r.State) {
				return f.detail(part, r), nil
			}
		}
	}
	return addressing.PrefixDetail{}, notInSnapshot("find prefix", "the prefix")
}

func (f *frozen) detail(part snapshots.AccountPart, r snapshots.PrefixRecord) addressing.PrefixDetail {
	d := addressing.PrefixDetail{Account: f.account(part), Prefix: addressing.Prefix{
		ID: r.ID, AccountID: part.Account, CIDR: r.CIDR, ASN: r.ASN, Description: r.Description, State: r.State,
		Control: r.Control, OnDemandEnabled: r.OnDemand, OnDemandLocked: r.Locked, CreatedAt: f.at(), ModifiedAt: f.at()}}
	for _, b := range r.BGP {
		d.BGP = append(d.BGP, addressing.BGPPrefix{ID: b.ID, PrefixID: r.ID, CIDR: b.CIDR, Prepend: b.Prepend,
			Advertised: b.Advertised, Resting: b.Resting, Sites: b.Sites, CreatedAt: f.at(), ModifiedAt: f.at()})
	}
	for _, b := range r.Bindings {
		d.Bindings = append(d.Bindings, addressing.Binding{ID: b.ID, PrefixID: r.ID, CIDR: b.CIDR, ServiceID: b.Service,
			Active: b.Active, CreatedAt: f.at()})
	}
	return d
}

func (f *frozen) Bindings(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.Binding, error) {
	d, err := f.Prefix(ctx, s, prefixID)
	return d.Bindings, err
}

func (f *frozen) Binding(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.Binding, error) {
	all, err := f.Bindings(ctx, s, prefixID)
	for _, b := range all {
		if b.ID == id {
			return b, nil
		}
	}
	if err == nil {
		err = notInSnapshot("find binding", "the binding")
	}
	return addressing.Binding{}, err
}

func (f *frozen) BGPPrefixes(ctx context.Context, s addressing.Scope, prefixID string) ([]addressing.BGPPrefix, error) {
	d, err := f.Prefix(ctx, s, prefixID)
	return d.BGP, err
}

func (f *frozen) BGPPrefix(ctx context.Context, s addressing.Scope, prefixID, id string) (addressing.BGPPrefix, error) {
	all, err := f.BGPPrefixes(ctx, s, prefixID)
	for _, b := range all {
		if b.ID == id {
			return b, nil
		}
	}
	if err == nil {
		err = notInSnapshot("find bgp prefix", "the BGP prefix")
	}
	return addressing.BGPPrefix{}, err
}
