package api

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp"
)

// GetNeighbor is one neighbor with what was counted at it.
func (h *handlers) GetNeighbor(ctx context.Context, r GetNeighborRequestObject) (GetNeighborResponseObject, error) {
	if h.cfg.Speaker == nil {
		return nil, missing("speaker")
	}
	all, err := h.cfg.Speaker.Neighbors(ctx)
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		if n.Name == r.Neighbor {
			out := neighborOut(n)
			out.Tally = tallyOut(n.Tally)
			return GetNeighbor200JSONResponse(out), nil
		}
	}
	return nil, &addressing.Error{Code: addressing.CodeNotFound, Op: "show neighbor", Detail: "there is no neighbor " + r.Neighbor,
		Next: "holdfast neighbor list shows them"}
}

func tallyOut(t *bgp.Tally) *Tally {
	if t == nil {
		return nil
	}
	out := &Tally{
		Families: map[string]FamilyTally{}, UpdatesSent: int64(t.UpdatesSent), UpdatesReceived: int64(t.UpdatesRead),
		Malformed: map[string]int64{}, Refused: int64(t.Refused), Ups: int64(t.Ups), Downs: map[string]int64{},
		Alarms: int64(t.Alarms), Otc: map[string]int64{},
	}
	for f, ft := range t.Families {
		out.Families[f.String()] = FamilyTally{
			Advertised: int64(ft.Advertised), Withdrawn: int64(ft.Withdrawn), HeldBack: int64(ft.HeldBack),
			LeakBlocked: int64(ft.LeakBlocked), Dropped: int64(ft.Dropped), Revoked: int64(ft.Revoked),
			Missing: ft.Missing, Foreign: ft.Foreign,
		}
	}
	for k, v := range t.Malformed {
		out.Malformed[k] = int64(v)
	}
	for k, v := range t.Downs {
		out.Downs[string(k)] = int64(v)
	}
	for k, v := range t.OTC {
		out.Otc[k] = int64(v)
	}
	return out
}
