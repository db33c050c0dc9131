// Package lint judges device.Configs: can a session advertise a route it must
// not, and is what is written there the mistake that will let it.
//
// It takes parsed configurations and a Declaration (.leaklint.yaml: own ASNs
// and prefixes, what each neighbor is to us, tags). It gives findings with
// stable ids and fingerprints: a leak with the route that proves it, replayed
// by package concrete, or a doubt with the construct that causes it. What is
// not reported as either is proved clean, under the assumptions a finding or
// the summary states. It never passes over a session because something in it
// is not understood.
//
// One file per family of rules: leak.go (RL1xx), terms.go (RL2xx),
// references.go (RL3xx), defaults.go (RL4xx), tags.go (RL5xx), roles.go (RL6xx),
// change.go (RL8xx), limits.go (RL9xx); rules.txt is what leaklint explain and
// the pages in docs are made from.
//
// The package reads no file and no clock.
//
// RFC 7908 (kinds of leak), RFC 8212 (default deny), RFC 9234 (roles).
package lint
