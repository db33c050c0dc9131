package main

import (
	"fmt"
	"io"

	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// rekey makes a new signing key for the snapshots of a stopped daemon whose own
// is lost. What the old one signed is still read.
func rekey(out io.Writer, file string) error {
	c, _, err := config.Load(file)
	if err != nil {
		return err
	}
	public, err := snapshots.Rekey(dataDir(c.DataDir).snapshots(), c.Environment)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "new signing key; verifier key:\n%s\nnext: add it to feed.keys of every speaker that runs alone, then start the daemon\n", public)
	return nil
}
