package main

import (
	"fmt"
	"regexp"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
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
						row(w, a.ID, a.Kind, a.Name, utc(a.CreatedAt))
					}
					return nil
				})
			}),
		},
		{
			Name: "show", Usage: "show one account", ArgsUsage: "ACCOUNT",
			Action: action(func(c *cli.Context, conn *connection) error {
				id, err := conn.account(c, c.Args().First())
				if err != nil {
					return err
				}
				var a client.Account
				return show(c, conn.get(conn.GetAccount(c.Context, id)), &a, drawAccount(&a))
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

// account is the id of an account that is named by id or by name. An id is not
// looked up, so that this works with the database gone; a name that nobody or
// several have is an error.
func (conn *connection) account(c *cli.Context, idOrName string) (string, error) {
	if accountID.MatchString(idOrName) {
		return idOrName, nil
	}
	var l client.AccountList
	if err := conn.get(conn.ListAccounts(c.Context)).into(&l); err != nil {
		return "", fmt.Errorf("account %q is looked up by name: %w", idOrName, err)
	}
	var ids []string
	for _, a := range l.Items {
		if a.Name == idOrName {
			ids = append(ids, a.ID)
		}
	}
	if len(ids) != 1 {
		return "", strictcli.Usage("account %q: %d accounts have that name; holdfast account list shows names and ids", idOrName, len(ids))
	}
	return ids[0], nil
}

var accountID = regexp.MustCompile(`^[0-9a-f]{32}$`)

func drawAccount(a *client.Account) table {
	return func(w *tabwriter.Writer) error {
		row(w, "id", a.ID)
		row(w, "name", a.Name)
		row(w, "kind", a.Kind)
		row(w, "created", utc(a.CreatedAt))
		return nil
	}
}
