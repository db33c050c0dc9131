//go:build interop && linux

package frrdiff

import (
	"encoding/json"
	"fmt"
	"net/netip"

	"github.com/holdfast-bgp/holdfast/policy/device/cases"
)

const ourAS = 65000

// feeder is a neighbor that routes are learned from.
type feeder struct {
	name string
	addr netip.Addr
	asn  uint32
}

var feeders = []feeder{
	{"peerP", netip.MustParseAddr("10.99.0.11"), 65010},
	{"upU", netip.MustParseAddr("10.99.0.12"), 65100},
	{"custC", netip.MustParseAddr("10.99.0.13"), 65050},
	{"ibgpI", netip.MustParseAddr("10.99.0.14"), ourAS},
}

func number(v uint32) *uint32 { return &v }

// table is what the feeders announce, with every attribute the policies ask
// for.
func table() map[string][]cases.Route {
	p := netip.MustParsePrefix
	out := map[string][]cases.Route{
		"peerP": {
			{Prefix: p("198.18.1.0/24"), ASPath: []uint32{65010}},
			{Prefix: p("198.18.2.0/24"), ASPath: []uint32{65010, 65020}, Communities: []string{"65000:200"}, MED: number(10)},
			{Prefix: p("198.18.2.128/25"), ASPath: []uint32{65010, 65020}, Communities: []string{"65000:200", "65000:900"}},
			{Prefix: p("198.18.9.0/24"), ASPath: []uint32{65010, 650101, 65050}, Communities: []string{"65000:200", "65535:65281"}},
			{Prefix: p("198.18.10.0/24"), ASPath: []uint32{65010, 65020, 65020, 64999}, Large: []string{"65000:1:200"}},
		},
		"upU": {
			{Prefix: p("0.0.0.0/0"), ASPath: []uint32{65100}},
			{Prefix: p("198.18.3.0/24"), ASPath: []uint32{65100, 65200}, Communities: []string{"65000:300"}, Large: []string{"65000:1:300"}},
			{Prefix: p("198.19.0.0/16"), ASPath: []uint32{65100, 6501}, Communities: []string{"65000:300", "65100:1"}, MED: number(50)},
			{Prefix: p("198.18.11.0/24"), ASPath: []uint32{65100, 65010}, Communities: []string{"65000:300", "65535:65282"}},
			{Prefix: p("8.0.0.0/8"), ASPath: []uint32{65100, 65300, 65400}},
		},
		"custC": {
			{Prefix: p("198.18.5.0/24"), ASPath: []uint32{65050}, Communities: []string{"65000:100"}, MED: number(50)},
			{Prefix: p("198.18.7.0/26"), ASPath: []uint32{65050, 65060}, Communities: []string{"65000:100", "65000:900"}},
			{Prefix: p("198.18.7.64/32"), ASPath: []uint32{65050, 65060}, Communities: []string{"65535:666"}},
			{Prefix: p("198.18.12.0/24"), ASPath: []uint32{65050, 65050, 65050}, Large: []string{"65000:1:100", "65000:2:9"}},
		},
		"ibgpI": {
			{Prefix: p("203.0.113.0/24"), LocalPref: number(150)},
			{Prefix: p("198.18.6.0/24"), ASPath: []uint32{65010, 64999}, Communities: []string{"65000:200"}, LocalPref: number(100)},
			{Prefix: p("203.0.113.128/25"), Communities: []string{"65000:13"}, LocalPref: number(150), MED: number(7)},
			{Prefix: p("198.18.13.0/24"), ASPath: []uint32{64512, 65020}, Communities: []string{"65535:65283"}, LocalPref: number(120)},
		},
	}
	for _, f := range feeders {
		session := "ebgp"
		if f.asn == ourAS {
			session = "ibgp"
		}
		for i := range out[f.name] {
			r := &out[f.name][i]
			r.Session, r.NextHop = session, f.addr.String()
			r.LearnedFrom = json.RawMessage(fmt.Sprintf(`{"name":%q,"neighbor":%q,"asn":%d,"session":%q}`, f.name, f.addr, f.asn, session))
		}
	}
	return out
}

// routes are all routes of the table, and the router's own.
func routes(own netip.Prefix) []cases.Route {
	t := table()
	var out []cases.Route
	for _, f := range feeders {
		out = append(out, t[f.name]...)
	}
	if own.IsValid() {
		out = append(out, cases.Route{Prefix: own, NextHop: "0.0.0.0", LearnedFrom: json.RawMessage(`{"name":"local","session":"local"}`)})
	}
	return out
}
