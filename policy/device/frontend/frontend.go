// Package frontend finds the front end for a configuration file.
//
// It takes a dialect by name, or a path with its text, and gives a
// device.Config. A file it does not recognise, or whose dialect has no front
// end, is said to be so and never passed over.
package frontend

import (
	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/bird"
	"github.com/holdfast-bgp/holdfast/policy/device/frr"
	"github.com/holdfast-bgp/holdfast/policy/device/gobgp"
	"github.com/holdfast-bgp/holdfast/policy/device/junos"
	"github.com/holdfast-bgp/holdfast/policy/device/openbgpd"
)

// frontEnd is one language.
type frontEnd struct {
	parse     func(device.Input) *device.Config
	recognise func(path string, data []byte) bool
}

// frontEnds are the dialects that can be read. The order of dialects decides
// which of two that recognise a text gets it.
var frontEnds = map[device.Dialect]frontEnd{
	device.GoBGP: {gobgp.Parse, gobgp.Recognise},
	device.FRR:   {frr.Parse, frr.RecogniseFRR},
	device.IOS:   {frr.ParseIOS, frr.RecogniseIOS},
	device.EOS:   {frr.ParseEOS, frr.RecogniseEOS},
	device.NXOS:  {frr.ParseNXOS, frr.RecogniseNXOS},
	device.Junos: {junos.Parse, junos.Recognise},

	device.OpenBGPD: {openbgpd.Parse, openbgpd.Recognise},
	device.BIRD:     {bird.Parse, bird.Recognise},
}

var order = []device.Dialect{device.BIRD, device.OpenBGPD, device.Junos, device.FRR, device.NXOS, device.EOS, device.IOS, device.GoBGP}

// names are other words for dialects, as test cases and users write them.
var names = map[string]device.Dialect{"bgpd": device.OpenBGPD, "bird2": device.BIRD, "junos-set": device.Junos, "junos-flat": device.Junos, "iosxe": device.IOS, "ios-xe": device.IOS, "nx-os": device.NXOS}

// ByName returns the dialect for a name; ok is false when it has no front end.
func ByName(name string) (d device.Dialect, ok bool) {
	d = device.Dialect(name)
	if other, found := names[name]; found {
		d = other
	}
	_, ok = frontEnds[d]
	return d, ok
}

// Parse reads a file in a dialect; ok is false when there is no front end.
func Parse(d device.Dialect, in device.Input) (cfg *device.Config, ok bool) {
	fe, ok := frontEnds[d]
	if !ok {
		return nil, false
	}
	return fe.parse(in), true
}

// Recognise returns the dialect of a text; ok is false when none claims it.
func Recognise(path string, data []byte) (d device.Dialect, ok bool) {
	for _, d := range order {
		if frontEnds[d].recognise(path, data) {
			return d, true
		}
	}
	return "", false
}
