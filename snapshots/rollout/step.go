package rollout

// Step names a moment in the life of a generation. A crash between any two of
// them leaves the old or the new generation, never a part of each: up to
// StepHead the old one boots, from StepGood on the new one, and in between
// applying is repeated because a Target is the whole set.
type Step string

// Steps in order, of everything that makes a generation: a change, a wave, a
// rollback and each part of one that comes back at a rate, an emergency, another
// configuration. StepIntent comes only with a rollback, StepRecord before and
// after every wave.
const (
	StepRead      Step = "read"      // before desired state is read
	StepBuild     Step = "build"     // before the snapshot is built
	StepPlan      Step = "plan"      // before it is compared
	StepPreflight Step = "preflight" // before it is judged
	StepStore     Step = "store"     // before parts, manifest and head are written
	StepApply     Step = "apply"     // before the speaker gets the Target
	StepGood      Step = "good"      // before it is marked last-known-good
	StepIntent    Step = "intent"    // before a rollback writes desired state
	StepRecord    Step = "record"    // before the book of rollouts is written
	StepDone      Step = "done"
)

// Steps lists them all, in order.
func Steps() []Step {
	return []Step{StepRead, StepBuild, StepPlan, StepPreflight, StepStore, StepApply, StepGood, StepIntent, StepRecord, StepDone}
}
