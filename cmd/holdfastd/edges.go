package main

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/policy/device/render"
)

// edges writes the router's side from the configuration and the active
// snapshot. It needs no database.
type edges struct{ d *daemon }

var _ api.Edges = edges{}

// EdgeConfig implements api.Edges.
func (e edges) EdgeConfig(_ context.Context, neighbor, system string) (string, int, error) {
	snapshot, _ := e.d.pipeline.Active()
	held := snapshot.Held()
	side, err := e.d.configNow().Side(neighbor, held, nil)
	if err != nil {
		return "", 0, &addressing.Error{Code: addressing.CodeNotFound, Op: "edge configuration", Field: "neighbor", Detail: err.Error(),
			Next: "holdfast neighbor list shows the neighbors"}
	}
	text, err := render.System(system, side)
	if err != nil {
		return "", 0, &addressing.Error{Code: addressing.CodeInvalid, Op: "edge configuration", Field: "system", Detail: err.Error(), Next: "use frr or junos"}
	}
	return text, len(held), nil
}
