// Package guard is the session guard: the bgp.Speaker that stands between a
// routing engine and every neighbor (DESIGN section 8).
//
// It takes a snapshots.Target and an engine (a RIB, in practice GoBGP), owns
// each neighbor's TCP connection and its whole BGP session, and gives events
// and the Adj-RIB-Out as it left. The engine has sessions of its own
// with the guard, on loopback addresses, one for each role that we have (a Leg).
// They stay up while the neighbors' sessions come and go: no octet of a neighbor
// reaches the engine but in a message that was rebuilt from vetted parts, and an
// engine that stalls or is lost leaves the neighbors as they are (fail static).
//
// What goes out is decided by level, not by edge: a prefix is on the wire with
// the Target's attributes once the Target names it and the engine offers it; it
// is withdrawn once the Target no longer names it. When the engine takes back
// what the Target still names, the withdrawal is held back, remembered, and
// decided again with the next offer, Target or session. Whatever the Target
// does not name never leaves.
//
// Three layers keep a leak in, each sufficient alone: the Target; the rule
// policy.Allowed with the OTC egress procedure and the origin check on what the
// engine offers; and the role communities in the engine's own policy.
//
// It never decides what should be advertised, never withdraws on an error,
// never reads a database, and never sends a NOTIFICATION when it stops: the
// neighbors keep the routes by graceful restart.
//
// RFC sections: 4271 (4, 6, 8; 6.8 collisions), 2385 (MD5), 2918, 4486, 4724,
// 5082, 5492, 6286, 6608, 6793, 7606, 7911 and 8950 (refused), 8538, 9072, 9234.
package guard
