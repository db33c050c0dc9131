package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// limitsInForce are the breaker's limits. What the configuration file tightens
// applies at once; what it loosens waits until two persons agreed, because a
// loosened limit is as good as a mass withdrawal (DESIGN section 4). The limits
// that were agreed to are kept in a plain file.
type limitsInForce struct {
	force   breaker.Limits
	waiting []string // how the file would loosen them
	file    limitsFile
}

// limitsFile is what is on disk.
type limitsFile struct {
	Limits  breaker.Limits
	AskedBy string    `json:",omitempty"` // to let the configuration loosen them
	AskedAt time.Time `json:",omitzero"`
	Asking  []string  `json:",omitempty"` // what that would have loosened
}

// openLimits settles which limits are in force at a start. Where the file of a
// used data directory is gone or damaged, the built-in ones were in force.
func openLimits(path string, want breaker.Limits, first bool, now time.Time) (limitsInForce, error) {
	kept, err := readLimits(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && first:
		kept.Limits, err = want, nil
	case err != nil:
		kept.Limits = breaker.DefaultLimits()
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	l := kept.meets(want, now)
	return l, errors.Join(err, writeLimits(path, l.file))
}

// meets settles what is in force where a configuration wants other limits than
// those that are kept.
func (kept limitsFile) meets(want breaker.Limits, now time.Time) limitsInForce {
	// A freeze that is over is missed by nobody.
	kept.Limits.Freezes = slices.DeleteFunc(slices.Clone(kept.Limits.Freezes), func(f breaker.Freeze) bool { return !f.Until.After(now) })
	l := limitsInForce{force: want, waiting: want.Loosens(kept.Limits), file: kept}
	if len(l.waiting) > 0 {
		l.force = kept.Limits.Tighten(want)
	}
	l.file.Limits = l.force
	if !slices.Equal(l.file.Asking, l.waiting) {
		l.file.AskedBy, l.file.AskedAt, l.file.Asking = "", time.Time{}, nil
	}
	return l
}

// amend takes over the limits of another configuration: what it tightens
// applies now, what it loosens waits for two persons as at a start.
func (d *daemon) amend(want breaker.Limits, by addressing.Actor, reason string, at time.Time) error {
	d.settling.Lock()
	defer d.settling.Unlock()
	l := d.limits.file.meets(want, at)
	if err := d.enforce(l, reason+" (by "+by.Key()+")", gate.Actor(addressing.Actor{Kind: addressing.System, ID: "config"}), at); err != nil {
		return err
	}
	if len(l.waiting) > 0 {
		d.log.Error("the configuration loosens limits of the breaker: that waits for two persons", "page", true, "loosens", l.waiting)
	}
	return nil
}

// enforce makes limits those in force, on disk and at the breaker. Its caller
// holds settling.
func (d *daemon) enforce(l limitsInForce, reason string, by breaker.Actor, at time.Time, approvers ...string) error {
	defer d.record() // what is in force after it, whatever becomes of it
	was := d.limits.file
	if err := writeLimits(d.dir.limits(), l.file); err != nil {
		return err
	}
	if err := d.breaker.SetLimits(l.force, reason, by, at, approvers...); err != nil {
		return errors.Join(err, writeLimits(d.dir.limits(), was))
	}
	d.limits = l
	d.follow()
	return nil
}

func readLimits(path string) (f limitsFile, err error) {
	raw, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(raw, &f)
	}
	if err == nil {
		err = f.Limits.Validate()
	}
	return f, err
}

func writeLimits(path string, f limitsFile) error {
	f.Limits.Switches = nil // part of the program
	raw, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(raw, '\n'), 0o600)
}

// limitDesk is the limits as the operations API sees them.
type limitDesk struct{ d *daemon }

var _ api.BreakerLimitSource = limitDesk{}

// InForce implements api.BreakerLimitSource.
func (l limitDesk) InForce(context.Context) (api.LimitsInForce, error) {
	l.d.settling.Lock()
	defer l.d.settling.Unlock()
	in := l.d.limits.force
	out := api.LimitsInForce{Waiting: l.d.limits.waiting, AskedBy: l.d.limits.file.AskedBy}
	for _, list := range [][]breaker.Rung{in.Ladder, in.Actor, in.Ops, in.Accounts, in.Account, in.Service, in.Neighbor, in.Bindings, in.Modifies, in.OnDemand, in.Owner} {
		for _, r := range list {
			out.Limits = append(out.Limits, api.WindowLimit{Rule: r.Name, Window: r.Span, Share: r.Share, Floor: r.Floor, Total: r.Total,
				Shadow: r.Shadow || slices.Contains(in.Shadow, r.Name)})
		}
	}
	for _, one := range []struct {
		rule         string
		share, floor int
	}{{"breaker.W5", in.PlanShare, in.PlanFloor}, {"breaker.W6", in.StateShare, in.StateFloor}, {"breaker.growth", in.GrowthShare, in.GrowthFloor}} {
		out.Limits = append(out.Limits, api.WindowLimit{Rule: one.rule, Share: one.share, Floor: one.floor, Shadow: slices.Contains(in.Shadow, one.rule)})
	}
	return out, nil
}

// Loosen implements api.BreakerLimitSource: asked for by one person, agreed to
// by another, or by the same one after a delay where the mode has that.
func (l limitDesk) Loosen(_ context.Context, by addressing.Actor, as api.Person, reason string, at time.Time) error {
	d := l.d
	d.settling.Lock()
	defer d.settling.Unlock()
	refused := func(why, next string) error {
		return &addressing.Error{Code: addressing.CodeRefused, Op: "breaker limits", Detail: why, Next: next}
	}
	f := &d.limits.file
	switch {
	case len(d.limits.waiting) == 0:
		return &addressing.Error{Code: addressing.CodeConflict, Op: "breaker limits", Detail: "the configuration loosens nothing", Next: "change the breaker section of the file, then holdfast config apply"}
	case f.AskedBy == "":
		f.AskedBy, f.AskedAt, f.Asking = by.Key(), at.UTC(), d.limits.waiting
		if err := writeLimits(d.dir.limits(), *f); err != nil {
			return err
		}
		d.log.Error("somebody asks to loosen the breaker's limits", "page", true, "actor", by.Key(), "reason", reason, "loosens", d.limits.waiting)
		return refused("asked by one person alone: "+strings.Join(d.limits.waiting, "; "), "the asking is kept: another enrolled person runs the same command")
	case f.AskedBy == by.Key():
		wait := d.breaker.Limits().SingleDelay
		if left := wait - at.Sub(f.AskedAt); wait == 0 || left > 0 {
			return refused("asked by one person alone", "another enrolled person runs the same command"+orLater(wait, left))
		}
	default:
		if no := (persons{d}).may(by, as, f.AskedBy, f.AskedAt); no != "" {
			return refused(no, "another enrolled person runs the same command")
		}
	}
	agreed, askedBy, loosens := d.configNow().Breaker.Limits, f.AskedBy, d.limits.waiting
	first := breaker.Actor{Kind: breaker.Operator, Key: askedBy}
	if err := d.enforce(limitsInForce{force: agreed, file: limitsFile{Limits: agreed}}, reason, first, at, by.Key()); err != nil {
		return err
	}
	d.log.Error("the breaker's limits are loosened", "page", true, "actor", by.Key(), "asked_by", askedBy, "reason", reason, "loosens", loosens)
	return nil
}

// orLater says when one person alone may go on.
func orLater(wait, left time.Duration) string {
	if wait == 0 {
		return ""
	}
	return ", or you again in " + left.Round(time.Second).String()
}
