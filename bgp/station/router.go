package station

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
)

// Config is what a Station is told.
type Config struct {
	Listen  []netip.AddrPort
	Routers []Router
	// Neighbors are the names of all our sessions: what is sent to any of them
	// may be seen outside.
	Neighbors []string
	// Own are our AS numbers.
	Own []uint32
	// Roles is our role towards networks, by AS number: whose routes may go
	// where. What is not here is never called a leak.
	Roles map[uint32]policy.Role
	// Silent is how long a router may say nothing before what it said is not
	// trusted any more.
	Silent time.Duration
	// MaxRoutes is how many routes are kept of one router.
	MaxRoutes int
}

// Router is a router that may speak BMP to us.
type Router struct {
	Name      string
	Site      string
	Addresses []netip.Addr // it connects from one of these
	// Outside says that the router is not ours, or sees what others see: its
	// tables tell what is seen of us. ASN is its own.
	Outside bool
	ASN     uint32
	// Neighbors are the names of our sessions with an edge; Speakers the router
	// ids on the far side of the sessions that bring it our routes.
	Neighbors []string
	Speakers  []netip.Addr
	// Sessions are an edge's sessions with other networks.
	Sessions []Session
}

// Session is a session of an edge with another network.
type Session struct {
	Name    string
	Address netip.Addr
	ASN     uint32
	Role    policy.Role // ours: customer towards a transit
}

// Defaults of a Config.
const (
	DefaultSilent    = 5 * time.Minute
	DefaultMaxRoutes = 200_000
)

func (c Config) check() error {
	if len(c.Own) == 0 {
		return errors.New("own AS numbers: missing")
	}
	names, addresses := map[string]bool{}, map[netip.Addr]string{}
	for _, r := range c.Routers {
		switch {
		case r.Name == "" || names[r.Name]:
			return fmt.Errorf("router %q: the name is missing or used twice", r.Name)
		case len(r.Addresses) == 0:
			return fmt.Errorf("router %q: no address that it connects from", r.Name)
		case r.Outside && r.ASN == 0:
			return fmt.Errorf("router %q: an outside router needs its AS number", r.Name)
		}
		names[r.Name] = true
		for _, a := range r.Addresses {
			if other, taken := addresses[a]; taken {
				return fmt.Errorf("router %q: %s is also an address of %q", r.Name, a, other)
			}
			addresses[a] = r.Name
		}
	}
	return nil
}
