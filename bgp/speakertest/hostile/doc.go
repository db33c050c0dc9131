// Package hostile has messages that a neighbor should not send: the test
// vectors of other implementations, those that end GoBGP v3.37.0 outright, and
// mutations of all of them. It is for tests.
//
// RFC sections: 4271 (4.1, 4.3), 7606, 6793 (6), 8669 (5).
package hostile
