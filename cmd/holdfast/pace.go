package main

import (
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// paceOf reads --rate and --priority.
func paceOf[K ~string](c *cli.Context) (rate *int, priority *[]K, err error) {
	if c.IsSet("rate") {
		n := c.Int("rate")
		if n < 1 {
			return nil, nil, strictcli.Usage("--rate %d: want routes per second, from 1; leave it out for all at once", n)
		}
		rate = &n
	}
	if c.IsSet("priority") {
		var kinds []K
		for _, k := range c.StringSlice("priority") {
			if k != "first-party" && k != "customer" {
				return nil, nil, strictcli.Usage("--priority %q: want first-party or customer", k)
			}
			kinds = append(kinds, K(k))
		}
		priority = &kinds
	}
	return rate, priority, nil
}
