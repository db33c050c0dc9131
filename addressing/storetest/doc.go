// Package storetest is the conformance suite of addressing.Store: what every
// implementation keeps, refuses and isolates.
package storetest
