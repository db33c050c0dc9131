// Package plan compares two snapshots and judges the difference. Diff gives
// the changes and their impact per account, neighbor and family; Preflight
// runs the policy checks and the breaker's gate over it.
//
// It takes snapshots and gives a Plan and a Report. It reads no clock and
// touches no file.
package plan
