package speakertest

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/bgp"
)

func TestFakeConforms(t *testing.T) {
	Run(t, func(*testing.T) *Harness {
		f := NewFake(Neighbors(), nil)
		h := &Harness{Speaker: f}
		h.Table = func(name string) Table { return f.Table(name) }
		h.Inject = func(*testing.T, netip.Prefix) {} // nothing to inject into
		h.Drop = func(name string) { f.Break(name) }
		h.Restart = func(*testing.T) bgp.Speaker { f = f.Restart(); return f }
		return h
	})
}
