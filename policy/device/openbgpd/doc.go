// Package openbgpd is the front end for bgpd.conf of OpenBGPD, 7.x and 8.x.
//
// It takes one root file, with the files it includes through Input.Open, and
// gives a device.Config. A file that bgpd would refuse (an undefined set, a
// rule for a neighbor nobody configured, a syntax error) leaves every session
// undecided; a missing include leaves the analysis incomplete (RL310).
//
// What it has to get right: rules are evaluated in order and the last one that
// matches decides, unless it is quick; nothing is sent or accepted without a
// rule that allows it; the attributes a matching rule sets are seen by those
// behind it; a list in braces makes a rule for each of its members, so that
// what they set is set once for each that matches.
//
// The rules of a session are lowered to the shared model in one of two ways.
// Where no rule asks for what another sets, the changes come first and the
// decision is read from the last rule to the first, so that the rule to blame
// has a place. Otherwise the rules are walked in order and each sets what holds
// if none behind it matches.
//
// RFC 1997 (well-known communities are obeyed before the rules), RFC 4271
// (section 9), RFC 8212 (default deny), RFC 9234 (roles and OTC).
package openbgpd
