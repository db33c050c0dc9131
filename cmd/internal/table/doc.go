// Package table gives the 6,500 real prefixes that the demo, the interop tests
// and the benchmarks of the programs advertise: 4,306 of 400 customer accounts
// and 2,194 of our own, the shape of the table behind the outage of 20 February
// 2026.
//
// It takes nothing and gives rows; it never opens a file (the table is
// embedded). The prefixes are real ones, seen in a public full table. Accounts
// and origins are not: see generate, which made the table and makes it again
// from the same input, byte for byte.
package table
