// Package bird is the front end for BIRD 2 configuration files.
//
// It takes one root file, with the files it includes through Input.Open and
// Input.Glob, and gives a device.Config. BIRD's filters are programs: they are
// executed symbolically once, at reading, and become nested terms of the shared
// model, which the concrete and the symbolic evaluator both walk. Constants,
// local variables, functions (inlined), case, path masks and sets of every type
// are followed; what is not is Unknown, with its reason: loops that do more
// than search, comparisons between two attributes, attributes of other
// protocols, lookups in tables. Silence never is the answer.
//
// What it has to get right: a filter that ends without a verdict rejects, and
// so does one that fails at run time (a function without a return value used as
// a condition, an undefined attribute in a set test); an undefined number is
// less than every number; && and || bind alike, from the left; a second export
// in a channel replaces the first; routes of protocols other than BGP pass the
// checks that come before the export filter; external sessions have to say
// import and export, or the file does not load (RFC 8212).
//
// RFC 1997 (well-known communities before the export filter), RFC 4271 (section
// 9), RFC 4456 (reflection), RFC 9234 (roles: marked routes are kept back before
// the filter, others are marked behind it).
package bird
