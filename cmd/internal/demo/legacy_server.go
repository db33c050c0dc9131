//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/cmd/internal/onboarding"
	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

const legacyNeighbor = "transit-a"

// legacyServer is an addressing API as it must not be: a plain table in front
// of a speaker. Every change of the table is on the wire before the answer,
// and a query parameter without a value is taken for an absent one.
type legacyServer struct {
	speaker bgp.Speaker
	rows    []table.Row

	mu         sync.Mutex
	customers  []legacyPrefix          // the table behind the API: customers' prefixes
	routes     []snapshots.TargetRoute // advertised, sorted
	generation uint64
}

type legacyPrefix struct {
	ID   string       `json:"id"`
	CIDR netip.Prefix `json:"cidr"`
}

func newLegacyServer(speaker bgp.Speaker, rows []table.Row) *legacyServer {
	return &legacyServer{speaker: speaker, rows: rows}
}

// fill puts every prefix into the table and on the wire.
func (s *legacyServer) fill(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shared := map[string]*snapshots.Attributes{}
	s.customers, s.routes = nil, nil
	for i, row := range s.rows {
		a := &snapshots.Attributes{ASPath: onboarding.Path(row, ourASN), NextHop: onboarding.NextHop(row, nextHop4, nextHop6)}
		key := fmt.Sprint(a.ASPath, a.NextHop)
		if shared[key] == nil {
			shared[key] = a
		}
		s.routes = append(s.routes, snapshots.TargetRoute{Prefix: row.Prefix, Attrs: shared[key]})
		if row.Kind == table.KindCustomer {
			s.customers = append(s.customers, legacyPrefix{ID: fmt.Sprintf("%032x", i), CIDR: row.Prefix})
		}
	}
	slices.SortFunc(s.routes, func(a, b snapshots.TargetRoute) int { return a.Prefix.Compare(b.Prefix) })
	return s.advertise(ctx)
}

// advertise makes the wire follow the table at once.
func (s *legacyServer) advertise(ctx context.Context) error {
	s.generation++
	return s.speaker.Apply(ctx, snapshots.Target{Epoch: 1, Generation: s.generation,
		Neighbors: map[string]snapshots.NeighborTarget{legacyNeighbor: {Routes: s.routes}}})
}

func (s *legacyServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/prefixes", s.list)
	mux.HandleFunc("DELETE /v1/prefixes/{id}", s.remove)
	mux.HandleFunc("POST /v1/prefixes/{id}/withdraw", s.remove)
	return mux
}

// list is the bug of 20 February: the parameter's value is tested, not its
// presence, so that ?pending_delete falls through to the full list.
func (s *legacyServer) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	found := slices.Clone(s.customers)
	s.mu.Unlock()
	if r.URL.Query().Get("pending_delete") != "" {
		found = []legacyPrefix{} // nothing is pending deletion here
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"items": found}) // the script sees a broken answer
}

// remove deletes or withdraws a prefix: gone from the table, gone from the
// wire.
func (s *legacyServer) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.customers, func(p legacyPrefix) bool { return p.ID == r.PathValue("id") })
	if i < 0 {
		http.Error(w, `{"code":"not_found"}`, http.StatusNotFound)
		return
	}
	gone := s.customers[i].CIDR
	s.customers = slices.Delete(s.customers, i, i+1)
	// A Target may not be written to once it is applied.
	s.routes = slices.DeleteFunc(slices.Clone(s.routes), func(t snapshots.TargetRoute) bool { return t.Prefix == gone })
	if err := s.advertise(r.Context()); err != nil {
		http.Error(w, `{"code":"internal"}`, http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}
