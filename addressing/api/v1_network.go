package api

import (
	"context"
	"slices"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Edges writes the router's side of a session.
type Edges interface {
	// EdgeConfig is for the neighbor or the router of that name, in the language
	// of a system, with the number of prefixes that the router takes.
	EdgeConfig(ctx context.Context, neighbor, system string) (text string, prefixes int, err error)
}

// Drains takes sites and neighbors out of service and back.
type Drains interface {
	Sites(ctx context.Context) ([]SiteStatus, error)
	Drain(ctx context.Context, q addressing.Request, r DrainOrder) (DrainStatus, error)
	Undrain(ctx context.Context, q addressing.Request, r DrainOrder) (DrainStatus, error)
}

// Configuration is the configuration file as an operator handles it.
type Configuration interface {
	// Plan says what the file would change.
	Plan(ctx context.Context) (ConfigDifference, error)
	// Apply takes the file over if its digest is the one that was planned.
	Apply(ctx context.Context, by addressing.Actor, reason, digest string) (ConfigDifference, error)
}

// SiteStatus is one site.
type SiteStatus struct {
	Name       string
	Neighbors  []string
	Routes     int
	State      string // in-service, draining or drained
	Intent     string // id
	DownAt     time.Time
	By, Reason string
	Load       *float64 // bits per second; nil is not known
	Capacity   *float64 // bits per second; nil is not told
}

// DrainOrder names what to drain: a site or a neighbor, never both.
type DrainOrder struct {
	Site, Neighbor string
	Shutdown       bool           // of a neighbor: its session too
	Wait           *time.Duration // nil is the configuration's
	AcceptBelow    bool           // the named risk below-min-sites
	AcceptOver     bool           // the named risk over-capacity
	DryRun         bool
}

// DrainStatus is what a drain did, or would do.
type DrainStatus struct {
	SiteStatus
	Below  []string // prefixes left with fewer sites than a service needs
	Change addressing.ChangeSet
	Detail string
}

// ConfigDifference is what the configuration file would change, or changed.
type ConfigDifference struct {
	Digest  string
	Changes []ConfigEntry
	Restart []string // keys that are read at start only
	Applied bool
	Plan    plan.Plan
	Report  plan.Report
}

// ConfigEntry is one difference.
type ConfigEntry struct {
	Kind, What, Name, Detail string
	Loses                    bool
}

// GetEdgeConfig writes the router's side.
func (h *handlers) GetEdgeConfig(ctx context.Context, r GetEdgeConfigRequestObject) (GetEdgeConfigResponseObject, error) {
	if h.cfg.Edges == nil {
		return nil, missing("neighbor configuration")
	}
	text, n, err := h.cfg.Edges.EdgeConfig(ctx, r.Neighbor, string(r.Params.System))
	if err != nil {
		return nil, err
	}
	return GetEdgeConfig200JSONResponse{Neighbor: r.Neighbor, System: string(r.Params.System), Prefixes: n, Text: text}, nil
}

// ListSites lists sites and whether they are drained.
func (h *handlers) ListSites(ctx context.Context, _ ListSitesRequestObject) (ListSitesResponseObject, error) {
	if h.cfg.Drains == nil {
		return nil, missing("sites")
	}
	all, err := h.cfg.Drains.Sites(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Site, 0, len(all))
	for _, s := range all {
		out = append(out, Site{Load: bitsOrNil(s.Load), Capacity: bitsOrNil(s.Capacity), Name: s.Name, Neighbors: append([]string{}, s.Neighbors...), Routes: s.Routes, State: SiteState(s.State),
			Intent: textOrNil(s.Intent), DownAt: timeOrNil(s.DownAt), By: textOrNil(s.By), Reason: textOrNil(s.Reason)})
	}
	return ListSites200JSONResponse{Items: out, Scope: "all", Environment: h.environment(), Count: len(out), Total: len(out)}, nil
}

// bitsOrNil is bits per second as a whole number, nil where there are none to
// tell.
func bitsOrNil(n *float64) *int64 {
	if n == nil {
		return nil
	}
	whole := int64(*n)
	return &whole
}

func (h *handlers) drain(ctx context.Context, r DrainRequest, o DrainOrder) (Drain, error) {
	if h.cfg.Drains == nil {
		return Drain{}, missing("sites")
	}
	if r.WaitSeconds != nil {
		wait := time.Duration(*r.WaitSeconds) * time.Second
		o.Wait = &wait
	}
	if r.AcceptRisk != nil {
		o.AcceptBelow = slices.Contains(*r.AcceptRisk, DrainRequestAcceptRiskBelowMinSites)
		o.AcceptOver = slices.Contains(*r.AcceptRisk, DrainRequestAcceptRiskOverCapacity)
	}
	o.DryRun = r.DryRun != nil && *r.DryRun
	s, err := h.cfg.Drains.Drain(ctx, callIn(ctx).request(&r.Reason), o)
	return drainOut(ctx, o, s), err
}

func (h *handlers) undrain(ctx context.Context, reason string, o DrainOrder) (Drain, error) {
	if h.cfg.Drains == nil {
		return Drain{}, missing("sites")
	}
	s, err := h.cfg.Drains.Undrain(ctx, callIn(ctx).request(&reason), o)
	return drainOut(ctx, o, s), err
}

func drainOut(ctx context.Context, o DrainOrder, s DrainStatus) Drain {
	out := Drain{What: DrainWhatNeighbor, Name: o.Neighbor, State: DrainState(s.State), Routes: s.Routes, Intent: textOrNil(s.Intent),
		DownAt: timeOrNil(s.DownAt), BelowMinSites: append([]string{}, s.Below...), Detail: s.Detail, ChangeID: callIn(ctx).changed(s.Change)}
	if o.Site != "" {
		out.What, out.Name = DrainWhatSite, o.Site
	}
	return out
}

// DrainSite takes the neighbors of a site out of service.
func (h *handlers) DrainSite(ctx context.Context, r DrainSiteRequestObject) (DrainSiteResponseObject, error) {
	out, err := h.drain(ctx, *r.Body, DrainOrder{Site: r.Site})
	return DrainSite200JSONResponse{Body: out}, err
}

// UndrainSite puts them back.
func (h *handlers) UndrainSite(ctx context.Context, r UndrainSiteRequestObject) (UndrainSiteResponseObject, error) {
	out, err := h.undrain(ctx, r.Body.Reason, DrainOrder{Site: r.Site})
	return UndrainSite200JSONResponse{Body: out}, err
}

// DrainNeighbor takes one neighbor out of service.
func (h *handlers) DrainNeighbor(ctx context.Context, r DrainNeighborRequestObject) (DrainNeighborResponseObject, error) {
	out, err := h.drain(ctx, *r.Body, DrainOrder{Neighbor: r.Neighbor})
	return DrainNeighbor200JSONResponse{Body: out}, err
}

// UndrainNeighbor puts it back.
func (h *handlers) UndrainNeighbor(ctx context.Context, r UndrainNeighborRequestObject) (UndrainNeighborResponseObject, error) {
	out, err := h.undrain(ctx, r.Body.Reason, DrainOrder{Neighbor: r.Neighbor})
	return UndrainNeighbor200JSONResponse{Body: out}, err
}

// PlanConfig says what the configuration file would change.
func (h *handlers) PlanConfig(ctx context.Context, _ PlanConfigRequestObject) (PlanConfigResponseObject, error) {
	if h.cfg.Configuration == nil {
		return nil, missing("configuration")
	}
	d, err := h.cfg.Configuration.Plan(ctx)
	if err != nil {
		return nil, err
	}
	return PlanConfig200JSONResponse(h.configOut(d)), nil
}

// ApplyConfig takes the configuration file over.
func (h *handlers) ApplyConfig(ctx context.Context, r ApplyConfigRequestObject) (ApplyConfigResponseObject, error) {
	if h.cfg.Configuration == nil {
		return nil, missing("configuration")
	}
	d, err := h.cfg.Configuration.Apply(ctx, callIn(ctx).caller.actor, r.Body.Reason, r.Body.Digest)
	if err != nil {
		return nil, err
	}
	return ApplyConfig200JSONResponse{Body: h.configOut(d)}, nil
}

func (h *handlers) configOut(d ConfigDifference) ConfigPlan {
	out := ConfigPlan{Digest: d.Digest, Changes: make([]ConfigChange, 0, len(d.Changes)), Restart: append([]string{}, d.Restart...), Applied: d.Applied, Plan: planOut(d.Plan, d.Report)}
	for _, c := range d.Changes {
		out.Changes = append(out.Changes, ConfigChange{Kind: ConfigChangeKind(c.Kind), What: c.What, Name: c.Name, Loses: c.Loses, Detail: textOrNil(c.Detail)})
	}
	if h.cfg.Rollouts != nil {
		out.Plan.Rollout = planRollout(h.cfg.Rollouts.Forecast(d.Plan))
	}
	return out
}

// ShutdownNeighbor drains one neighbor, and then ends its session.
func (h *handlers) ShutdownNeighbor(ctx context.Context, r ShutdownNeighborRequestObject) (ShutdownNeighborResponseObject, error) {
	out, err := h.drain(ctx, *r.Body, DrainOrder{Neighbor: r.Neighbor, Shutdown: true})
	return ShutdownNeighbor200JSONResponse{Body: out}, err
}

// EnableNeighbor lets it in again.
func (h *handlers) EnableNeighbor(ctx context.Context, r EnableNeighborRequestObject) (EnableNeighborResponseObject, error) {
	out, err := h.undrain(ctx, r.Body.Reason, DrainOrder{Neighbor: r.Neighbor, Shutdown: true})
	return EnableNeighbor200JSONResponse{Body: out}, err
}
