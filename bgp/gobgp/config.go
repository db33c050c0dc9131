package gobgp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/internal/layers"
	"github.com/holdfast-bgp/holdfast/policy"
)

// Config is what a Speaker is made of. ASN, RouterID and the neighbors' fields
// of policy.Neighbor are required.
type Config struct {
	ASN      uint32
	RouterID netip.Addr
	// Listen is where neighbors may connect to. All addresses share one port;
	// port 0 takes a free one. Empty listens nowhere.
	Listen    []netip.AddrPort
	Neighbors []Neighbor
	// Restarting says that an earlier process may have advertised: the Restart
	// and Forwarding State bits are set (RFC 4724 section 4.1). True on every
	// start but the very first.
	Restarting bool
	// Deferral bounds how long a restarting session waits for the neighbor's
	// End-of-RIB before it sends (RFC 4724 section 4.1). Default 10 s.
	Deferral time.Duration
	Logger   *slog.Logger // default slog.Default()
	// Events receives what was seen. It is called from one goroutine at a time
	// per source and must not block. Without the session guard Advertised and
	// Withdrawn mean: handed to an established session.
	Events func(bgp.Event)
	// StateDir is where the session guard keeps the Adj-RIB-Outs; empty keeps
	// none. New ignores it, and what says so of Neighbor.
	StateDir string

	off layers.Off // switched off in tests
}

// Neighbor is a neighbor and its transport.
type Neighbor struct {
	policy.Neighbor
	Port         uint16     // default 179
	LocalAddress netip.Addr // to dial from and to be dialed at; default any
	MD5          string     // RFC 2385 key, at most 80 bytes
	Passive      bool       // do not dial
	// TTLSecurity sends with TTL 255 and takes nothing less (RFC 5082).
	TTLSecurity bool
	// Multihop is the TTL towards an eBGP neighbor that is not on the link; 0
	// is 1 hop.
	Multihop        uint8
	HoldTime        time.Duration // default 90 s, at least 3 s
	Keepalive       time.Duration // default a third of HoldTime
	ConnectRetry    time.Duration // default 2 s
	GracefulRestart GracefulRestart

	// Of the session guard alone.
	StrictRole  bool       // refuse a neighbor that sends no role (RFC 9234 section 4.2)
	MaxPrefixes int        // end the session when the neighbor sends more; 0 is no limit
	LinkLocal   netip.Addr // second IPv6 next hop (RFC 2545 section 3)
	// Accept says which prefixes a neighbor with Receive control may send; nil
	// is none.
	Accept func(netip.Prefix) bool
}

// GracefulRestart is RFC 4724 towards one neighbor.
type GracefulRestart struct {
	Enabled bool
	// RestartTime is how long the neighbor may wait for us. Default 120 s, at
	// most 4095 s.
	RestartTime time.Duration
	// StaleTime is how long the neighbor may keep the routes after that, of the
	// session guard alone (RFC 9494). 0 is not at all; at most 2^24-1 seconds.
	StaleTime time.Duration
}

const (
	defaultPort         = 179
	defaultHoldTime     = 90 * time.Second
	defaultConnectRetry = 2 * time.Second
	defaultRestartTime  = 120 * time.Second
	defaultDeferral     = 10 * time.Second
	maxRestartTime      = 4095 * time.Second        // RFC 4724 section 3: 12 bits
	maxStaleTime        = (1<<24 - 1) * time.Second // RFC 9494 section 3: 24 bits
	maxMD5              = 80                        // TCP_MD5SIG_MAXKEYLEN
)

// withDefaults returns a validated copy.
func (c Config) withDefaults() (Config, error) {
	switch {
	case c.ASN == 0:
		return c, errors.New("asn: missing")
	case !c.RouterID.Is4() || c.RouterID.IsUnspecified():
		return c, fmt.Errorf("router id %s: want an IPv4 address", c.RouterID)
	}
	if c.Deferral == 0 {
		c.Deferral = defaultDeferral
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Events == nil {
		c.Events = func(bgp.Event) {}
	}
	for _, l := range c.Listen {
		if l.Port() != c.Listen[0].Port() {
			return c, fmt.Errorf("listen %s: all addresses share one port, the first has %d", l, c.Listen[0].Port())
		}
	}
	return c, c.defaultNeighbors()
}

func (c *Config) defaultNeighbors() error {
	names, addresses := map[string]bool{}, map[netip.Addr]bool{}
	out := make([]Neighbor, len(c.Neighbors))
	for i, n := range c.Neighbors {
		if n.LocalASN == 0 {
			n.LocalASN = c.ASN
		}
		n.setDefaults()
		if err := n.check(); err != nil {
			return fmt.Errorf("neighbor %q: %w", n.Name, err)
		}
		// GoBGP tells neighbors apart by their address alone.
		if names[n.Name] || addresses[n.Address] {
			return fmt.Errorf("neighbor %q: name or address %s repeated", n.Name, n.Address)
		}
		names[n.Name], addresses[n.Address] = true, true
		out[i] = n
	}
	c.Neighbors = out
	return nil
}

func (n *Neighbor) setDefaults() {
	if n.Port == 0 {
		n.Port = defaultPort
	}
	if n.HoldTime == 0 {
		n.HoldTime = defaultHoldTime
	}
	if n.Keepalive == 0 {
		n.Keepalive = n.HoldTime / 3
	}
	if n.ConnectRetry == 0 {
		n.ConnectRetry = defaultConnectRetry
	}
	if n.GracefulRestart.RestartTime == 0 {
		n.GracefulRestart.RestartTime = defaultRestartTime
	}
}

func (n *Neighbor) check() error {
	switch {
	case n.Name == "":
		return errors.New("name: missing")
	case !n.Address.IsValid() || n.Address.IsUnspecified() || n.Address.Is4In6() || n.Address.Zone() != "":
		return fmt.Errorf("address %s: want an IPv4 or IPv6 address without zone", n.Address)
	case n.LocalAddress.IsValid() && n.LocalAddress.Is4() != n.Address.Is4():
		return fmt.Errorf("local address %s: not of the family of %s", n.LocalAddress, n.Address)
	case n.ASN == 0:
		return errors.New("asn: missing")
	case len(n.Families) == 0:
		return errors.New("families: missing")
	case len(n.MD5) > maxMD5:
		return fmt.Errorf("md5 key: longer than %d bytes", maxMD5)
	case n.HoldTime < 3*time.Second: // RFC 4271 section 4.2; 0 makes GoBGP v3 flap
		return fmt.Errorf("hold time %s: want 3s or more", n.HoldTime)
	case n.GracefulRestart.RestartTime > maxRestartTime:
		return fmt.Errorf("restart time %s: more than %s", n.GracefulRestart.RestartTime, maxRestartTime)
	case n.GracefulRestart.StaleTime < 0 || n.GracefulRestart.StaleTime > maxStaleTime:
		return fmt.Errorf("stale time %s: more than %s", n.GracefulRestart.StaleTime, maxStaleTime)
	case n.TTLSecurity && n.Multihop != 0:
		return errors.New("ttl security and multihop exclude one another")
	case n.LocalPref != nil && *n.LocalPref == 0:
		return errors.New("local_pref 0: GoBGP cannot set it")
	case n.Prepend < 0 || n.Prepend > 16:
		return fmt.Errorf("prepend %d: want 0 to 16", n.Prepend)
	}
	return nil
}

// internal reports an iBGP session (RFC 4271 section 1.1).
func (n *Neighbor) internal() bool { return n.ASN == n.LocalASN }
