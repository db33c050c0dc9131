package config

import "github.com/holdfast-bgp/holdfast/snapshots/rollout/spec"

// document is the file as written: every scalar is optional here and judged in
// resolve, so that a missing value and a wrong one get different errors.
type document struct {
	Environment string       `yaml:"environment"`
	Mode        string       `yaml:"mode"`
	DataDir     string       `yaml:"data_dir"`
	API         apiSection   `yaml:"api"`
	Admin       adminSection `yaml:"admin"`
	Metrics     listenOnly   `yaml:"metrics"`
	BGP         bgpSection   `yaml:"bgp"`
	Breaker     breakerPart  `yaml:"breaker"`
	RPKI        rpkiSection  `yaml:"rpki"`
	IRR         irrSection   `yaml:"irr"`
	Cleanup     cleanupPart  `yaml:"cleanup"`
	Log         logSection   `yaml:"log"`
	Rollout     spec.Section `yaml:"rollout"`
	Health      healthPart   `yaml:"health"`
	Edge        edgePart     `yaml:"edge"`
	BMP         bmpSection   `yaml:"bmp"`
}

type listenOnly struct {
	Listen string `yaml:"listen"`
}

type apiSection struct {
	Listen        string    `yaml:"listen"`
	TLS           *tlsFiles `yaml:"tls"`
	RateLimit     rateLimit `yaml:"rate_limit"`
	SpecialRanges bool      `yaml:"allow_special_purpose_prefixes"`
}

type tlsFiles struct {
	Certificate string `yaml:"certificate_file"`
	Key         string `yaml:"key_file"`
}

type rateLimit struct {
	PerSecond *float64 `yaml:"requests_per_second"`
	Burst     *int     `yaml:"burst"`
}

type adminSection struct {
	Socket string `yaml:"socket"`
}

type logSection struct {
	Level string `yaml:"level"`
}

type rpkiSection struct {
	File    string `yaml:"file"`
	SLURM   string `yaml:"slurm"`
	RTR     string `yaml:"rtr"`
	Refresh string `yaml:"refresh"`
}

type irrSection struct {
	File  string `yaml:"file"`
	Whois string `yaml:"whois"`
}

type cleanupPart struct {
	Enabled bool   `yaml:"enabled"`
	DryRun  *bool  `yaml:"dry_run"`
	Every   string `yaml:"every"`
	Cap     *int   `yaml:"cap"`
}

type bgpSection struct {
	ASN           *uint32         `yaml:"asn"`
	RouterID      string          `yaml:"router_id"`
	Listen        []string        `yaml:"listen"`
	EdgeMarker    string          `yaml:"edge_marker"`
	Confederation any             `yaml:"confederation"` // refused by name, not as an unknown key
	Drain         drainPart       `yaml:"drain"`
	Sites         []siteEntry     `yaml:"sites"`
	Groups        []groupEntry    `yaml:"groups"`
	Neighbors     []neighborEntry `yaml:"neighbors"`
}

// shared is what a neighbor may inherit from its group.
type shared struct {
	Kind            string        `yaml:"kind"`
	Site            string        `yaml:"site"`
	ASN             *uint32       `yaml:"asn"`
	LocalAS         *uint32       `yaml:"local_as"`
	Confederation   any           `yaml:"confederation"` // refused by name
	Reflector       *bool         `yaml:"reflector"`
	Role            string        `yaml:"role"`
	StrictRole      *bool         `yaml:"strict_role"`
	Families        []string      `yaml:"families"`
	Class           string        `yaml:"class"`
	Attributes      attributes    `yaml:",inline"`
	MD5File         string        `yaml:"md5_file"`
	TTLSecurity     *bool         `yaml:"ttl_security"`
	Multihop        *int          `yaml:"multihop"`
	Passive         *bool         `yaml:"passive"`
	Receive         string        `yaml:"receive"`
	Account         string        `yaml:"account"`
	MaxPrefixes     *int          `yaml:"max_prefixes_in"`
	MaxPrefix       *maxPrefix    `yaml:"max_prefix"`
	HoldTime        string        `yaml:"hold_time"`
	GracefulRestart *gracefulPart `yaml:"graceful_restart"`
	LocalAddress    string        `yaml:"local_address"`
	Port            *int          `yaml:"port"`
	Capacity        string        `yaml:"capacity"`
}

type gracefulPart struct {
	Enabled     *bool  `yaml:"enabled"`
	RestartTime string `yaml:"restart_time"`
	StaleTime   string `yaml:"stale_time"`
}

type groupEntry struct {
	Name    string `yaml:"name"`
	Session shared `yaml:",inline"`
}

type neighborEntry struct {
	Name    string `yaml:"name"`
	Group   string `yaml:"group"`
	Address string `yaml:"address"`
	Session shared `yaml:",inline"`
}

// inherit fills what n leaves out from its group: the neighbor's own word wins,
// lists are replaced whole, never merged.
func (n shared) inherit(g shared) shared {
	text(&n.Kind, g.Kind)
	text(&n.Site, g.Site)
	text(&n.Role, g.Role)
	text(&n.Class, g.Class)
	text(&n.MD5File, g.MD5File)
	text(&n.Receive, g.Receive)
	text(&n.Account, g.Account)
	text(&n.HoldTime, g.HoldTime)
	text(&n.LocalAddress, g.LocalAddress)
	text(&n.Capacity, g.Capacity)
	value(&n.ASN, g.ASN)
	value(&n.LocalAS, g.LocalAS)
	value(&n.Reflector, g.Reflector)
	value(&n.StrictRole, g.StrictRole)
	value(&n.TTLSecurity, g.TTLSecurity)
	value(&n.Multihop, g.Multihop)
	value(&n.Passive, g.Passive)
	value(&n.Port, g.Port)
	value(&n.MaxPrefixes, g.MaxPrefixes)
	value(&n.MaxPrefix, g.MaxPrefix)
	value(&n.GracefulRestart, g.GracefulRestart)
	if n.Confederation == nil {
		n.Confederation = g.Confederation
	}
	if n.Families == nil {
		n.Families = g.Families
	}
	n.Attributes = n.Attributes.inherit(g.Attributes)
	return n
}

func text(own *string, group string) {
	if *own == "" {
		*own = group
	}
}

func value[T any](own **T, group *T) {
	if *own == nil {
		*own = group
	}
}
