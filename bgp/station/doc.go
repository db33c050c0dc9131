// Package station is a BMP monitoring station for our own edges: it tells what
// became of the routes that we sent.
//
// It takes BMP (RFC 7854) from routers that the configuration names, and from
// nobody else, and what the session guard sent to each of them. It gives, per
// prefix, what an edge accepted, what it sends to transit and what is seen
// outside; and findings where that is not what it should be: routes that the
// edge drops, that it stopped to send, that carry NO_EXPORT nobody asked for, and
// routes of others that it leaks (RFC 7908).
//
// What is not known is unknown, with the reason: a router without BMP, a
// connection that is closed or silent, a table that is not complete. Nothing here
// changes anything: no answer and no finding can withdraw a route.
//
// A full table does not matter: kept is what we sent, what has our AS in its path
// and what is leaked, up to a limit per router; the rest is counted. The feed of
// one router (feed.go) and the judgement (assess.go) are pure and take the time
// from the caller; station.go has the sockets.
//
// RFC 7854, 8671 (Adj-RIB-Out), 9069 (Loc-RIB), 7908 (leaks), 4724 (2,
// End-of-RIB).
package station
