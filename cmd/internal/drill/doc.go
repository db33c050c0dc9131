// Package drill replays outages and legitimate load against the parts that a
// daemon is made of, and measures what is left at a neighbor.
//
// A [Drill] takes a directory of its own and [Options] and gives a [Report]:
// tables of what was measured, and bars that it met or missed. A [Rig] is what
// most drills run on: desired state in SQLite, the real gate and breaker, the
// real pipeline, the real speaker with its session guard, and a neighbor of
// another implementation in the same process that counts what it was told.
// Simulated time travels in requests, so that a day takes as long as its
// changes do.
//
// It never asserts durations, opens nothing beyond loopback, and is no part of
// the daemon: cmd/holdfast-drill runs it, `holdfast drill` starts that.
package drill
