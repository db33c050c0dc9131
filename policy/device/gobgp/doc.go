// Package gobgp is the front end for gobgpd configuration files in TOML, YAML
// and JSON, GoBGP 3 and 4.
//
// It takes one file and gives a device.Config. It never runs GoBGP and imports
// nothing of it; keys.txt lists the keys its decoder accepts.
//
// What it has to get right is where GoBGP fails open. A policy set that does
// not load (an undefined set, a bad regular expression, two statements of one
// name) leaves the daemon running with no policy at all, and a list of
// policies in which one name is missing takes the configured default action
// down with it: everything is then exported. An empty neighbor set matches
// every neighbor, a set name that a template rendered to "" drops the
// condition, a disposition or default that is misspelt counts as none. The
// policy of an ordinary neighbor is ignored; only route-server clients have one.
//
// Export policies see the AS path with the local ASN in front (RFC 4271 section
// 5.1.2), and NO_EXPORT and NO_ADVERTISE are not enforced (RFC 1997 is left to
// policy).
package gobgp
