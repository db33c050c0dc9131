// Package render writes the router's side of a session with Holdfast.
//
// It takes what the router has to know (our addresses and AS, the marker
// community, the prefixes that may come) and gives configuration text of one
// system. What it writes accepts from us only what carries the marker inside
// the prefixes, sends us nothing, and has a policy that exports exactly those
// routes with the marker taken off. A family without prefixes gets no term at
// all: no list that is empty or missing is ever referred to. It reads no file
// and no clock, and never talks to a router.
package render
