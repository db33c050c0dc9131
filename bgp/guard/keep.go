package guard

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// The Adj-RIB-Out of a neighbor is kept as the UPDATEs that would tell it again:
// a stream of BGP messages that any tool for BGP reads.

// keep writes every Adj-RIB-Out of an established session. A session that is
// down keeps its file: it is what the neighbor was told last.
func (g *Guard) keep() {
	if g.cfg.StateDir == "" {
		return
	}
	for _, n := range g.who.Load().neighbors {
		n.mu.Lock()
		up := n.up != nil
		n.mu.Unlock()
		if !up {
			continue
		}
		if err := n.keep(g.cfg.StateDir); err != nil {
			n.log.Error("adj-rib-out cannot be kept", "error", err)
		}
	}
}

func (n *neighbor) keep(dir string) error {
	n.table.mu.Lock()
	var gr groups
	n.table.each(func(_ int, p netip.Prefix, out wire.AttrSet) { gr.add(out, p) })
	n.table.mu.Unlock()
	raw, err := gr.encode(nil, wire.Encoding{}, &sent{})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	if err := renameio.WriteFile(filepath.Join(dir, n.Name+".bgp"), raw, 0o600); err != nil {
		return fmt.Errorf("keep: %w", err)
	}
	return nil
}
