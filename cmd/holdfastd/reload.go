package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout"
)

// configuration is the configuration file as the operations API sees it. Of a
// running daemon it changes neighbors, groups, sites, the marks of drains and
// the limits of the breaker; the rest is read at start.
type configuration struct{ d *daemon }

var _ api.Configuration = configuration{}

// configNow is the configuration in force.
func (d *daemon) configNow() *config.Config {
	if c := d.live.Load(); c != nil {
		return c
	}
	return d.cfg
}

// Plan implements api.Configuration.
func (c configuration) Plan(ctx context.Context) (api.ConfigDifference, error) {
	next, out, err := c.read()
	if err != nil {
		return out, err
	}
	out.Plan, out.Report, err = c.d.pipeline.PlanNetwork(ctx, c.d.under(next.Network(nil, nil), next.Breaker.Limits, time.Now()))
	return out, inConfig(err)
}

// read loads the file and compares it with what is in force.
func (c configuration) read() (*config.Config, api.ConfigDifference, error) {
	var out api.ConfigDifference
	now := c.d.configNow()
	next, _, err := config.Load(now.File)
	if err != nil {
		return nil, out, &addressing.Error{Code: addressing.CodeInvalid, Op: "configuration", Detail: err.Error(), Next: "holdfastd check-config --config " + now.File}
	}
	if out.Digest, err = config.Digest(now.File); err != nil {
		return nil, out, inConfig(err)
	}
	d := now.Difference(next)
	out.Restart = d.Restart
	for _, e := range d.Entries {
		out.Changes = append(out.Changes, api.ConfigEntry{Kind: e.Kind, What: e.What, Name: e.Name, Loses: e.Loses, Detail: e.Detail})
	}
	return next, out, c.refuse(now, next)
}

// refuse says what no daemon takes over while it runs: another identity, or a
// network without anybody to tell (invariant 2).
func (c configuration) refuse(now, next *config.Config) error {
	why := ""
	network, _ := c.d.network()
	switch {
	case next.Environment != now.Environment:
		why = fmt.Sprintf("the file is of environment %q, the daemon runs %q", next.Environment, now.Environment)
	case next.BGP.ASN != now.BGP.ASN || next.BGP.RouterID != now.BGP.RouterID:
		why = "another AS number or router id is for a restart"
	case otherAccount(now, next) != "":
		why = fmt.Sprintf("neighbor %s would signal for another account, while it goes on announcing for this one: remove it, apply, and add it anew", otherAccount(now, next))
	case len(now.BGP.Neighbors) > 0 && len(next.BGP.Neighbors) == 0:
		why = "the file names no neighbor at all: every session would go"
	default:
		for _, i := range network.Negative {
			if i.Site != "" && !slices.Contains(next.BGP.Sites, i.Site) {
				why = fmt.Sprintf("site %s is drained and would go with its drain: undrain it first", i.Site)
			}
		}
	}
	if why == "" {
		return nil
	}
	return &addressing.Error{Code: addressing.CodeRefused, Op: "configuration", Detail: why, Next: "correct the file; holdfast config plan shows the difference"}
}

// Apply implements api.Configuration.
func (c configuration) Apply(ctx context.Context, by addressing.Actor, reason, digest string) (api.ConfigDifference, error) {
	return c.takeOver(ctx, by, reason, digest)
}

// takeOver makes the file the configuration in force; an empty digest takes the
// file as it is.
func (c configuration) takeOver(ctx context.Context, by addressing.Actor, reason, digest string) (api.ConfigDifference, error) {
	c.d.reloading.Lock()
	defer c.d.reloading.Unlock()
	next, out, err := c.read()
	if err != nil {
		return out, err
	}
	if digest != "" && digest != out.Digest {
		return out, &addressing.Error{Code: addressing.CodePrecondition, Op: "configuration", Field: "digest", Detail: "the file was changed since it was planned", Next: "holdfast config plan, and decide anew"}
	}
	now := c.d.configNow()
	out.Plan, out.Report, err = c.d.pipeline.Reconfigure(ctx, rollout.Reconfiguration{
		Network: c.d.under(next.Network(nil, nil), next.Breaker.Limits, time.Now()), Reason: fmt.Sprintf("%s (by %s)", reason, by.Key()), Sessions: c.d.sessionsOf(next),
	})
	if err != nil {
		return out, inConfig(err)
	}
	if out.Report.Verdict != policy.Allow {
		return out, &addressing.Error{Code: addressing.CodeHeld, Op: "configuration", Detail: heldBy(out), Next: "nothing was changed; holdfast config plan shows what it asks for"}
	}
	c.d.live.Store(startOnly(now, next))
	if err := c.d.amend(next.Breaker.Limits, by, reason, time.Now()); err != nil {
		return out, inConfig(fmt.Errorf("the breaker's limits stay as they were: %w", err))
	}
	if err := c.d.beyond.station.Configure(c.d.configNow().Station(), time.Now()); err != nil {
		c.d.log.Error("the routers that speak BMP stay as they were", "error", err)
	}
	out.Applied = true
	c.d.log.Info("configuration applied", "file", now.File, "digest", out.Digest, "changes", len(out.Changes), "restart", out.Restart, "by", by.Key())
	return out, nil
}

func heldBy(out api.ConfigDifference) string {
	for _, f := range out.Report.Findings {
		if f.Verdict != policy.Allow {
			return f.Why
		}
	}
	return "the plan is not allowed: " + out.Report.Verdict.String()
}

// startOnly is next with what is read at start only as it is: it goes on being
// told as a difference.
func startOnly(now, next *config.Config) *config.Config {
	out := *now
	out.BGP = next.BGP
	out.BGP.Listen = now.BGP.Listen
	out.Breaker.Limits = next.Breaker.Limits
	out.BMP = next.BMP
	out.BMP.Listen = now.BMP.Listen
	return &out
}

// otherAccount is a neighbor that signals before and after, for two accounts.
func otherAccount(now, next *config.Config) string {
	was := now.Controlled()
	for name, account := range next.Controlled() {
		if had, signalled := was[name]; signalled && had != account {
			return name
		}
	}
	return ""
}

// hangup takes the file over at SIGHUP, until ctx ends.
func (d *daemon) hangup(ctx context.Context) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			if d.turnedOff("config")() {
				d.log.Error("configuration not taken over; the old one stays", "error", "system/config is turned off")
				continue
			}
			by := addressing.Actor{Kind: addressing.System, ID: "sighup"}
			if _, err := (configuration{d}).takeOver(ctx, by, "SIGHUP", ""); err != nil {
				d.log.Error("configuration not taken over; the old one stays", "error", strings.TrimSpace(err.Error()))
			}
		}
	}
}

// inConfig names the configuration in errors that are not the caller's.
func inConfig(err error) error {
	if err == nil || addressing.CodeOf(err) != addressing.CodeInternal {
		return err
	}
	return &addressing.Error{Code: addressing.CodeRefused, Op: "configuration", Detail: err.Error(), Next: "nothing was changed; correct what it names and plan again"}
}
