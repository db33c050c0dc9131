package guard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/internal/layers"
	"github.com/holdfast-bgp/holdfast/policy"
)

// RIB is the routing engine behind the guard. It offers what it holds on BGP
// sessions with the guard, its legs.
type RIB interface {
	// Connect lets the guard connect a leg. It is called once for each.
	Connect(ctx context.Context, l Leg) error
	// Change adds and deletes prefixes of ours; what is there or gone already
	// is skipped. On an error the rest is as it was and may be tried again.
	Change(ctx context.Context, add, remove []netip.Prefix) error
	// Restore puts prefixes back that Change has added and that went missing.
	Restore(ctx context.Context, prefixes []netip.Prefix) error
	// Close stops the engine.
	Close() error
}

// Config is what a Guard is made of.
type Config struct {
	ASN      uint32 // of the role communities
	RouterID netip.Addr
	// Listen is where neighbors may connect to; port 0 takes a free one. Empty
	// listens nowhere.
	Listen    []netip.AddrPort
	Neighbors []Neighbor
	// Restarting says that an earlier process may have advertised (RFC 4724
	// section 4.1). True on every start but the very first.
	Restarting bool
	// RIB, its address and the TCP-MD5 key that it expects.
	RIB      RIB
	Engine   netip.AddrPort
	Key      string
	StateDir string // where the Adj-RIB-Outs are kept; empty keeps none
	Logger   *slog.Logger
	// Events receives what was seen, one event at a time per neighbor. It must
	// not block.
	Events func(bgp.Event)
	// Off switches layers off in tests.
	Off layers.Off
}

// Neighbor is a neighbor with its transport. All but the fields of
// policy.Neighbor may be zero.
type Neighbor struct {
	policy.Neighbor
	Loopback     netip.Addr // of its own leg, if it has Receive control; in LegNetwork of its role
	Port         uint16     // default 179
	LocalAddress netip.Addr // to dial from; default any
	MD5          string     // RFC 2385 key, at most 80 bytes
	Passive      bool       // do not dial
	TTLSecurity  bool       // RFC 5082: send 255, take nothing less
	Multihop     uint8      // TTL towards an eBGP neighbor; 0 is 1
	HoldTime     time.Duration
	Keepalive    time.Duration // default a third of the negotiated hold time
	ConnectRetry time.Duration
	RestartTime  time.Duration // RFC 4724; 0 is no graceful restart
	StaleTime    time.Duration // RFC 9494; 0 is no long-lived graceful restart
	StrictRole   bool          // refuse a neighbor that sends no role (RFC 9234 section 4.2)
	LinkLocal    netip.Addr    // second IPv6 next hop (RFC 2545 section 3)
	// MaxPrefixes ends the session when the neighbor sends more; 0 is no limit,
	// or 10,000 for a neighbor with Receive control, whose prefixes are kept.
	MaxPrefixes int
	// Accept says which prefixes a neighbor with Receive control may send; nil
	// is none.
	Accept func(netip.Prefix) bool
}

const (
	defaultPort         = 179
	defaultHoldTime     = 90 * time.Second
	defaultConnectRetry = 2 * time.Second
	defaultMaxPrefixes  = 10_000
	maxRestartTime      = 4095 * time.Second // RFC 4724 section 3: 12 bits
	maxMD5              = 80                 // TCP_MD5SIG_MAXKEYLEN
)

// external reports whether the session has a role: RFC 9234 roles and OTC are
// for eBGP between networks, never for iBGP or our own routers.
func (n *Neighbor) external() bool { return n.Kind != policy.Edge && !n.internal() }

// internal reports an iBGP session (RFC 4271 section 1.1).
func (n *Neighbor) internal() bool { return n.ASN == n.LocalASN }

// role is our role on the session, no role on edge and iBGP sessions.
func (n *Neighbor) role() policy.Role {
	if !n.external() {
		return policy.NoRole
	}
	return n.Role
}

// addsOTC reports whether what leaves carries OTC of ours (RFC 9234 section 5).
func (n *Neighbor) addsOTC() bool {
	return policy.OTCEgress(n.role(), n.LocalASN, policy.OTC{}).Added
}

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.RIB == nil || !c.Engine.IsValid():
		return c, errors.New("engine: missing")
	case c.ASN == 0:
		return c, errors.New("asn: missing")
	case !c.RouterID.Is4() || c.RouterID.IsUnspecified():
		return c, fmt.Errorf("router id %s: want an IPv4 address", c.RouterID)
	}
	if err := c.Off.Check(); err != nil {
		return c, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Events == nil {
		c.Events = func(bgp.Event) {}
	}
	names, addresses := map[string]bool{}, map[netip.Addr]bool{}
	out := make([]Neighbor, len(c.Neighbors))
	for i, n := range c.Neighbors {
		n.setDefaults()
		if err := n.check(); err != nil {
			return c, fmt.Errorf("neighbor %q: %w", n.Name, err)
		}
		if names[n.Name] || addresses[n.Address] {
			return c, fmt.Errorf("neighbor %q: name or address %s repeated", n.Name, n.Address)
		}
		names[n.Name], addresses[n.Address] = true, true
		out[i] = n
	}
	c.Neighbors = out
	return c, nil
}

func (n *Neighbor) setDefaults() {
	if n.Port == 0 {
		n.Port = defaultPort
	}
	if n.HoldTime == 0 {
		n.HoldTime = defaultHoldTime
	}
	if n.ConnectRetry == 0 {
		n.ConnectRetry = defaultConnectRetry
	}
	if n.MaxPrefixes == 0 && n.Receive == policy.ReceiveControl {
		n.MaxPrefixes = defaultMaxPrefixes
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
	case n.Receive == policy.ReceiveControl && !LegNetwork(n.role()).Contains(n.Loopback):
		return fmt.Errorf("loopback %s: want an address of %s", n.Loopback, LegNetwork(n.role()))
	case n.ASN == 0 || n.LocalASN == 0:
		return errors.New("asn: missing")
	case len(n.Families) == 0:
		return errors.New("families: missing")
	case n.external() && !n.Role.Valid():
		return errors.New("role: missing; an ebgp neighbor has one (RFC 9234)")
	case len(n.MD5) > maxMD5:
		return fmt.Errorf("md5 key: longer than %d bytes", maxMD5)
	case n.HoldTime < 3*time.Second || n.HoldTime > 65535*time.Second: // RFC 4271 section 4.2
		return fmt.Errorf("hold time %s: want 3s to 65535s", n.HoldTime)
	case n.RestartTime > maxRestartTime:
		return fmt.Errorf("restart time %s: more than %s", n.RestartTime, maxRestartTime)
	case n.TTLSecurity && n.Multihop != 0:
		return errors.New("ttl security and multihop exclude one another")
	}
	return nil
}
