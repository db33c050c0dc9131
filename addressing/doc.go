// Package addressing is the domain of desired state: which accounts own which
// prefixes, which services are bound to them, which of them should be
// advertised, and what is down on purpose.
//
// It takes typed requests and gives ChangeSets and decisions about them.
// Registry is the use cases: each mutation is one transaction of the Store, is
// judged by the Gate just before the commit, and leaves an AuditRecord. What
// decides is pure: Next (the life cycle), Effects (what a change does to
// routes), PlanCleanup, CheckPrefix, CheckGlobal.
//
// It never reads a clock, a file, a database or the network: time travels in
// the Request, randomness comes in as Options.Entropy, adapters (sqlite, api)
// do the rest. It imports nothing else of this module. It never widens: the
// zero Scope finds nothing, and no use case takes a filter.
//
// Special-purpose blocks are those of RFC 6890 and its updates, with RFC 4291
// section 2.4 for global unicast; reserved origins are those of RFC 6793
// section 9, RFC 7300 and RFC 7607; the audit log is canonical JSON of RFC 8785.
package addressing
