package main

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/breaker"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Every limit is recorded: a change of any field is a change of the list, and
// a list that can be made is one that a snapshot takes.
func TestEveryLimitIsRecorded(t *testing.T) {
	agreement := []string{"ApproveBelow", "Approvals", "ResetApprovals", "SingleDelay", "Switches"} // who agrees, what can be off
	base := breaker.DefaultLimits()
	typ := reflect.TypeFor[breaker.Limits]()
	for i := range typ.NumField() {
		name := typ.Field(i).Name
		l := breaker.DefaultLimits()
		switch v := reflect.ValueOf(&l).Elem().Field(i); v.Interface().(type) {
		case []breaker.Rung:
			v.Index(0).FieldByName("Share").SetInt(v.Index(0).FieldByName("Share").Int() + 1)
		case []string:
			v.Set(reflect.ValueOf([]string{"breaker.W6", "breaker.W6"}))
		case []breaker.Freeze:
			v.Set(reflect.ValueOf([]breaker.Freeze{{Until: time.Now(), Reason: strings.Repeat("\xff\u00e9", 2000)}}))
		case []breaker.Switch:
			v.Set(reflect.ValueOf([]breaker.Switch{{Name: "x"}}))
		case bool:
			v.SetBool(!v.Bool())
		default:
			v.SetInt(v.Int() + int64(time.Second))
		}
		list := limitList(l)
		if got := len(otherLimits(limitList(base), list)) > 0; got == slices.Contains(agreement, name) {
			t.Errorf("%s: recorded %v", name, got)
		}
		if err := snapshots.ValidateLimits(list); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	many := base
	for i := range 2000 {
		many.Freezes = append(many.Freezes, breaker.Freeze{Reason: fmt.Sprint(i)})
	}
	if err := snapshots.ValidateLimits(limitList(many)); err != nil {
		t.Error(err)
	}
	if got := otherLimits(limitList(base), limitList(base)); got != nil {
		t.Errorf("differ from themselves: %v", got)
	}
}

func TestLimitNames(t *testing.T) {
	got := map[string]string{}
	for _, l := range limitList(breaker.DefaultLimits()) {
		got[l.Name] = l.Value
	}
	for name, value := range map[string]string{
		"breadth.5m": "window 5m0s share 10 floor 10 total 20", "neighbor.1h": "window 1h0m0s share 50 floor 10 total 20 of routes net",
		"plan": "share 10 floor 20", "emergency": "once 5 hour 20", "capacity": "800", "wait": "10m0s",
	} {
		if got[name] != value {
			t.Errorf("%s: %q, want %q", name, got[name], value)
		}
	}
}
