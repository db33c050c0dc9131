// Package bdd is a small arena of reduced ordered binary decision diagrams.
//
// It takes variables by level and gives hash-consed nodes: equal functions are
// equal numbers, so that emptiness and equality cost nothing. One operation
// (if-then-else) has one cache. Nothing is collected: an arena belongs to one
// analysis and is dropped with it. An arena that has grown past its limit says
// so and every result after that is meaningless; the caller asks Full before it
// believes an answer.
//
// It knows nothing of routes and never panics on a number it gave out.
package bdd
