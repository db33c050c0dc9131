//go:build linux

package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/bgp/speakertest/neighbor"
)

// neighborVerb makes this program the neighbor.
const neighborVerb = "neighbor"

// reportEvery is how often the neighbor looks at its log. Entries carry the
// time at which they happened, so it does not blur what is measured.
const reportEvery = 5 * time.Millisecond

// families are the ones that the neighbor speaks.
var families = []addressing.Family{addressing.IPv4, addressing.IPv6}

// report is one line from the neighbor to the harness. The first one has the
// address it listens on; the others are one change of the table each, or the
// answer to "routes".
type report struct {
	Listening netip.AddrPort `json:"listening,omitzero"`
	At        time.Time      `json:"at,omitzero"`
	What      string         `json:"what,omitempty"` // as neighbor.Change has it
	Held      int            `json:"held"`
	Removed   int            `json:"removed,omitempty"`
	Routes    []heldRoute    `json:"routes,omitempty"`
}

// heldRoute is one route of the Adj-RIB-In.
type heldRoute struct {
	Prefix  netip.Prefix `json:"prefix"`
	ASPath  []uint32     `json:"as_path"`
	NextHop netip.Addr   `json:"next_hop"`
	Origin  uint8        `json:"origin"`
}

// serveNeighbor is the neighbor's process: it keeps an Adj-RIB-In and tells
// every change of it. It ends with its input.
func serveNeighbor(args []string, in io.Reader, out io.Writer) error {
	f := flag.NewFlagSet(neighborVerb, flag.ContinueOnError)
	listen := f.String("listen", "", "`ADDRESS:PORT` to listen on")
	peer := f.String("peer", "", "`ADDRESS` that may connect")
	asn := f.Uint("asn", 0, "our AS `NUMBER`")
	peerASN := f.Uint("peer-asn", 0, "the other side's AS `NUMBER`")
	if err := f.Parse(args); err != nil {
		return err
	}
	cfg := neighbor.Config{
		ASN: uint32(*asn), PeerASN: uint32(*peerASN), RouterID: netip.AddrFrom4([4]byte{192, 0, 2, 2}),
		Families: families, GracefulRestart: true, LogLimit: 1 << 20,
	}
	var err error
	if cfg.Listen, err = netip.ParseAddrPort(*listen); err != nil {
		return fmt.Errorf("neighbor: --listen: %w", err)
	}
	if cfg.Peer, err = netip.ParseAddr(*peer); err != nil {
		return fmt.Errorf("neighbor: --peer: %w", err)
	}
	n, err := neighbor.New(cfg)
	if err != nil {
		return fmt.Errorf("neighbor: %w", err)
	}
	defer n.Close()
	return tell(n, in, out)
}

// adjRIBIn is what tell needs of a neighbor.
type adjRIBIn interface {
	Addr() netip.AddrPort
	Counters() neighbor.Counters
	Log() []neighbor.Change
	Routes() []neighbor.Route
}

// tell writes reports until the input ends.
func tell(n adjRIBIn, in io.Reader, out io.Writer) error {
	lines := bufio.NewWriter(out)
	write := json.NewEncoder(lines)
	if err := write.Encode(report{Listening: n.Addr()}); err != nil {
		return err
	}
	questions := make(chan string)
	go func() {
		defer close(questions)
		for s := bufio.NewScanner(in); s.Scan(); {
			questions <- s.Text()
		}
	}()
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	told, counted := 0, neighbor.Counters{}
	for {
		if now := n.Counters(); now != counted || told == 0 {
			counted = now
			log := n.Log()
			for _, c := range log[told:] {
				if err := write.Encode(report{At: c.At, What: c.What, Held: c.Held, Removed: c.Withdrawn}); err != nil {
					return err
				}
			}
			told = len(log)
		}
		if err := lines.Flush(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case q, open := <-questions:
			if !open {
				return nil
			}
			if q != "routes" {
				return fmt.Errorf("neighbor: question %q", q)
			}
			if err := write.Encode(report{What: "routes", Routes: heldRoutes(n.Routes())}); err != nil {
				return err
			}
		}
	}
}

func heldRoutes(routes []neighbor.Route) []heldRoute {
	out := make([]heldRoute, len(routes))
	for i, r := range routes {
		out[i] = heldRoute{Prefix: r.Prefix, ASPath: r.Attrs.ASPath, NextHop: r.Attrs.NextHop, Origin: uint8(r.Attrs.Origin)}
	}
	return out
}
