package addressing

// Revision is a moment of desired state, as its Store counts changes. It says
// nothing by itself: it is only ever handed back to the Store that gave it. The
// zero Revision is before everything.
type Revision struct{ Changes, Schema int64 }

// Delta is what of desired state may not be as it was at a Revision.
type Delta struct {
	Revision Revision // of this read
	// Whole says that State is everything, whatever it was before.
	Whole bool
	// Accounts are the ids, sorted, of the accounts that may have changed, if
	// the Delta is not Whole. State then holds all that there is of these,
	// which is nothing of one that is gone, and nothing of any other. Services,
	// and negative intents that belong to no account, are always all there.
	Accounts []string
	State    State
}
