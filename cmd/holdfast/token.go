package main

import (
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

func tokenCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "create",
			Usage: "create a token and print it, once",
			Flags: mutating(
				&cli.StringFlag{Name: "account", Usage: "`ACCOUNT`, by id or name, the token is bound to; left out for approve, break-glass and speaker, may be for operator and read-only"},
				&cli.StringFlag{Name: "role", Usage: "admin, on-demand, read-only, operator, approve, break-glass, speaker or reporter", Required: true},
				&cli.StringFlag{Name: "name", Usage: "`NAME` for people"},
				&cli.StringSliceFlag{Name: "network", Usage: "`CIDR` it may be used from; may be repeated"},
				&cli.TimestampFlag{Name: "expires", Usage: "`TIME` it ends, e.g. 2027-01-31T00:00:00Z", Layout: "2006-01-02T15:04:05Z07:00"},
			),
			Action: action(createToken),
		},
		{
			Name: "list", Usage: "list tokens; the secrets are not kept",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.TokenList
				return show(c, conn.get(conn.ListTokens(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "ROLE", "ACCOUNT", "SUFFIX", "NAME", "LAST USED", "REVOKED")
					for _, t := range l.Items {
						row(w, t.ID, t.Role, optional(t.AccountID), t.Suffix, t.Name, optional(t.LastUsedAt), optional(t.RevokedAt))
					}
					return nil
				})
			}),
		},
		{
			Name: "revoke", Usage: "end a token at once", ArgsUsage: "TOKEN", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "token revoke", plan: "revoke token " + c.Args().First(), destructive: true})
				if err != nil {
					return err
				}
				return done(c, conn.get(conn.RevokeToken(c.Context, c.Args().First(), &client.RevokeTokenParams{HoldfastReason: &reason})))
			}),
		},
		{
			Name: "rotate", Usage: "create the successor of a token; the old one stays valid until it is retired", ArgsUsage: "TOKEN", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "token rotate", plan: "create the successor of token " + c.Args().First()})
				if err != nil {
					return err
				}
				return showSecret(c, conn.get(conn.RotateToken(c.Context, c.Args().First(), nil, client.ReasonOnly{Reason: &reason})))
			}),
		},
		{
			Name: "retire", Usage: "end a rotated token: its successor was used, and it was not for an hour", ArgsUsage: "TOKEN", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "token retire", plan: "retire token " + c.Args().First(), destructive: true})
				if err != nil {
					return err
				}
				return done(c, conn.get(conn.RetireToken(c.Context, c.Args().First(), nil, client.ReasonOnly{Reason: &reason})))
			}),
		},
	}
}

func createToken(c *cli.Context, conn *connection) error {
	role, account := c.String("role"), c.String("account")
	if account == "" && (role == "admin" || role == "on-demand") {
		return strictcli.Usage("token create: role %s needs --account", role)
	}
	plan := "create a token with role " + role
	if account != "" {
		var err error
		if account, err = conn.account(c, account); err != nil {
			return err
		}
		plan += " for account " + account
	}
	reason, err := prepare(c, mutation{verb: "token create", plan: plan})
	if err != nil {
		return err
	}
	body := client.TokenCreate{Role: client.TokenCreateRole(role), Reason: &reason, ExpiresAt: c.Timestamp("expires")}
	if account != "" {
		body.AccountID = &account
	}
	if name := c.String("name"); name != "" {
		body.Name = &name
	}
	if networks := c.StringSlice("network"); len(networks) > 0 {
		body.Networks = &networks
	}
	return showSecret(c, conn.get(conn.CreateToken(c.Context, nil, body)))
}

// showSecret shows a new token, the only time it is seen.
func showSecret(c *cli.Context, a answer) error {
	var t client.TokenSecret
	return show(c, a, &t, func(w *tabwriter.Writer) error {
		row(w, "id", t.ID)
		row(w, "token", t.Token)
		row(w, "", "keep it: only its hash is stored")
		return nil
	})
}

// done prints the answer of a verb whose answer is of no interest to people.
func done(c *cli.Context, a answer) error {
	if a.err != nil {
		return a.err
	}
	if len(a.body) == 0 {
		a.body = []byte("{}")
	}
	var any map[string]any
	return show(c, a, &any, func(w *tabwriter.Writer) error {
		row(w, "done")
		return nil
	})
}
