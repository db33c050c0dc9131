package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// None of the handlers in this file touches the store (invariant 11).

// missing is the answer of a part that this process does not have.
func missing(part string) error {
	return &addressing.Error{Code: addressing.CodeUnavailable, Op: part, Detail: "this process has no " + part,
		Next: elsewhere + " that has one"}
}

// GetStatus is the daemon at a glance. What is missing or broken is shown as
// such; it never fails as a whole.
func (h *handlers) GetStatus(ctx context.Context, _ GetStatusRequestObject) (GetStatusResponseObject, error) {
	out := Status{Environment: h.environment(), Mode: StatusMode(h.cfg.Mode), Version: h.cfg.Version, StartedAt: micro(h.cfg.StartedAt),
		Intent: StatusIntentOk, Breaker: StatusBreakerOpen, Advertised: familyCounts(nil), Risks: []string{}, Works: []string{}}
	if h.cfg.Risks != nil {
		out.Risks = append(out.Risks, h.cfg.Risks()...)
	}
	if h.cfg.Mode == string(StatusModeSpeak) {
		out.Intent = StatusIntentNone
	} else if _, err := h.intent(); err != nil || h.down.Load() {
		out.Intent = StatusIntentUnavailable
		out.Works = []string{stillWorks}
	}
	if h.cfg.Breaker != nil {
		if scopes, err := h.cfg.Breaker.Scopes(ctx); err == nil {
			out.Breaker = StatusBreaker(strictest(scopes))
		}
	}
	if p := h.cfg.Pipeline; p != nil {
		h.pipelineStatus(p, &out)
	}
	h.neighborStatus(ctx, &out)
	return GetStatus200JSONResponse(out), nil
}

func (h *handlers) pipelineStatus(p Pipeline, out *Status) {
	st := p.Status()
	out.Pinned, out.LastBuildAt = st.Pinned, timeOrNil(st.LastBuild)
	if st.IntentLost {
		out.Intent = StatusIntentLost
	}
	if snap, head := p.Active(); snap != nil {
		out.Snapshot = ptr(snapshotOut(head, st))
		counts := make(map[addressing.Family]int)
		for _, a := range snap.Accounts {
			for _, r := range a.Routes {
				counts[addressing.FamilyOf(r.CIDR)]++
			}
		}
		out.Advertised = familyCounts(counts)
	}
	if r := st.LastRefusal; r != nil {
		out.LastRefusal = &Refusal{At: micro(r.At), Generation: int64(r.Generation), Verdict: RefusalVerdict(r.Verdict.String()), Findings: findingsOut(r.Findings)}
	}
}

func (h *handlers) neighborStatus(ctx context.Context, out *Status) {
	if h.cfg.Speaker == nil {
		return
	}
	all, err := h.cfg.Speaker.Neighbors(ctx)
	if err != nil {
		out.Works = append(out.Works, "neighbors could not be asked: "+err.Error())
		return
	}
	out.Neighbors.Configured = len(all)
	for _, n := range all {
		if n.State == bgp.Established {
			out.Neighbors.Established++
		}
	}
}

func snapshotOut(head snapshots.Head, st PipelineStatus) Snapshot {
	return Snapshot{Generation: int64(head.Generation), ID: string(head.ID), Epoch: int64(head.Epoch), Parent: textOrNil(string(head.Parent)),
		CreatedAt: micro(time.Unix(0, head.CreatedAt)), Actor: head.Actor, Reason: head.Reason,
		Active: head.Generation == st.Generation, LastKnownGood: head.Generation == st.LastKnownGood}
}

func (h *handlers) pipelineState() PipelineStatus {
	if h.cfg.Pipeline == nil {
		return PipelineStatus{}
	}
	return h.cfg.Pipeline.Status()
}

// ListSnapshots lists the kept snapshots, newest first.
func (h *handlers) ListSnapshots(ctx context.Context, _ ListSnapshotsRequestObject) (ListSnapshotsResponseObject, error) {
	if h.cfg.History == nil {
		return nil, missing("snapshot history")
	}
	heads, err := h.cfg.History.Heads(ctx)
	if err != nil {
		return nil, err
	}
	st := h.pipelineState()
	out := make([]Snapshot, 0, len(heads))
	for _, head := range heads {
		out = append(out, snapshotOut(head, st))
	}
	return ListSnapshots200JSONResponse{Items: out, Scope: "all-snapshots", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// GetSnapshot shows one snapshot.
func (h *handlers) GetSnapshot(ctx context.Context, r GetSnapshotRequestObject) (GetSnapshotResponseObject, error) {
	if h.cfg.History == nil {
		return nil, missing("snapshot history")
	}
	if r.Generation < 1 {
		return nil, noGeneration(r.Generation)
	}
	snap, head, err := h.cfg.History.Snapshot(ctx, uint64(r.Generation))
	if err != nil {
		return nil, err
	}
	s := snapshotOut(head, h.pipelineState())
	out := SnapshotDetail{Generation: s.Generation, ID: s.ID, Epoch: s.Epoch, Parent: s.Parent, CreatedAt: s.CreatedAt, Actor: s.Actor,
		Reason: s.Reason, Active: s.Active, LastKnownGood: s.LastKnownGood, Environment: snap.Environment, Asn: int64(snap.Network.ASN),
		Sites: append([]string{}, snap.Network.Sites...), Neighbors: []string{}, Accounts: make([]SnapshotAccount, 0, len(snap.Accounts)), Limits: []SnapshotLimit{}}
	for _, n := range snap.Network.Neighbors {
		out.Neighbors = append(out.Neighbors, n.Name)
	}
	total := make(map[addressing.Family]int)
	for _, a := range snap.Accounts {
		counts := make(map[addressing.Family]int)
		for _, route := range a.Routes {
			counts[addressing.FamilyOf(route.CIDR)]++
			total[addressing.FamilyOf(route.CIDR)]++
		}
		out.Accounts = append(out.Accounts, SnapshotAccount{Account: a.Account, Name: a.Name, Kind: string(a.Kind), Prefixes: len(a.Prefixes),
			Routes: familyCounts(counts), NegativeIntents: len(a.Negative)})
	}
	out.Routes = familyCounts(total)
	for _, l := range snap.Network.Limits {
		out.Limits = append(out.Limits, SnapshotLimit{Name: l.Name, Value: l.Value})
	}
	return GetSnapshot200JSONResponse(out), nil
}

func noGeneration(n int64) error {
	return &addressing.Error{Code: addressing.CodeNotFound, Op: "find snapshot", Detail: fmt.Sprintf("there is no generation %d", n),
		Next: "holdfast snapshot list shows those that are kept"}
}

// DiffSnapshots compares two generations. Generation 0 is the empty state.
func (h *handlers) DiffSnapshots(ctx context.Context, r DiffSnapshotsRequestObject) (DiffSnapshotsResponseObject, error) {
	if h.cfg.History == nil {
		return nil, missing("snapshot history")
	}
	var from *snapshots.Snapshot
	var err error
	if r.Params.From != 0 {
		if from, _, err = h.cfg.History.Snapshot(ctx, uint64(r.Params.From)); err != nil {
			return nil, err
		}
	}
	to, head, err := h.cfg.History.Snapshot(ctx, uint64(r.Params.To))
	if err != nil {
		return nil, err
	}
	p := plan.Diff(from, to)
	p.Generation, p.At = head.Generation, time.Unix(0, head.CreatedAt)
	return DiffSnapshots200JSONResponse(planOut(p, plan.Report{Verdict: policy.Allow})), nil
}

// GetPlan shows what the next snapshot would change. When that cannot be known
// it says why, and the verdict holds.
func (h *handlers) GetPlan(ctx context.Context, _ GetPlanRequestObject) (GetPlanResponseObject, error) {
	if h.cfg.Pipeline == nil {
		return nil, missing("pipeline")
	}
	p, report, err := h.cfg.Pipeline.Pending(ctx)
	if err != nil {
		report = plan.Report{Verdict: policy.Hold, Findings: []policy.Finding{{Rule: "plan.unknown", Verdict: policy.Hold,
			Why: "what is pending cannot be known now: " + err.Error(), Next: stillWorks}}}
	}
	if p.Environment == "" {
		p.Environment = h.environment()
	}
	out := planOut(p, report)
	if h.cfg.Rollouts != nil && err == nil {
		out.Rollout = planRollout(h.cfg.Rollouts.Forecast(p))
	}
	return GetPlan200JSONResponse(out), nil
}

// Rollback composes a new generation from an old one. Exactly one of all,
// account_id, prefix_id and prefix names what it is for: none is never everything.
func (h *handlers) Rollback(ctx context.Context, r RollbackRequestObject) (RollbackResponseObject, error) {
	if h.cfg.Pipeline == nil {
		return nil, missing("pipeline")
	}
	c := callIn(ctx)
	req := RollbackRequest{Actor: c.caller.actor, Reason: r.Body.Reason, RequestID: c.requestID, At: c.at}
	named := 0
	if r.Body.All != nil {
		if !*r.Body.All {
			return nil, &inputError{"/all", "must be true or left out"}
		}
		req.All = true
		named++
	}
	if r.Body.AccountID != nil {
		req.AccountID = *r.Body.AccountID
		named++
	}
	if r.Body.PrefixID != nil {
		req.PrefixID = *r.Body.PrefixID
		named++
	}
	if r.Body.Prefix != nil {
		p, err := addressing.ParsePrefix(*r.Body.Prefix)
		if err != nil {
			return nil, &inputError{"/prefix", err.Error()}
		}
		req.Prefix = p
		named++
	}
	if named != 1 {
		return nil, &inputError{"", "exactly one of all, account_id, prefix_id and prefix must be given"}
	}
	if r.Body.To != nil {
		req.To = uint64(*r.Body.To)
	}
	req.DryRun = r.Body.DryRun != nil && *r.Body.DryRun
	req.Pace = paceOf(r.Body.Rate, r.Body.Priority)
	o, err := h.cfg.Pipeline.Rollback(ctx, req)
	if err != nil {
		return nil, err
	}
	return Rollback200JSONResponse{Body: RollbackResult{Generation: int64(o.Generation), From: int64(o.From), To: int64(o.To), ID: string(o.ID),
		Of: o.Of, DryRun: req.DryRun, Advertised: o.Advertised, Later: o.Later, Modified: o.Modified, LeftAdvertised: o.LeftAdvertised, NegativeIntents: o.NegativeIntents,
		Pinned: o.Pinned, IntentRestored: o.IntentRestored, Detail: o.Detail}}, nil
}

// severity orders breaker states, strictest first. An unknown state is as
// strict as can be.
var severity = map[string]int{"locked": 1, "open": 2, "recovering": 3, "closed": 4}

func strictest(scopes []BreakerStatus) string {
	worst := "closed"
	for _, s := range scopes {
		if severity[s.State] < severity[worst] {
			worst = s.State
		}
	}
	if severity[worst] == 0 {
		return "locked"
	}
	return worst
}

// GetBreaker lists the breaker's scopes, strictest first.
func (h *handlers) GetBreaker(ctx context.Context, _ GetBreakerRequestObject) (GetBreakerResponseObject, error) {
	out, err := h.breaker(ctx)
	if err != nil {
		return nil, err
	}
	return GetBreaker200JSONResponse(out), nil
}

func (h *handlers) breaker(ctx context.Context) (Breaker, error) {
	if h.cfg.Breaker == nil {
		return Breaker{}, missing("breaker")
	}
	scopes, err := h.cfg.Breaker.Scopes(ctx)
	if err != nil {
		return Breaker{}, err
	}
	scopes = slices.Clone(scopes)
	slices.SortStableFunc(scopes, func(a, b BreakerStatus) int {
		return cmp.Or(cmp.Compare(severity[a.State], severity[b.State]), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key))
	})
	out := Breaker{State: BreakerState(strictest(scopes)), Scopes: make([]BreakerScope, 0, len(scopes))}
	for _, s := range scopes {
		out.Scopes = append(out.Scopes, BreakerScope{Scope: s.Scope, Key: s.Key, State: BreakerScopeState(s.State), TripID: s.TripID,
			Since: timeOrNil(s.Since), Reason: s.Reason})
	}
	return out, nil
}

// ResetBreaker resets one scope, named with the trip it is for.
func (h *handlers) ResetBreaker(ctx context.Context, r ResetBreakerRequestObject) (ResetBreakerResponseObject, error) {
	if h.cfg.Breaker == nil {
		return nil, missing("breaker")
	}
	c := callIn(ctx)
	req := ResetRequest{Scope: string(r.Body.Scope), TripID: r.Body.TripID, Reason: r.Body.Reason, Actor: c.caller.actor, At: c.at,
		Person: c.caller.person()}
	if r.Body.Key != nil {
		req.Key = *r.Body.Key
	}
	if (req.Scope == "global") != (req.Key == "") {
		return nil, &inputError{"/key", "names the account, actor, neighbor or service; the global scope has none"}
	}
	if err := h.cfg.Breaker.Reset(ctx, req); err != nil {
		return nil, err
	}
	out, err := h.breaker(ctx)
	if err != nil {
		return nil, err
	}
	return ResetBreaker200JSONResponse{Body: out}, nil
}

// ListNeighbors lists the neighbors and their sessions.
func (h *handlers) ListNeighbors(ctx context.Context, _ ListNeighborsRequestObject) (ListNeighborsResponseObject, error) {
	if h.cfg.Speaker == nil {
		return nil, missing("speaker")
	}
	all, err := h.cfg.Speaker.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Neighbor, 0, len(all))
	for _, n := range all {
		out = append(out, neighborOut(n))
	}
	return ListNeighbors200JSONResponse{Items: out, Scope: "all-neighbors", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

func neighborOut(n bgp.NeighborStatus) Neighbor {
	out := Neighbor{Name: n.Name, Kind: NeighborKind(n.Kind), Site: n.Site, Group: textOrNil(n.Group), Address: n.Address.String(),
		Asn: int64(n.ASN), LocalAsn: int64(n.LocalASN), Role: n.Role.String(), RemoteRole: textOrNil(n.RemoteRole.String()),
		Families: []string{}, State: NeighborState(n.State), Since: timeOrNil(n.Since), UptimeSeconds: int64(n.Uptime / time.Second),
		Survival: Survival{Seconds: int64(n.Survival.Total() / time.Second), RestartSeconds: int64(n.Survival.Restart / time.Second),
			LongLivedSeconds: int64(n.Survival.LongLived / time.Second), AfterNotification: n.Survival.Notification},
		LastError: textOrNil(n.LastError), Advertised: familyCounts(n.Advertised), Target: familyCounts(n.Target)}
	if n.Kind == "" {
		out.Kind = NeighborKindEbgp
	}
	if n.State == "" {
		out.State = NeighborStateIdle
	}
	for _, f := range n.Families {
		out.Families = append(out.Families, f.String())
	}
	if n.Shutdown {
		out.Shutdown = ptr(true)
	}
	if n.RouterID.IsValid() {
		out.RouterID = ptr(n.RouterID.String())
	}
	return out
}

// ListNeighborRoutes is the Adj-RIB-Out of one neighbor.
func (h *handlers) ListNeighborRoutes(ctx context.Context, r ListNeighborRoutesRequestObject) (ListNeighborRoutesResponseObject, error) {
	if h.cfg.Speaker == nil {
		return nil, missing("speaker")
	}
	all, err := h.cfg.Speaker.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(all, func(n bgp.NeighborStatus) bool { return n.Name == r.Neighbor }) {
		return nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "list routes", Detail: "there is no neighbor " + r.Neighbor,
			Next: "holdfast neighbor list shows them"}
	}
	routes, err := h.cfg.Speaker.Routes(ctx, r.Neighbor)
	if err != nil {
		return nil, err
	}
	out := make([]NeighborRoute, 0, len(routes))
	for _, route := range routes {
		out = append(out, routeOut(route))
	}
	return ListNeighborRoutes200JSONResponse{Items: out, Scope: "neighbor:" + r.Neighbor, Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

func routeOut(r snapshots.TargetRoute) NeighborRoute {
	out := NeighborRoute{Prefix: r.Prefix.String(), AsPath: []int64{}}
	a := r.Attrs
	if a == nil {
		return out
	}
	for _, asn := range a.ASPath {
		out.AsPath = append(out.AsPath, int64(asn))
	}
	out.NextHop = a.NextHop.String()
	out.Communities, out.LargeCommunities = texts(a.Communities), texts(a.LargeCommunities)
	if a.MED != nil {
		out.Med = ptr(int64(*a.MED))
	}
	if a.LocalPref != nil {
		out.LocalPref = ptr(int64(*a.LocalPref))
	}
	return out
}
