// Package gobgp is the Speaker made of an embedded GoBGP v3.37.0; it is the
// only importer of the GoBGP server.
//
// It takes a Target and turns it into AddPath and DeletePath differences
// against its own record of what it loaded. GoBGP holds the union of all
// neighbors' routes; each path carries a tag for every neighbor that may have
// it, and a constant export policy, default reject, lets a path out only to a
// neighbor whose tag it carries and strips the tags (RFC 8092 large communities
// of the reserved AS 4294967295). A path that somebody else put into GoBGP has
// no tag and stays inside.
//
// It never reads a database, never decides what is advertised, never stops BGP
// with a NOTIFICATION while sessions are up and never opens gRPC.
//
// NewGuarded is the Speaker that the daemon runs: GoBGP behind the session guard
// (package guard), where it holds nothing but prefixes and role communities and
// meets no neighbor. What follows is about New, GoBGP alone, which is what the
// guard is measured against.
//
// # What one path cannot say
//
// GoBGP keeps one path per prefix, so neighbors that hold the same prefix see
// the same attributes, or those of their own configuration: next hop, MED,
// LOCAL_PREF, communities, large communities and prepend of policy.Neighbor.
// Apply refuses, before it changes anything, a Target that needs more; the
// session guard lifts that. A prefix whose set of neighbors changes is sent
// again, unchanged, to the neighbors that keep it.
//
// # Restart
//
// RFC 4724 as GoBGP does it: the Restart and Forwarding State bits are set on
// every session but the first of a first start. GoBGP clears them for all
// neighbors when one has finished; a neighbor that is not up yet is therefore
// taken out and put back with the bits. When a restarting session has finished,
// GoBGP sends its whole table again to every neighbor that does graceful
// restart.
package gobgp
