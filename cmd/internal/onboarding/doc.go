// Package onboarding brings the prefixes of a table into a daemon the way
// people do: through its API, request by request.
//
// It takes a client of the API and rows of a table and gives the ids that the
// daemon made. It registers (accounts, one service, prefixes, approval,
// bindings) and advertises in two steps, so that a caller can see that nothing
// is on the wire before the second. It never reads or writes the daemon's
// files.
package onboarding
