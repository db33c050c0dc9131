package main

import (
	"fmt"
	"slices"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func breakerCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "status", Usage: "state of every scope, strictest first",
			Action: action(func(c *cli.Context, conn *connection) error {
				return showBreaker(c, conn.get(conn.GetBreaker(c.Context)))
			}),
		},
		{
			Name: "trip", Usage: "open one scope by hand: nothing more is withdrawn in it",
			Flags:  mutating(scopeFlags()...),
			Action: action(tripBreaker),
		},
		{
			Name: "journal", Usage: "what was charged, tripped and reset, newest first",
			Flags: []cli.Flag{
				&cli.TimestampFlag{Name: "since", Usage: "not older than `TIME`, e.g. 2027-01-31T00:00:00Z", Layout: "2006-01-02T15:04:05Z07:00"},
				&cli.IntFlag{Name: "limit", Usage: "at most `N` entries", Value: 100},
			},
			Action: action(showJournal),
		},
		limitsCommand(),
		simulateCommand(),
		suggestCommand(),
		{
			Name: "reset", Usage: "close a scope that has tripped",
			Flags:  mutating(append(scopeFlags(), &cli.StringFlag{Name: "trip", Usage: "`TRIP_ID`, as status prints it", Required: true})...),
			Action: action(resetBreaker),
		},
	}
}

func scopeFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "scope", Usage: "global, account, actor, neighbor or service", Value: "global"},
		&cli.StringFlag{Name: "key", Usage: "`KEY` of the scope, as status prints it"},
	}
}

func tripBreaker(c *cli.Context, conn *connection) error {
	body := client.BreakerTrip{Scope: client.BreakerTripScope(c.String("scope"))}
	name := c.String("scope")
	if k := c.String("key"); k != "" {
		body.Key, name = &k, name+" "+k
	}
	if err := conn.scope(c, "breaker trip"); err != nil {
		return err
	}
	held, err := conn.advertised(c)
	if err != nil {
		return err
	}
	reason, err := prepare(c, mutation{verb: "breaker trip", plan: fmt.Sprintf("open %s: the wire keeps its %s, withdraws none; announcements and restores pass", name, plural(held, "route")), destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	return showBreaker(c, conn.get(conn.TripBreaker(c.Context, nil, body)))
}

// scope checks the scope that is to be tripped: one that is misspelt would open
// and protect nothing. What cannot be looked up now is taken as it is.
func (conn *connection) scope(c *cli.Context, verb string) error {
	kind, key := c.String("scope"), c.String("key")
	known := func(what, list string, names []string, err error) error {
		if err != nil || slices.Contains(names, key) {
			return nil
		}
		return strictcli.Usage("%s: --key %q: there is no %s like that; see holdfast %s", verb, key, what, list)
	}
	switch kind {
	case "global":
		if key != "" {
			return strictcli.Usage("%s: --key %q: the global scope has none", verb, key)
		}
		return nil
	case "account", "service", "neighbor", "actor":
		if key == "" {
			return strictcli.Usage("%s: --key: names the %s; the global scope alone has none", verb, kind)
		}
	default:
		return strictcli.Usage("%s: --scope %q: want global, account, actor, neighbor or service", verb, kind)
	}
	var names []string
	switch kind {
	case "account":
		var l client.AccountList
		err := conn.get(conn.ListAccounts(c.Context)).into(&l)
		for _, a := range l.Items {
			names = append(names, a.ID)
		}
		return known(kind, "account list", names, err)
	case "service":
		var l client.ServiceList
		err := conn.get(conn.ListServices(c.Context)).into(&l)
		for _, s := range l.Items {
			names = append(names, s.ID)
		}
		return known(kind, "service list", names, err)
	case "neighbor":
		var l client.NeighborList
		err := conn.get(conn.ListNeighbors(c.Context)).into(&l)
		for _, n := range l.Items {
			names = append(names, n.Name)
		}
		return known(kind, "neighbor list", names, err)
	}
	return nil
}

// advertised is how many routes are on the wire.
func (conn *connection) advertised(c *cli.Context) (int, error) {
	var s client.Status
	if err := conn.get(conn.GetStatus(c.Context)).into(&s); err != nil {
		return 0, err
	}
	total := 0
	for _, n := range s.Advertised {
		total += n
	}
	return total, nil
}

func freezeCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "freeze", Usage: "lock every change but restores and the emergency lane, across restarts", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				held, err := conn.advertised(c)
				if err != nil {
					return err
				}
				reason, err := prepare(c, mutation{verb: "freeze", plan: fmt.Sprintf("lock every change: the wire keeps its %s; restores and the emergency lane pass", plural(held, "route")), destructive: true})
				if err != nil {
					return err
				}
				return showBreaker(c, conn.get(conn.Freeze(c.Context, nil, client.ReasonRequired{Reason: reason})))
			}),
		},
		{
			Name: "unfreeze", Usage: "take the lock off; what had tripped before is still open", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "unfreeze", plan: "take the lock off: changes pass again within their limits", destructive: true})
				if err != nil {
					return err
				}
				return showBreaker(c, conn.get(conn.Unfreeze(c.Context, nil, client.ReasonRequired{Reason: reason})))
			}),
		},
	}
}

func showJournal(c *cli.Context, conn *connection) error {
	limit := c.Int("limit")
	if limit < 1 {
		return strictcli.Usage("breaker journal: --limit %d: want at least 1", limit)
	}
	var l client.JournalList
	return show(c, conn.get(conn.ListJournal(c.Context, &client.ListJournalParams{Since: c.Timestamp("since"), Limit: &limit})), &l, func(w *tabwriter.Writer) error {
		row(w, "AT", "KIND", "ACTOR", "SCOPE", "PREFIXES", "ID", "REASON")
		for _, j := range l.Items {
			row(w, utc(j.At), j.Kind, j.Actor, j.Scope, len(j.Items), optional(j.ID), optional(j.Reason))
		}
		return nil
	})
}

func resetBreaker(c *cli.Context, conn *connection) error {
	body := client.BreakerReset{Scope: client.BreakerResetScope(c.String("scope")), TripID: c.String("trip")}
	name := c.String("scope")
	if k := c.String("key"); k != "" {
		body.Key, name = &k, name+" "+k
	}
	reason, err := prepare(c, mutation{verb: "breaker reset", plan: "close " + name + ", trip " + body.TripID + ": what was held may then be withdrawn", destructive: true})
	if err != nil {
		return err
	}
	body.Reason = reason
	return showBreaker(c, conn.get(conn.ResetBreaker(c.Context, nil, body)))
}

func showBreaker(c *cli.Context, a answer) error {
	var b client.Breaker
	return show(c, a, &b, func(w *tabwriter.Writer) error {
		row(w, "state", b.State)
		row(w, "SCOPE", "KEY", "STATE", "TRIP", "SINCE", "REASON")
		for _, s := range b.Scopes {
			row(w, s.Scope, s.Key, s.State, s.TripID, optional(s.Since), s.Reason)
		}
		return nil
	})
}
