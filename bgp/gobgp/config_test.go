package gobgp

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/osrg/gobgp/v3/pkg/log"

	"github.com/holdfast-bgp/holdfast/bgp/speakertest"
)

func TestNewRefusesBadConfig(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"asn: missing":      func(c *Config) { c.ASN = 0 },
		"router id":         func(c *Config) { c.RouterID = netip.IPv6Loopback() },
		"share one port":    func(c *Config) { c.Listen = ports(1, 2) },
		"name: missing":     func(c *Config) { c.Neighbors[0].Name = "" },
		"repeated":          func(c *Config) { c.Neighbors[1].Address = c.Neighbors[0].Address },
		"address":           func(c *Config) { c.Neighbors[0].Address = netip.Addr{} },
		"local address":     func(c *Config) { c.Neighbors[0].LocalAddress = netip.IPv6Loopback() },
		"families: missing": func(c *Config) { c.Neighbors[0].Families = nil },
		"md5 key":           func(c *Config) { c.Neighbors[0].MD5 = strings.Repeat("x", 81) },
		"hold time":         func(c *Config) { c.Neighbors[0].HoldTime = time.Second },
		"restart time":      func(c *Config) { c.Neighbors[0].GracefulRestart.RestartTime = 2 * time.Hour },
		"exclude":           func(c *Config) { c.Neighbors[0].TTLSecurity, c.Neighbors[0].Multihop = true, 2 },
		"local_pref 0":      func(c *Config) { c.Neighbors[0].LocalPref = new(uint32) },
		"prepend":           func(c *Config) { c.Neighbors[0].Prepend = 99 },
		"listen on":         func(c *Config) { c.Listen = []netip.AddrPort{netip.MustParseAddrPort("203.0.113.1:0")} },
	} {
		cfg := Config{ASN: speakertest.ASN, RouterID: netip.MustParseAddr("192.0.2.200"), Logger: testLogger()}
		for _, n := range two() {
			n.Address = freshLoopback()
			cfg.Neighbors = append(cfg.Neighbors, Neighbor{Neighbor: n})
		}
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func ports(ps ...uint16) (out []netip.AddrPort) {
	for _, p := range ps {
		out = append(out, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), p))
	}
	return out
}

// GoBGP's Fatal and Panic must not take the process, and with it the wire, down.
func TestLoggerNeverExits(t *testing.T) {
	var text strings.Builder
	l := &logger{to: slog.New(slog.NewTextHandler(&text, nil)), seen: func(string, log.Fields) {}}
	l.Fatal("no policy", log.Fields{"Key": 1})
	l.Panic("no message", nil)
	if got := text.String(); !strings.Contains(got, "no policy") || !strings.Contains(got, "Key=1") || !strings.Contains(got, "no message") {
		t.Errorf("logged %q", got)
	}
}
