// Package speakertest is what every bgp.Speaker must do, as a test suite, and a
// Fake that does it in memory.
//
// Run takes a function that builds a Speaker and the neighbors it talks to, and
// looks only at what arrives at the neighbors. The suite keeps to Targets that a
// Speaker without the session guard can express: neighbors differ in the
// attributes of their own configuration.
package speakertest
