// Package bgp keeps what the neighbors hold equal to the Target it was given.
//
// It takes a snapshots.Target and gives events: routes advertised and
// withdrawn, sessions up and down. It has no database handle (invariant 4),
// never decides what should be advertised and never withdraws on an error
// (invariant 3). Subpackages: gobgp (the only importer of the GoBGP server),
// guard (the session guard), wire (the message walker), speakertest (the
// conformance suite every Speaker passes).
package bgp
