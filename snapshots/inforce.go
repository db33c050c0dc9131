package snapshots

import "slices"

// LimitInForce is one limit of the breaker as it was in force, for whoever
// reads or compares snapshots. Its name is that of the configuration; what the
// value means is the breaker's affair: nothing that reads a snapshot enforces
// it, and a speaker does not look at it.
type LimitInForce struct {
	Name  string `json:"name"` // e.g. "breadth.5m"
	Value string `json:"value"`
}

// Bounds of the list.
const (
	maxLimitsInForce = 1_000
	maxLimitValue    = 1_000 // bytes
)

func compareLimit(a, b LimitInForce) int { return compareString(a.Name, b.Name) }

// NormalLimits is the list sorted, as a snapshot has it.
func NormalLimits(list []LimitInForce) []LimitInForce {
	return slices.SortedFunc(slices.Values(list), compareLimit)
}

// ValidateLimits judges a list on its own, with the rules that every snapshot
// meets. The error is an *Invalid.
func ValidateLimits(list []LimitInForce) error {
	var bad Invalid
	checkLimitsInForce(&bad, NormalLimits(list))
	return bad.refusal()
}

func checkLimitsInForce(bad *Invalid, list []LimitInForce) {
	if len(list) > maxLimitsInForce {
		bad.add("size.limits", "", "", "%d limits, at most %d are taken", len(list), maxLimitsInForce)
		return
	}
	for i, l := range list {
		switch {
		case !validID(l.Name):
			bad.add("limit.name", "", "", "limit %q: the name is not 1 to %d letters, digits, '-', '_' or '.'", l.Name, maxID)
		case i > 0 && compareLimit(list[i-1], l) >= 0:
			bad.add("order.limits", "", "", "limit %s is there twice or out of order", l.Name)
		case l.Value == "" || len(l.Value) > maxLimitValue:
			bad.add("limit.value", "", "", "limit %s: the value is not 1 to %d bytes", l.Name, maxLimitValue)
		}
		checkText(bad, "", "", "limit "+l.Name, l.Value)
	}
}
