package policy

// Finding is one reason of a decision, with a way forward for the person who
// reads it: a refusal is a value with reasons, not an error.
type Finding struct {
	Rule    string  `json:"rule"` // stable id, e.g. "breaker.W2" or "plan.lost-database"
	Verdict Verdict `json:"verdict"`
	Why     string  `json:"why"`
	Next    string  `json:"next,omitempty"`
	Account string  `json:"account,omitempty"`
	Prefix  string  `json:"prefix,omitempty"`
	Scope   string  `json:"scope,omitempty"` // breaker scope that speaks, e.g. "global"
}
