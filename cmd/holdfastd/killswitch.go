package main

import (
	"context"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/gate"
)

// killSwitches is the registry (BRK-09): what a person can turn off at once,
// with what that does. A system actor's key stops its every change.
func killSwitches() []breaker.Switch {
	return []breaker.Switch{
		{Name: "system/cleanup", Effect: "the clean-up worker deletes nothing", Side: "prefixes past their grace time stay until it is on again"},
		{Name: "system/validation", Effect: "no validation result is written", Side: "pending prefixes wait; an operator can still approve them with a named risk"},
		{Name: "system/config", Effect: "the configuration file changes nothing on its own", Side: "operators' and owners' changes go on", FailsOn: true},
	}
}

// turnedOff asks for the kill switch of a system task.
func (d *daemon) turnedOff(task string) func() bool {
	key := addressing.Actor{Kind: addressing.System, ID: task}.Key()
	return func() bool { return d.breaker.SwitchedOff(key) }
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
