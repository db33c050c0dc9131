package api_test

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// network answers for neighbors, sites and the configuration, and does nothing.
type network struct{}

func (network) EdgeConfig(_ context.Context, neighbor, system string) (string, int, error) {
	return system + " for " + neighbor + "\n", 3, nil
}

func (network) Sites(context.Context) ([]api.SiteStatus, error) {
	return []api.SiteStatus{{Name: "ams", Neighbors: []string{"transit-a"}, Routes: 1, State: "in-service"}}, nil
}

func (network) Drain(_ context.Context, q addressing.Request, _ api.DrainOrder) (api.DrainStatus, error) {
	return api.DrainStatus{SiteStatus: api.SiteStatus{State: "draining", DownAt: q.At}, Below: []string{"192.0.2.0/24"}, Detail: "draining"}, nil
}

func (network) Undrain(context.Context, addressing.Request, api.DrainOrder) (api.DrainStatus, error) {
	return api.DrainStatus{SiteStatus: api.SiteStatus{State: "in-service"}, Detail: "back"}, nil
}

func (network) Plan(context.Context) (api.ConfigDifference, error) {
	return api.ConfigDifference{Digest: "0", Changes: []api.ConfigEntry{{Kind: "add", What: "neighbor", Name: "transit-b"}}, Restart: []string{"api.listen"}}, nil
}

func (network) Apply(_ context.Context, _ addressing.Actor, _, digest string) (api.ConfigDifference, error) {
	return api.ConfigDifference{Digest: digest, Applied: true}, nil
}
