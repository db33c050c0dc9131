//go:build linux

// Command demo replays the outage of 20 February 2026 against the real
// programs and measures it where it counts: in the table of a neighbor.
//
// It takes bin/holdfastd and bin/holdfast, starts the daemon and a neighbor as
// processes of their own on loopback addresses, loads 6,500 real prefixes
// through the API, and replays the outage four ways: the malformed query, the
// loop of deletes that trusts the full list, the unthrottled script and the
// emptied database. It gives what the neighbor held, what was refused and why,
// and how long the way back took, and fails when a bar is missed. With the
// protections off (--legacy) the same replays meet a server built like the one
// of that day.
//
// It needs no root, touches nothing but a temporary directory and loopback,
// and ends every process it started, by its id. The code in legacy*.go exists
// for this comparison alone.
package main
