// Package sqlite keeps desired state in one SQLite file: WAL, full
// synchronous commits, foreign keys on, one write connection and a pool of
// read-only ones. It implements addressing.Store.
//
// It is never on the way to the wire (invariant 4): losing, emptying or
// corrupting the file makes mutations fail with a reason and nothing else.
package sqlite
