// Package synthetic makes desired state of any size for tests and benchmarks:
// the same size gives the same state. It holds no real prefixes.
package synthetic

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// At is the moment that everything synthetic was made.
var At = time.Date(2026, 2, 20, 17, 48, 0, 0, time.UTC)

// Environment is the environment of everything synthetic.
const Environment = "test"

// ASN is ours in everything synthetic.
const ASN = 64500

// State is desired state with that many routes, spread over accounts so that
// the first has most. Every seventh route is IPv6, every third account is
// first-party. All are approved, bound and advertised.
func State(accounts, routes int) addressing.State {
	var st addressing.State
	st.Services = []addressing.Service{{ID: "cdn", Name: "CDN", MinSites: 1}, {ID: "spectrum", Name: "Spectrum", MinSites: 1}}
	for a := range accounts {
		kind := addressing.Customer
		if a%3 == 2 {
			kind = addressing.FirstParty
		}
		st.Accounts = append(st.Accounts, addressing.Account{ID: AccountID(a), Name: fmt.Sprintf("account %d", a), Kind: kind, CreatedAt: At})
	}
	for i := range routes {
		Add(&st, i, AccountID(owner(i, routes, accounts)))
	}
	return st
}

// owner gives account a of n a share that falls with a.
func owner(i, routes, accounts int) int {
	x := float64(i) / float64(routes)
	return int(x * x * float64(accounts))
}

// AccountID is the id of the n-th account.
func AccountID(n int) string { return fmt.Sprintf("%032x", 0xacc0000+n) }

// CIDR is the prefix of the i-th route.
func CIDR(i int) netip.Prefix {
	if i%7 == 6 {
		var b [16]byte
		binary.BigEndian.PutUint32(b[:4], 0x2a000000|uint32(i>>16))
		binary.BigEndian.PutUint16(b[4:6], uint16(i))
		return netip.PrefixFrom(netip.AddrFrom16(b), 48)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], 0x10000000+uint32(i)<<8)
	return netip.PrefixFrom(netip.AddrFrom4(b), 24)
}

// Add appends the i-th route to a state, owned by an account.
func Add(st *addressing.State, i int, account string) {
	id := fmt.Sprintf("%032x", 0x1000000+i)
	cidr := CIDR(i)
	description := fmt.Sprintf("route %d", i)
	st.Prefixes = append(st.Prefixes, addressing.Prefix{
		ID: id, AccountID: account, CIDR: cidr, ASN: ASN, State: addressing.Approved, Control: addressing.ControlAPI,
		OnDemandEnabled: true, Description: &description, CreatedAt: At, ModifiedAt: At, Version: 1,
	})
	st.BGPPrefixes = append(st.BGPPrefixes, addressing.BGPPrefix{
		ID: fmt.Sprintf("%032x", 0x2000000+i), PrefixID: id, CIDR: cidr, Advertised: true, Sites: addressing.AllSites(), CreatedAt: At, Version: 1,
	})
	service := "cdn"
	if i%2 == 1 {
		service = "spectrum"
	}
	st.Bindings = append(st.Bindings, addressing.Binding{ID: fmt.Sprintf("%032x", 0x3000000+i), PrefixID: id, CIDR: cidr, ServiceID: service, Active: true, CreatedAt: At})
}

// Network is what a configuration with that many transit neighbors declares.
func Network(neighbors int) snapshots.NetworkPart {
	n := snapshots.NetworkPart{ASN: ASN, Sites: []string{snapshots.DefaultSite}}
	for i := range neighbors {
		n.Neighbors = append(n.Neighbors, Neighbor(fmt.Sprintf("transit-%c", 'a'+i), i))
	}
	return n
}

// Neighbor is a transit neighbor of the default site.
func Neighbor(name string, i int) policy.Neighbor {
	return policy.Neighbor{
		Name: name, Kind: policy.EBGP, Site: snapshots.DefaultSite, Address: netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i)}), ASN: 64510 + uint32(i),
		Role: policy.RoleCustomer, Families: []addressing.Family{addressing.IPv4, addressing.IPv6},
		NextHop4: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("2001:db8::1"), Receive: policy.ReceiveNone,
	}
}

// Snapshot builds the state; it panics if that fails, which is a bug.
func Snapshot(st addressing.State, neighbors int) *snapshots.Snapshot {
	s, err := snapshots.Build(st, Network(neighbors), Environment, At)
	if err != nil {
		panic(err)
	}
	return s
}
