// Package edge keeps what edge machines must be ready for and which of them
// are: a prefix is advertised at a site once a quorum of its live machines has
// acknowledged the bindings over it, and a binding goes only some time after
// its prefix left the wire (bind, then advertise; withdraw, drain, unbind).
//
// It takes the active and the next snapshot and acknowledgements, and gives
// bindings by generation and the sites that are ready. It withdraws nothing: a
// machine that goes silent keeps new announcements waiting, and removals if
// too many sites are dark. Time travels in the calls. Requirement HMD-05.
package edge
