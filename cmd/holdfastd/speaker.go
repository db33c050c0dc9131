package main

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"github.com/holdfast-bgp/holdfast/bgp"
	"github.com/holdfast-bgp/holdfast/bgp/gobgp"
	"github.com/holdfast-bgp/holdfast/bgp/guard"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/control"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// openSpeaker makes the speaker and what listens to it.
func (d *daemon) openSpeaker() error {
	var speaker *guard.Guard
	d.control = control.New(control.Config{
		Accounts:  d.cfg.Controlled(),
		Registry:  d.signalled,
		Off:       func() bool { return d.off(switchControl) },
		Announced: func(neighbor string) []netip.Prefix { return speaker.Signalled(neighbor) },
		Active:    func() *snapshots.Snapshot { s, _ := d.pipeline.Active(); return s },
		Log:       d.log,
	})
	var err error
	if speaker, err = newSpeaker(d.cfg, d.dir, !d.first, d.log, func(e bgp.Event) { d.look.See(e); d.control.See(e); d.beyond.see(e) }, d.allows); err != nil {
		return err // and d.speaker is no Speaker that is no nil
	}
	d.speaker, d.guard = speaker, speaker
	d.signal, d.spoken = d.cfg.Controlled(), map[string]config.Neighbor{}
	for _, n := range d.cfg.BGP.Neighbors {
		d.spoken[n.Name] = n
	}
	return nil
}

// allows says what a neighbor with receive control may signal.
func (d *daemon) allows(neighbor string) func(netip.Prefix) bool {
	return func(p netip.Prefix) bool { return d.control.Allows(neighbor, p) }
}

// signalled is desired state for BGP control, nil while it cannot be used.
func (d *daemon) signalled() control.Registry {
	if r := d.registry.Load(); r != nil {
		return r
	}
	return nil
}

// newSpeaker makes a speaker. allows says what a neighbor with receive control
// may signal; nil is nothing.
func newSpeaker(c *config.Config, dir dataDir, restarting bool, log *slog.Logger, see func(bgp.Event), allows func(neighbor string) func(netip.Prefix) bool) (*guard.Guard, error) {
	g, err := speakerConfig(c, dir, allows)
	if err != nil {
		return nil, err
	}
	g.Restarting, g.Logger, g.Events = restarting, log, see
	return gobgp.NewGuarded(g)
}

// speakerConfig is what the speaker is told of the configuration.
func speakerConfig(c *config.Config, dir dataDir, allows func(neighbor string) func(netip.Prefix) bool) (gobgp.Config, error) {
	g := gobgp.Config{ASN: c.BGP.ASN, RouterID: c.BGP.RouterID, Listen: c.BGP.Listen, StateDir: dir.adjRIBOut()}
	for _, n := range c.BGP.Neighbors {
		key, err := md5Key(n.MD5File)
		if err != nil {
			return g, fmt.Errorf("neighbor %s: %w", n.Name, err)
		}
		g.Neighbors = append(g.Neighbors, gobgp.Neighbor{
			Neighbor:        n.Neighbor,
			Port:            n.Port,
			LocalAddress:    n.LocalAddress,
			MD5:             key,
			Passive:         n.Passive,
			TTLSecurity:     n.TTLSecurity,
			Multihop:        uint8(n.Multihop),
			HoldTime:        n.HoldTime,
			GracefulRestart: gobgp.GracefulRestart{Enabled: n.GracefulRestart, RestartTime: n.RestartTime, StaleTime: n.StaleTime},
			StrictRole:      n.StrictRole,
			MaxPrefixes:     n.MaxPrefixes,
			Accept:          allows(n.Name),
		})
	}
	return g, nil
}

func md5Key(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("md5_file: %w", err)
	}
	key := strings.TrimRight(string(raw), "\r\n")
	if key == "" {
		return "", fmt.Errorf("md5_file %s: is empty", file)
	}
	return key, nil
}
