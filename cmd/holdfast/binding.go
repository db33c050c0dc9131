package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/urfave/cli/v2"
)

func bindingCommands() []*cli.Command {
	return []*cli.Command{
		{
			Name: "add", Usage: "bind a prefix, or a range of it, to a service", ArgsUsage: "PREFIX SERVICE",
			Flags:  mutating(&cli.StringFlag{Name: "cidr", Usage: "range to bind; the whole `PREFIX` if left out"}),
			Action: action(addBinding),
		},
		{
			Name: "list", Usage: "list the bindings of a prefix", ArgsUsage: "PREFIX",
			Action: action(func(c *cli.Context, conn *connection) error {
				p, err := conn.prefix(c, c.Args().First())
				if err != nil {
					return err
				}
				var l client.BindingList
				return show(c, conn.get(conn.ListBindings(c.Context, p.ID)), &l, func(w *tabwriter.Writer) error {
					row(w, "ID", "CIDR", "SERVICE", "ACTIVE")
					for _, b := range l.Items {
						row(w, b.ID, b.Cidr, b.ServiceName, yesNo(b.Active))
					}
					return nil
				})
			}),
		},
		{
			Name: "remove", Usage: "remove a binding", ArgsUsage: "BINDING", Flags: mutating(),
			Action: action(func(c *cli.Context, conn *connection) error {
				reason, err := prepare(c, mutation{verb: "binding remove", plan: "remove binding " + c.Args().First(), destructive: true})
				if err != nil {
					return err
				}
				return done(c, conn.get(conn.DeleteBinding(c.Context, c.Args().First(), &client.DeleteBindingParams{HoldfastReason: &reason})))
			}),
		},
	}
}

func addBinding(c *cli.Context, conn *connection) error {
	p, err := conn.prefix(c, c.Args().Get(0))
	if err != nil {
		return err
	}
	service, err := conn.service(c, c.Args().Get(1))
	if err != nil {
		return err
	}
	cidr := c.String("cidr")
	if cidr == "" {
		cidr = p.Cidr
	}
	reason, err := prepare(c, mutation{verb: "binding add", plan: fmt.Sprintf("bind %s to service %s", cidr, service.Name)})
	if err != nil {
		return err
	}
	var b client.Binding
	return show(c, conn.get(conn.CreateBinding(c.Context, p.ID, nil, client.PrefixBind{Cidr: cidr, ServiceID: service.ID, Reason: &reason})), &b, func(w *tabwriter.Writer) error {
		row(w, "id", b.ID)
		row(w, "cidr", b.Cidr)
		row(w, "service", b.ServiceName)
		row(w, "active", yesNo(b.Active))
		return nil
	})
}

// service finds a service by id or by its exact name.
func (conn *connection) service(c *cli.Context, idOrName string) (client.Service, error) {
	var l client.ServiceList
	if err := conn.get(conn.ListServices(c.Context)).into(&l); err != nil {
		return client.Service{}, err
	}
	for _, s := range l.Items {
		if s.ID == idOrName || s.Name == idOrName {
			return s, nil
		}
	}
	return client.Service{}, fmt.Errorf("there is no service %q; see holdfast service list", idOrName)
}
