package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func accountCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name:  "create",
			Usage: "create an account",
			Flags: mutating(
				&cli.StringFlag{Name: "name", Usage: "`NAME` for people", Required: true},
				&cli.StringFlag{Name: "kind", Usage: "customer, or first-party (protected)", Value: "customer"},
			),
			Action: action(createAccount),
		},
		{
			Name:  "list",
			Usage: "list accounts",
			Action: action(func(c *cli.Context, conn *connection) error {
				var l client.AccountList
				return show(c, conn.get(conn.ListAccounts(c.Context)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "KIND", "NAME", "CREATED")
					for _, a := range l.Items {
						row(w, a.ID, a.Kind, a.Name, a.CreatedAt.Format("2006-01-02"))
					}
					return nil
				})
			}),
		},
		{
			Name: "show", Usage: "show one account", ArgsUsage: "ACCOUNT",
			Action: action(func(c *cli.Context, conn *connection) error {
				var a client.Account
				return show(c, conn.get(conn.GetAccount(c.Context, c.Args().First())), &a, drawAccount(&a))
			}),
		},
	}
}

func createAccount(c *cli.Context, conn *connection) error {
	reason, err := prepare(c, mutation{verb: "account create", plan: fmt.Sprintf("create %s account %q", c.String("kind"), c.String("name"))})
	if err != nil {
		return err
	}
	kind := client.AccountCreateKind(c.String("kind"))
	var a client.Account
	return show(c, conn.get(conn.CreateAccount(c.Context, nil, client.AccountCreate{Name: c.String("name"), Kind: &kind, Reason: &reason})), &a, drawAccount(&a))
}

func drawAccount(a *client.Account) table {
	return func(w *tabwriter.Writer) error {
		row(w, "id", a.ID)
		row(w, "name", a.Name)
		row(w, "kind", a.Kind)
		return nil
	}
}
