package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

// evalRoute asks what becomes of one route on one session of a configuration.
func evalRoute(w io.Writer, route, session, direction, file, dialect, output string) error {
	if session == "" || file == "" {
		return strictcli.Usage("eval: --route needs --session NEIGHBOR and a configuration PATH")
	}
	if direction != "export" && direction != "import" {
		return strictcli.Usage("eval: --direction %q: want export or import", direction)
	}
	data, err := disk{}.read(file)
	if err != nil {
		return unreadable(err)
	}
	d, err := declaration(disk{}, "")
	if err != nil {
		return err
	}
	lang, _, problem := (&loader{tree: disk{}, declared: d, dialect: dialect}).dialectOf(file, data)
	if problem != "" {
		return unreadable(fmt.Errorf("%s: %s", file, problem))
	}
	var r cases.Route
	if err := json.Unmarshal([]byte(route), &r); err != nil {
		return strictcli.Usage(`eval: --route: %w; want {"prefix":"198.51.100.0/24","as_path":[64500],"learned_from":{"session":"ebgp","asn":64500}}`, err)
	}
	report, err := cases.Decide(&cases.File{Cases: []cases.Case{{
		ID: session + " " + direction, Lang: string(lang), Config: file, Neighbor: session, Direction: direction, Route: &r,
	}}}, disk{}.read)
	if err != nil {
		return usageOf(err)
	}
	if output == "json" {
		return json.NewEncoder(w).Encode(report)
	}
	return writeDecisions(w, report)
}
