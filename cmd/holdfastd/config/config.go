package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/edge"
)

// Config is the whole configuration, judged and with absolute paths. It is
// never written to after Load.
type Config struct {
	File        string
	Environment string
	Observe     bool // sessions up, nothing announced
	DataDir     string
	API         API
	AdminSocket string
	Metrics     string // listen address
	BGP         BGP
	RPKI        RPKI
	IRR         IRR
	Cleanup     Cleanup
	Breaker     Breaker
	Rollout     rollout.Program
	Health      Health
	Edge        edge.Settings
	BMP         BMP
	LogLevel    slog.Level
}

// RPKI is where validated ROA payloads come from: a file, or a cache over RTR,
// or nowhere.
type RPKI struct {
	File    string // JSON of rpki-client or Routinator
	SLURM   string // local exceptions (RFC 8416); may be empty
	RTR     string // address:port
	Refresh time.Duration
}

// IRR is where route objects come from: a file, a whois server, both, or
// nowhere.
type IRR struct {
	File  string // RPSL
	Whois string // address:port
}

// Cleanup is the clean-up worker. The zero value is off.
type Cleanup struct {
	Enabled bool
	Apply   bool // without it a run only says what it would do
	Every   time.Duration
	Cap     int // most deletions of one run
}

// API is the addressing API's listener and limits.
type API struct {
	Listen              string
	CertFile, KeyFile   string  // both or none
	RequestsPerSecond   float64 // per account, or per token without one
	Burst               int
	AllowSpecialPurpose bool // a lab may hold documentation and private ranges
}

// BGP is our side of every session and the neighbors.
type BGP struct {
	ASN       uint32
	RouterID  netip.Addr
	Listen    []netip.AddrPort
	Sites     []string           // sorted, never empty
	Capacity  map[string]float64 // of sites, in bits per second, where it is told
	Neighbors []Neighbor
	Transits  []snapshots.Transit // behind the edges of sites
	Drain     Drain
	// EdgeMarker is the community that every route to an edge carries.
	EdgeMarker string
}

// Drain is how sites, neighbors and prefixes are taken out of service. Marks are
// nil for GRACEFUL_SHUTDOWN (RFC 8326).
type Drain struct {
	Wait     time.Duration // from de-preferring a site or neighbor to withdrawing, unless told
	Prefixes time.Duration // the same of a prefix
	Marks    *snapshots.DrainMark
}

// Neighbor is a neighbor with its transport.
type Neighbor struct {
	policy.Neighbor
	Router          string  // of a site, that has this session; may be empty
	Capacity        float64 // bits per second; 0 is not told
	Reflector       bool    // a route reflector that has us for a client
	Port            uint16
	LocalAddress    netip.Addr // invalid: the system's choice
	MD5File         string
	TTLSecurity     bool
	Multihop        int // hops, 0: directly connected
	Passive         bool
	StrictRole      bool
	Account         string // the account whose prefixes a neighbor with Receive control signals
	MaxPrefixes     int    // most prefixes it may send
	HoldTime        time.Duration
	GracefulRestart bool
	RestartTime     time.Duration
	StaleTime       time.Duration // long-lived graceful restart; 0: not offered
}

// Controlled are the accounts of neighbors that signal with BGP, by the
// neighbor's name.
func (c *Config) Controlled() map[string]string {
	out := map[string]string{}
	for _, n := range c.BGP.Neighbors {
		if n.Receive == policy.ReceiveControl {
			out[n.Name] = n.Account
		}
	}
	return out
}

// Network is the part of the configuration that every snapshot carries.
func (c *Config) Network(services []snapshots.Service, site []snapshots.NegativeIntent) snapshots.NetworkPart {
	n := snapshots.NetworkPart{
		ASN:       c.BGP.ASN,
		Sites:     c.BGP.Sites,
		Services:  services,
		Neighbors: make([]policy.Neighbor, len(c.BGP.Neighbors)),
		Negative:  site,
		Drain:     c.BGP.Drain.Marks,
		Transits:  c.BGP.Transits,
	}
	for i, have := range c.BGP.Neighbors {
		n.Neighbors[i] = have.Neighbor
	}
	return n
}
