// Package snapshots freezes desired state. A snapshot is the complete
// operational state: routes, bindings, negative intents, neighbors and limits,
// as a signed manifest of content-addressed parts, one per account.
//
// It takes desired state and gives immutable snapshots, the Target per
// neighbor that follows from one, and a directory store that keeps
// last-known-good in two copies. The wire reads snapshots, never the database
// (invariant 4). Build, validation and Targets are pure; only the store
// touches files.
package snapshots
