package addressing_test

import (
	"net/netip"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// TestSignal: a signal is the owner's own change, on its own prefixes alone,
// and only on those that BGP controls.
func TestSignal(t *testing.T) {
	x, ctx := newRig(t), t.Context()
	cidr := netip.MustParsePrefix("11.0.0.0/22")
	p := x.advertised(x.a.ID, cidr.String())
	_, _, err := x.r.Signal(ctx, x.owner(x.a.ID), cidr, false)
	wantCode(t, err, addressing.CodeConflict) // controlled by the API
	bgp := addressing.ControlBGP
	must(x.r.EditPrefix(ctx, x.operator(), p.ID, addressing.PrefixPatch{Control: &bgp}))(t)

	_, _, err = x.r.Signal(ctx, x.owner(x.b.ID), cidr, false)
	wantCode(t, err, addressing.CodeNotFound) // another account's session
	_, _, err = x.r.Signal(ctx, x.owner(x.a.ID), netip.MustParsePrefix("11.0.0.0/23"), false)
	wantCode(t, err, addressing.CodeNotFound) // no such BGP prefix
	if !x.get(p.ID).BGP[0].Advertised {
		t.Fatal("a refused signal withdrew it")
	}

	before := len(x.gate.admitted)
	must(x.r.Signal(ctx, x.owner(x.a.ID), cidr, true))(t) // it is advertised already
	if len(x.gate.admitted) != before {
		t.Error("a signal of what is so already was a change")
	}
	must(x.r.Signal(ctx, x.owner(x.a.ID), cidr, false))(t)
	if c := x.gate.last(); effects(c) != "[lost 11.0.0.0/22]" || c.Actor.Kind != addressing.Owner {
		t.Errorf("a withdrawal has effects %s by %s", effects(c), c.Actor.Key())
	}
	if d := x.get(p.ID); len(d.BlockedBy(cidr, x.now)) != 1 {
		t.Error("the owner's withdrawal left no negative intent")
	}
	must(x.r.Signal(ctx, x.owner(x.a.ID), cidr, true))(t)
	if d := x.get(p.ID); !d.BGP[0].Advertised || len(d.BlockedBy(cidr, x.now)) != 0 {
		t.Error("announcing it again did not lift its own withdrawal")
	}
}
