package main

import (
	"context"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// Names of the switches that the daemon itself asks for. All others are carried
// out by the breaker.
const (
	sinkEvidence  = "sink/evidence"
	sinkNotices   = "sink/notices"
	sinkMetrics   = "sink/metrics"
	sinkSpeakers  = "sink/speakers"
	sinkMachines  = "sink/edge-machines"
	sourceHealth  = "source/health"
	switchControl = "system/control"
)

// killSwitches is the registry (BRK-09): what a person can turn off at once,
// with what that does. A system actor's key stops its every change. No switch
// takes anything off the wire, and none lets more through than before: restores
// and emergencies have none.
func killSwitches() []breaker.Switch {
	out := []breaker.Switch{
		{Name: "system/cleanup", Effect: "the clean-up worker deletes nothing", Side: "prefixes past their grace time stay until it is on again"},
		{Name: "system/validation", Effect: "no validation result is written", Side: "pending prefixes wait; an operator can still approve them with a named risk"},
		{Name: "system/config", Effect: "the configuration file changes nothing on its own, at a start or by SIGHUP", Side: "operators' and owners' changes go on; config apply is held too", FailsOn: true},
		{Name: switchControl, Effect: "what customers signal over BGP is not followed", Side: "the last signalled state stays; it is caught up with when the switch is on again"},
		{Name: sinkEvidence, Effect: "no evidence of a trip is written", Side: "accounts are not told of the trip either; both are made up for when the switch is on again", FailsOn: true},
		{Name: sinkNotices, Effect: "accounts are told nothing new of changes that waited", Side: "trips are still told, they are part of the evidence; what was not told is lost", FailsOn: true},
		{Name: sinkMetrics, Effect: "/metrics answers 503", Side: "alerts on missing metrics fire; nothing else notices", FailsOn: true},
		{Name: sinkSpeakers, Effect: "speakers that run alone have no permit: they stay where they are", Side: "restores reach them only when it is on again, and so do emergencies", FailsOn: true},
		{Name: sinkMachines, Effect: "edge machines hear of no new binding", Side: "prefixes that wait for machines are not announced meanwhile; what is announced stays", FailsOn: true},
		{Name: sourceHealth, Effect: "health has no answer", Side: "removals of classes that have a source hold after their wave, as if it were silent", FailsOn: true},
	}
	for _, c := range kindsOfChange {
		out = append(out, breaker.Switch{Name: "change/" + c.name, Effect: c.what + " are held", Side: "those on their way in waves stop where they are; restores and emergencies pass", Stops: c.stops})
	}
	for _, r := range ruleTypes {
		out = append(out, breaker.Switch{Name: "rule/" + r.name, Effect: "nobody trusts " + r.what + ": what it judges is held",
			Side: "a rule that is wrong runs in shadow instead (breaker.shadow), which two persons agree to; restores and emergencies pass", Stops: r.stops})
	}
	for _, g := range guards {
		out = append(out, breaker.Switch{Name: "guard/" + g.name, Effect: "nobody trusts " + g.what + ": what it vouches for is held",
			Side: "the guard itself goes on at every session, and what is announced stays; restores and emergencies pass", Stops: g.stops})
	}
	return out
}

// stopping is a family of switches: a name, what is meant, what it holds.
type stopping struct {
	name, what string
	stops      breaker.Stops
}

var kindsOfChange = []stopping{
	{"withdrawals", "withdrawals by operators and tasks, approved ones too,", breaker.StopsWithdrawals},
	{"owners", "owners' withdrawals of their own prefixes", breaker.StopsOwners},
	{"on-demand", "withdrawals of prefixes that rest withdrawn", breaker.StopsAtRest},
	{"modifications", "changes of sites, origin and attributes", breaker.StopsModifications},
	{"unbindings", "removals of bindings", breaker.StopsUnbindings},
	{"announcements", "new announcements", breaker.StopsAnnouncements},
	{"drains", "drains of sites and neighbors", breaker.StopsDrains},
}

// ruleTypes are the kinds of rule between a change and the wire: preflight's,
// and the breaker's dimensions.
var ruleTypes = []stopping{
	{"size", "the limits of one change's and one snapshot's size (W5)", breaker.StopsWithdrawals},
	{"state-floor", "the floor under what each neighbor holds (W6)", breaker.StopsWithdrawals},
	{"rate", "the limits of operations and accounts of one actor (W1, W3)", breaker.StopsWithdrawals | breaker.StopsUnbindings},
	{"breadth", "the ladder of windows, of everybody and of each actor, account, service and neighbor", breaker.StopsWithdrawals},
	{"space", "the limits of address space", breaker.StopsWithdrawals},
	{"bindings", "the limits of removed bindings", breaker.StopsUnbindings},
	{"modifications", "the limits of modifications", breaker.StopsModifications},
	{"on-demand", "the limits of prefixes that go back to rest", breaker.StopsAtRest},
	{"owners", "the budgets of owners", breaker.StopsOwners},
	{"growth", "the limit of what a neighbor may gain", breaker.StopsAnnouncements},
	{"last-path", "the last-path guard and the estimate of capacity", breaker.StopsModifications | breaker.StopsDrains},
	{"approvals", "approvals, protected prefixes and small tables", breaker.StopsWithdrawals},
	{"unexplained", "the search for losses that nobody asked for, and for lost databases", breaker.StopsLosses},
	{"negative-intents", "what keeps down what is down on purpose", breaker.StopsAnnouncements},
	{"bound", "advertised implies bound", breaker.StopsAnnouncements | breaker.StopsUnbindings},
	{"max-prefix", "the limits of what far ends take", breaker.StopsAnnouncements},
}

var guards = []stopping{
	{"allow-list", "the neighbors' allow-lists at the session", breaker.StopsAnnouncements | breaker.StopsModifications},
	{"otc", "the OTC procedure (RFC 9234)", breaker.StopsAnnouncements | breaker.StopsModifications},
	{"policy", "the engine's default-deny policy", breaker.StopsAnnouncements | breaker.StopsModifications},
	{"second-look", "the comparison of the plan with the wire", breaker.StopsAll},
}

// turnedOff asks for the kill switch of a system task.
func (d *daemon) turnedOff(task string) func() bool {
	key := addressing.Actor{Kind: addressing.System, ID: task}.Key()
	return func() bool { return d.breaker.SwitchedOff(key) }
}

// off reports whether a person turned a switch off. Where the breaker cannot
// say, it is what its fail mode says: a journal that cannot be read takes no
// metrics and no evidence away.
func (d *daemon) off(name string) bool {
	for _, s := range d.breaker.Switches() {
		if s.Name == name {
			return s.Off
		}
	}
	i := slices.IndexFunc(killSwitches(), func(s breaker.Switch) bool { return s.Name == name })
	return i < 0 || !killSwitches()[i].FailsOn
}

// switches is the registry as the operations API sees it.
type switches struct{ breaker *breaker.Breaker }

var _ api.KillSwitches = switches{}

// List implements api.KillSwitches.
func (s switches) List(context.Context) ([]api.SwitchStatus, error) {
	var out []api.SwitchStatus
	for _, k := range s.breaker.Switches() {
		out = append(out, api.SwitchStatus{Name: k.Name, Effect: k.Effect, Side: k.Side, Off: k.Off, FailsOn: k.FailsOn, Reason: k.Reason, By: k.By, Since: k.Since})
	}
	return out, nil
}

// Set implements api.KillSwitches.
func (s switches) Set(_ context.Context, r api.SwitchRequest) error {
	if err := s.breaker.Switch(r.Name, r.Off, r.Reason, gate.Actor(r.Actor), r.At); err != nil {
		return &addressing.Error{Code: addressing.CodeRefused, Op: "kill-switch set", Detail: err.Error(), Next: "holdfast kill-switch list names them"}
	}
	return nil
}
