package rollout

import (
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots/plan"
)

// Program is how each class of change is rolled out. A class without stages
// uses those of DefaultProgram.
type Program struct {
	Stages     map[Class][]plan.Stage
	MaxChanges int // of one generation; 0 is plan.DefaultMaxChanges
	Test       []netip.Prefix
	// Canaries are the accounts that may be in the stages of up to 10 %; empty
	// is every account.
	Canaries []string
}

// Default soaks. What takes something away soaks longer.
const (
	soakRemoval  = time.Minute
	soakNeighbor = 30 * time.Second
)

// DefaultProgram is used where the configuration says nothing: own test
// prefixes, first-party accounts, 1 %, 10 %, 50 % and 100 % of the change.
// Announcements have no stages.
func DefaultProgram() Program {
	stages := func(soak time.Duration) []plan.Stage {
		return []plan.Stage{
			{Name: plan.StageTest, Soak: soak},
			{Name: plan.StageFirstParty, Soak: soak},
			{Name: "canary", Percent: 1, Soak: soak},
			{Name: "tenth", Percent: 10, Soak: soak},
			{Name: "half", Percent: 50, Soak: soak},
			{Name: "all", Percent: 100, Soak: soak},
		}
	}
	return Program{Stages: map[Class][]plan.Stage{
		Removal: stages(soakRemoval), Neighbor: stages(soakNeighbor),
	}}
}

// staging is how a class is cut into waves.
func (p Program) staging(c Class) plan.Staging {
	s := plan.Staging{Stages: p.Stages[c], MaxChanges: p.MaxChanges, Test: p.Test}
	if len(s.Stages) == 0 {
		s.Stages = DefaultProgram().Stages[c] // none for Announce: generations follow one another
	}
	if len(p.Canaries) > 0 {
		may := map[string]bool{}
		for _, a := range p.Canaries {
			may[a] = true
		}
		s.Canary = func(it plan.Item) bool { return it.Neighbor != "" || may[it.Account] }
	}
	return s
}

func (p Program) maxChanges() int {
	if p.MaxChanges > 0 {
		return p.MaxChanges
	}
	return plan.DefaultMaxChanges
}
