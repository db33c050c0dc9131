package openbgpd_test

import (
	"testing"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/concrete"
	"github.com/holdfast-bgp/holdfast/policy/device/openbgpd"
)

// Whatever the text, reading ends with a configuration in which every statement
// has a place and every session can be evaluated.
func FuzzParse(f *testing.F) {
	for _, data := range corpus(f) {
		if len(data) < 4_000 {
			f.Add(data)
		}
	}
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	r := learned([]uint32{65100})
	f.Fuzz(func(t *testing.T, data []byte) {
		openbgpd.Recognise("x", data)
		cfg := openbgpd.Parse(device.Input{Path: "x", Data: data})
		for _, s := range cfg.Statements {
			if s.Pos.Line < 1 || s.Text == "" {
				t.Errorf("statement without place: %+v", s)
			}
		}
		for _, s := range cfg.Sessions {
			concrete.Session(s, concrete.Export, r)
			concrete.Session(s, concrete.Import, r)
		}
	})
}

var seeds = []string{
	head + "deny quick to { any group \"transit\" } prefix { { 10.0.0.0/8 prefixlen 9 >< 12 } { ::/0 } } set { localpref -5 community delete *:local-as }\n",
	"a=\"$a\"\nAS $a\n", "include \"x\"\ninclude \"x\"\n", "group \"g\" {\nneighbor 1.2.3.4 {\n", "neighbor 10.0.0.0/8\nallow to 10.0.0.0\n",
	"AS 1\nneighbor 1.2.3.4 { remote-as 2 }\nallow to AS 2 { AS { 1 - 5, neighbor-as }, peer-as != 3 } max-as-len 0 set prepend-self 128\n",
	"roa-set { 0.0.0.0/0 maxlen 32 source-as 0 expires 5 }\nallow from any ovs valid\n", "\"unterminated", "\\\n\\\n", "$", "allow", "deny to {", "vpn \"x\" on mpe0 {\n}\n",
	"prefix-set x { 1/8, 10.1/16 or-longer 2001:db8::/32 maxlen 129 }\n", "}\n}\n", "match from any set {", "AS 1.1.1\n", "network inet static set { }\n",
}
