package concrete

import (
	"fmt"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// what describes a term that matched, for the trace.
func what(t *device.Term, truth device.Truth) string {
	parts := []string{"match"}
	switch {
	case truth == device.Maybe:
		parts[0] = "may match"
	case t.Bare:
		parts[0] = "match (no condition)"
	}
	for _, a := range t.Actions {
		parts = append(parts, describe(a))
	}
	switch t.Then.Flow {
	case device.AcceptRoute:
		parts = append(parts, "accept")
	case device.RejectRoute:
		parts = append(parts, "reject")
	case device.NextPolicy:
		parts = append(parts, "next policy")
	case device.Goto:
		parts = append(parts, "jump")
	case device.DecideMaybe:
		parts = append(parts, "not modelled")
	}
	if t.Then.Default != device.Undecided {
		parts = append(parts, "default "+t.Then.Default.String())
	}
	return strings.Join(parts, " -> ")
}

func describe(a device.Action) string {
	switch t := a.(type) {
	case *device.SetCommunities:
		names := t.Ref
		if names == "" {
			var vs []string
			for _, v := range t.Values {
				vs = append(vs, v.Text)
			}
			for _, p := range t.Patterns {
				vs = append(vs, p.Source)
			}
			names = strings.Join(vs, " ")
		}
		return strings.TrimSpace([...]string{"community add ", "community set ", "community delete "}[t.Op] + names)
	case *device.PrependAS:
		return "as-path prepend"
	case *device.EditASPath:
		return "as-path edit"
	case *device.SetScalar:
		return fmt.Sprintf("%s %s", t.Field, [...]string{"set", "add", "subtract", "remove", "set if absent"}[t.Op])
	case *device.SetNextHop:
		return "next-hop"
	case *device.SetName:
		return fmt.Sprintf("%s %s", t.Field, t.Name)
	case *device.Call:
		return "call"
	case *device.UnknownAction:
		return "not modelled: " + t.Text
	case *device.Ignored:
		return t.Text
	}
	return "action"
}
