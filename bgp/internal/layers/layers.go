// Package layers names the three layers that keep a leak off the wire, so that
// tests can switch each of them off and show that the others are enough. It is
// internal: nothing outside bgp can switch a layer off, and Check refuses it
// outside a test binary.
package layers

import (
	"errors"
	"testing"
)

// Off says which layers do nothing. The zero value is all of them at work.
type Off struct {
	Target      bool // the allow-list: what the Target does not name never leaves
	ValleyFree  bool // policy.Allowed, OTC egress and the origin check, after GoBGP's policy
	Communities bool // the role communities in GoBGP's export policy
}

// Check refuses a layer that is off outside a test.
func (o Off) Check() error {
	if o != (Off{}) && !testing.Testing() {
		return errors.New("a layer against leaks is switched off outside a test")
	}
	return nil
}
