package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func editPrefixCommand() *cli.Command {
	return &cli.Command{
		Name: "edit", Usage: "say who signals a prefix, whether its owner may toggle it, where and how it rests", ArgsUsage: "PREFIX",
		Flags: mutating(
			&cli.StringFlag{Name: "control", Usage: "api, or bgp: the customer signals by announcing it on its own session"},
			&cli.BoolFlag{Name: "lock", Usage: "the owner may not toggle it"},
			&cli.BoolFlag{Name: "unlock", Usage: "the owner may toggle it"},
			&cli.StringFlag{Name: "resting", Usage: "advertised, or withdrawn for an on-demand prefix"},
			&cli.StringSliceFlag{Name: "site", Usage: "advertise it at `SITE`; may be repeated"},
			&cli.BoolFlag{Name: "all-sites", Usage: "advertise it at every site"},
			&cli.StringFlag{Name: "route", Usage: "`CIDR` of the BGP prefix that --resting, --site and --all-sites are for; needed when there are several"},
		),
		Action: action(editPrefix),
	}
}

// editPrefix makes one request for the prefix and one for the route, each of
// them a change of its own.
func editPrefix(c *cli.Context, conn *connection) error {
	ofPrefix, plan, err := prefixControl(c)
	if err != nil {
		return err
	}
	ofRoute, more, err := routeEdit(c)
	if err != nil {
		return err
	}
	if plan = append(plan, more...); len(plan) == 0 {
		return strictcli.Usage("prefix edit: nothing to change: give --control, --lock, --unlock, --resting, --site or --all-sites")
	}
	p, err := conn.prefix(c, c.Args().First())
	if err != nil {
		return err
	}
	var route string
	if len(more) > 0 {
		if route, err = routeOf(p, c.String("route")); err != nil {
			return err
		}
	}
	reason, err := prepare(c, mutation{verb: "prefix edit", plan: p.Cidr + ": " + strings.Join(plan, ", ")})
	if err != nil {
		return err
	}
	var a answer
	if len(plan) > len(more) {
		ofPrefix.Reason = &reason
		a = conn.get(conn.ControlPrefix(c.Context, p.ID, nil, ofPrefix))
	}
	if len(more) > 0 && a.err == nil {
		ofRoute.Reason = &reason
		a = conn.get(conn.EditRoute(c.Context, p.ID, route, nil, ofRoute))
	}
	return showStatus(c, a)
}

func prefixControl(c *cli.Context) (body client.ControlPrefixJSONRequestBody, plan []string, err error) {
	switch control := c.String("control"); control {
	case "":
	case "api", "bgp":
		value := client.PrefixControlControl(control)
		body.Control = &value
		plan = append(plan, "control by "+control)
	default:
		return body, nil, strictcli.Usage("--control %q: want api or bgp", control)
	}
	lock, unlock := c.Bool("lock"), c.Bool("unlock")
	switch {
	case lock && unlock:
		return body, nil, strictcli.Usage("--lock and --unlock exclude one another")
	case lock, unlock:
		body.OnDemandLocked = &lock
		plan = append(plan, map[bool]string{true: "lock it", false: "unlock it"}[lock])
	}
	return body, plan, nil
}

func routeEdit(c *cli.Context) (body client.EditRouteJSONRequestBody, plan []string, err error) {
	switch resting := c.String("resting"); resting {
	case "":
	case "advertised", "withdrawn":
		value := client.RouteEditResting(resting)
		body.Resting = &value
		plan = append(plan, "resting "+resting)
	default:
		return body, nil, strictcli.Usage("--resting %q: want advertised or withdrawn", resting)
	}
	sites := c.StringSlice("site")
	switch {
	case len(sites) > 0 && c.Bool("all-sites"):
		return body, nil, strictcli.Usage("--site and --all-sites exclude one another")
	case len(sites) > 0:
		slices.Sort(sites)
		body.Sites = &sites
		plan = append(plan, "at "+strings.Join(sites, ", "))
	case c.Bool("all-sites"):
		every := true
		body.AllSites = &every
		plan = append(plan, "at every site")
	}
	return body, plan, nil
}

// routeOf names the route that is meant; with several of them it has to be said.
func routeOf(p client.PrefixStatus, cidr string) (string, error) {
	if cidr == "" && len(p.Routes) == 1 {
		return p.Routes[0].ID, nil
	}
	for _, r := range p.Routes {
		if r.Cidr == cidr {
			return r.ID, nil
		}
	}
	if cidr == "" {
		return "", strictcli.Usage("prefix edit: %s has %d BGP prefixes: name one with --route", p.Cidr, len(p.Routes))
	}
	return "", fmt.Errorf("prefix edit: %s has no BGP prefix %s", p.Cidr, cidr)
}
