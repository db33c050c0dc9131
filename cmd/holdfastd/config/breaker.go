package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/breaker"
)

// HoldMode is what becomes of a change that the breaker holds.
type HoldMode string

// Modes of holding. The zero value is HoldRefuse.
const (
	HoldRefuse HoldMode = "refuse" // it is refused and nothing is stored
	HoldQueue  HoldMode = "queue"  // it is desired, and waits for the wire
)

// ApprovalMode is how many persons a reset and an approval need.
type ApprovalMode string

// Modes of approval. The zero value is two persons as soon as two are enrolled,
// and one person after a delay until then.
const (
	TwoPerson     ApprovalMode = "two_person"
	DelayedSingle ApprovalMode = "delayed_single"
)

// Defaults of the breaker's section.
const (
	DefaultSingleDelay  = 15 * time.Minute
	DefaultApproveBelow = 50 // customer prefixes
	singleRecovering    = 100
)

// Breaker is the circuit breaker's section.
type Breaker struct {
	HoldMode     HoldMode
	HoldFor      time.Duration // after that a held change expires
	ApprovalMode ApprovalMode
	SingleDelay  time.Duration
	ApproveBelow int // -1: the default of the mode
	Limits       breaker.Limits
	Protected    []netip.Prefix // what lies within is never lost without an approval
}

// Policy is who must agree to what with so many persons enrolled.
func (b *Breaker) Policy(enrolled int) breaker.Policy {
	p := b.Limits.Policy()
	p.Approvals, p.ResetApprovals = 1, 1
	if b.single(enrolled) {
		p.SingleDelay, p.Recovering, p.ApproveBelow = b.SingleDelay, min(p.Recovering, singleRecovering), 0
	} else {
		p.ApproveBelow = DefaultApproveBelow
	}
	if b.ApproveBelow >= 0 {
		p.ApproveBelow = b.ApproveBelow
	}
	return p
}

func (b *Breaker) single(enrolled int) bool {
	return b.ApprovalMode == DelayedSingle || b.ApprovalMode == "" && enrolled < 2
}

// Risks names what this section gives up, with so many persons enrolled.
func (b *Breaker) Risks(enrolled int) []string {
	var out []string
	if b.single(enrolled) {
		out = append(out, fmt.Sprintf("single_person: one person alone resets the breaker and approves losses, %s after asking (breaker.approval_mode; enrol another with holdfast token create --role approve)", b.SingleDelay))
	}
	if b.ApprovalMode == TwoPerson && enrolled < 2 {
		out = append(out, "no_second_person: nobody can approve or reset (breaker.approval_mode two_person): enrol another person with holdfast token create --role approve")
	}
	for _, rule := range b.Limits.Shadow {
		out = append(out, "limit_in_shadow: "+rule+" decides nothing (breaker.shadow)")
	}
	return out
}

type breakerPart struct {
	HoldMode     string              `yaml:"hold_mode"`
	HoldFor      string              `yaml:"hold_for"`
	ApprovalMode string              `yaml:"approval_mode"`
	SingleDelay  string              `yaml:"single_delay"`
	ApproveBelow *int                `yaml:"approve_below"`
	EnforcedBy   string              `yaml:"operators_enforced_by"`
	Shadow       []string            `yaml:"shadow"`
	Limits       map[string]rungPart `yaml:"limits"`
	Plan         sharePart           `yaml:"plan"`
	StateFloor   sharePart           `yaml:"state_floor"`
	Growth       sharePart           `yaml:"growth"`
	Emergency    emergencyPart       `yaml:"emergency"`
	OwnerHour    *int                `yaml:"owner_while_open"`
	SitesDown    *int                `yaml:"sites_down"`
	LastPaths    *int                `yaml:"last_paths"`
	Capacity     *int                `yaml:"capacity"`
	Recovering   *int                `yaml:"recovering"`
	Wait         string              `yaml:"wait"`
	Freezes      []freezePart        `yaml:"freezes"`
	Protected    []string            `yaml:"protected"`
}

type rungPart struct {
	Window string `yaml:"window"`
	Share  *int   `yaml:"share"`
	Floor  *int   `yaml:"floor"`
	Total  *int   `yaml:"total"`
	Shadow *bool  `yaml:"shadow"`
	Off    bool   `yaml:"off"`
}

type sharePart struct {
	Share *int `yaml:"share"`
	Floor *int `yaml:"floor"`
}

type emergencyPart struct {
	Once *int `yaml:"once"`
	Hour *int `yaml:"hour"`
}

type freezePart struct {
	From   string `yaml:"from"`
	Until  string `yaml:"until"`
	Reason string `yaml:"reason"`
}

func (j *judge) resolveBreaker(c *Config, d breakerPart) {
	b := Breaker{HoldMode: HoldRefuse, ApproveBelow: -1, Limits: breaker.DefaultLimits()}
	if d.HoldMode != "" {
		b.HoldMode = HoldMode(d.HoldMode)
	}
	if b.HoldMode != HoldRefuse && b.HoldMode != HoldQueue {
		j.wrong("breaker.hold_mode", fmt.Sprintf("%q is no mode", d.HoldMode), "use refuse, the default, or queue")
	}
	b.ApprovalMode = ApprovalMode(d.ApprovalMode)
	switch b.ApprovalMode {
	case "", TwoPerson, DelayedSingle:
	default:
		j.wrong("breaker.approval_mode", fmt.Sprintf("%q is no mode", d.ApprovalMode), "use two_person or delayed_single")
	}
	b.HoldFor = j.duration("breaker.hold_for", d.HoldFor, breaker.DefaultHoldFor, time.Minute, 7*24*time.Hour)
	b.SingleDelay = j.duration("breaker.single_delay", d.SingleDelay, DefaultSingleDelay, time.Second, 24*time.Hour)
	if d.ApproveBelow != nil {
		b.ApproveBelow = j.between("breaker.approve_below", *d.ApproveBelow, 0, 1_000_000)
	}
	b.Limits.EnforceOps = strings.TrimSpace(d.EnforcedBy) != ""
	j.numbers(&b.Limits, d)
	j.rungs(&b.Limits, d.Limits)
	j.shadows(&b.Limits, d.Shadow)
	j.freezes(&b.Limits, d.Freezes)
	b.Limits.Wait = j.duration("breaker.wait", d.Wait, b.Limits.Wait, time.Second, 24*time.Hour)
	for i, text := range d.Protected {
		p, err := addressing.ParsePrefix(text)
		if err != nil {
			j.wrong(fmt.Sprintf("breaker.protected[%d]", i), err.Error(), "")
		}
		b.Protected = append(b.Protected, p)
	}
	if err := b.Limits.Validate(); err != nil {
		j.wrong("breaker", err.Error(), "")
	}
	c.Breaker = b
	if d.SingleDelay != "" && b.SingleDelay < DefaultSingleDelay {
		j.notice("breaker.single_delay", fmt.Sprintf("one person alone waits only %s for a reset: everybody who was paged has that long to object", b.SingleDelay))
	}
}

func (j *judge) between(field string, n, low, high int) int {
	if n < low || n > high {
		j.wrong(field, fmt.Sprintf("must be %d to %d", low, high), "")
	}
	return n
}

func (j *judge) numbers(l *breaker.Limits, d breakerPart) {
	for _, v := range []struct {
		field string
		from  *int
		to    *int
		high  int
	}{
		{"plan.share", d.Plan.Share, &l.PlanShare, 1000}, {"plan.floor", d.Plan.Floor, &l.PlanFloor, 1_000_000},
		{"state_floor.share", d.StateFloor.Share, &l.StateShare, 1000}, {"state_floor.floor", d.StateFloor.Floor, &l.StateFloor, 1_000_000},
		{"growth.share", d.Growth.Share, &l.GrowthShare, 1000}, {"growth.floor", d.Growth.Floor, &l.GrowthFloor, 1_000_000},
		{"emergency.once", d.Emergency.Once, &l.EmergencyOnce, 5}, {"emergency.hour", d.Emergency.Hour, &l.EmergencyHour, 20},
		{"owner_while_open", d.OwnerHour, &l.OwnerWhileOpen, 1000}, {"sites_down", d.SitesDown, &l.SitesDown, 1000},
		{"last_paths", d.LastPaths, &l.LastPaths, 1000}, {"capacity", d.Capacity, &l.Capacity, 1000},
		{"recovering", d.Recovering, &l.Recovering, 1000},
	} {
		if v.from != nil {
			*v.to = j.between("breaker."+v.field, *v.from, 0, v.high)
		}
	}
}

// lists are the limits over windows, each known by its name.
func lists(l *breaker.Limits) []*[]breaker.Rung {
	return []*[]breaker.Rung{&l.Ladder, &l.Actor, &l.Ops, &l.Accounts, &l.Account, &l.Service, &l.Neighbor, &l.Bindings, &l.Modifies, &l.OnDemand, &l.Owner}
}

// ruleName is what findings call a limit; the file leaves the first part out.
func ruleName(name string) string { return "breaker." + strings.TrimPrefix(name, "breaker.") }

func (j *judge) rungs(l *breaker.Limits, parts map[string]rungPart) {
	names := make([]string, 0, len(parts))
	for name := range parts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		found := false
		for _, list := range lists(l) {
			i := slices.IndexFunc(*list, func(r breaker.Rung) bool { return r.Name == ruleName(name) })
			if i < 0 {
				continue
			}
			found = true
			if *list = slices.Clone(*list); parts[name].Off {
				*list = slices.Delete(*list, i, i+1)
				break
			}
			j.rung("breaker.limits."+name, parts[name], &(*list)[i])
		}
		if !found {
			j.wrong("breaker.limits", fmt.Sprintf("there is no limit %q", name), "docs/reference/configuration.md lists them, e.g. breadth.5m")
		}
	}
}

func (j *judge) rung(field string, p rungPart, r *breaker.Rung) {
	r.Span = j.duration(field+".window", p.Window, r.Span, time.Minute, 31*24*time.Hour)
	for _, v := range []struct {
		name string
		from *int
		to   *int
		high int
	}{{"share", p.Share, &r.Share, 1000}, {"floor", p.Floor, &r.Floor, 1_000_000}, {"total", p.Total, &r.Total, 1_000_000}} {
		if v.from != nil {
			*v.to = j.between(field+"."+v.name, *v.from, 0, v.high)
		}
	}
	if p.Shadow != nil {
		r.Shadow = *p.Shadow
	}
}

// single are the rules that are no limit over a window and can run in shadow.
var singleRules = []string{"breaker.W5", "breaker.W6", "breaker.growth", "breaker.last-path", "breaker.capacity"}

func (j *judge) shadows(l *breaker.Limits, names []string) {
	for i, name := range names {
		known := slices.Contains(singleRules, ruleName(name))
		for _, list := range lists(l) {
			known = known || slices.ContainsFunc(*list, func(r breaker.Rung) bool { return r.Name == ruleName(name) })
		}
		if !known {
			j.wrong(fmt.Sprintf("breaker.shadow[%d]", i), fmt.Sprintf("there is no rule %q that can run in shadow", name), "e.g. W6 or breadth.5m")
		}
		l.Shadow = append(l.Shadow, ruleName(name))
	}
}

func (j *judge) freezes(l *breaker.Limits, parts []freezePart) {
	for i, p := range parts {
		field := fmt.Sprintf("breaker.freezes[%d]", i)
		f := breaker.Freeze{From: j.moment(field+".from", p.From), Until: j.moment(field+".until", p.Until), Reason: p.Reason}
		if !f.Until.After(f.From) {
			j.wrong(field+".until", "does not lie after from", "")
		}
		if strings.TrimSpace(f.Reason) == "" {
			j.wrong(field+".reason", "is missing", "say why, it is what everybody who is held is told")
		}
		l.Freezes = append(l.Freezes, f)
	}
}

func (j *judge) moment(field, text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		j.wrong(field, fmt.Sprintf("%q is no time", text), "e.g. 2026-12-20T00:00:00Z")
	}
	return t
}
