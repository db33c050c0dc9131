// Package aspath compiles the AS-path expressions of every dialect into one
// form that can be asked about a path and walked by a symbolic evaluator.
//
// FRR, IOS and GoBGP run a character regular expression over the path as text
// ("65010 65020"), where "_" is a boundary; Junos, BIRD and OpenBGPD work on
// whole ASNs. Both become a deterministic automaton that reads one ASN at a
// time. A Space partitions all AS paths by what a set of patterns says about
// them, with an example of each part and the part a prepended path falls in.
//
// Only sequences are modelled: AS_SET and confederation segments are not.
// The package reads nothing and panics on nothing; patterns that would grow
// too large are errors.
package aspath
