// Package addressing is the domain of desired state: which accounts own which
// prefixes, which services are bound to them, which of them should be
// advertised, and what is down on purpose.
//
// It takes typed requests and gives ChangeSets and decisions about them. It
// never reads a clock, a file, a database or the network: adapters (sqlite,
// api) do that and hand it values. It imports nothing else of this module.
package addressing
