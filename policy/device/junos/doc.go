// Package junos is the front end of leaklint for Junos configurations.
//
// It takes one configuration in curly braces or in set form, as
// "show configuration" prints it with or without "| display set", and gives a
// device.Config: groups are expanded, apply-path lists filled, every statement
// filed under one of five states. It never guesses: what is written and not
// modelled becomes an Unknown condition or action, and so does what no device
// has confirmed (which of several nested route filters speaks, what a policy
// used as a condition says when it falls off its end).
//
// What Junos does by default is part of the sessions: BGP imports and exports
// every active BGP route that no policy decides, the nearest level of
// configuration holds (neighbor, then group, then protocol), an empty prefix
// list matches nothing.
//
// The package reads no file, no clock and no network, and panics on nothing.
//
// RFC 4271 section 9 (decision and advertisement), RFC 1997 (well-known
// communities), RFC 4456 (reflection), RFC 8212 (which Junos does not follow
// unless "defaults ebgp no-policy" says so).
package junos
