package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/breaker"
)

// Entry is one difference between two configurations.
type Entry struct {
	Kind   string // add, remove or change
	What   string // neighbor, session, site or setting
	Name   string
	Loses  bool // routes are or can be lost there
	Detail string
}

// Difference is what another file would change of a running daemon.
type Difference struct {
	Entries []Entry
	Restart []string // keys that differ and are read at start only
}

// Empty reports whether the two say the same.
func (d Difference) Empty() bool { return len(d.Entries)+len(d.Restart) == 0 }

// Difference compares two configurations of one daemon.
func (c *Config) Difference(next *Config) Difference {
	var d Difference
	for _, s := range c.BGP.Sites {
		if !slices.Contains(next.BGP.Sites, s) {
			d.Entries = append(d.Entries, Entry{Kind: "remove", What: "site", Name: s, Loses: true})
		}
	}
	for _, s := range next.BGP.Sites {
		if !slices.Contains(c.BGP.Sites, s) {
			d.Entries = append(d.Entries, Entry{Kind: "add", What: "site", Name: s})
		}
	}
	d.neighbors(c.BGP.Neighbors, next.BGP.Neighbors)
	if !reflect.DeepEqual(c.BGP.Transits, next.BGP.Transits) {
		d.Entries = append(d.Entries, Entry{Kind: "change", What: "setting", Name: "bgp.sites[].transits"})
	}
	if !reflect.DeepEqual(c.BGP.Drain, next.BGP.Drain) {
		d.Entries = append(d.Entries, Entry{Kind: "change", What: "setting", Name: "bgp.drain"})
	}
	if c.BGP.EdgeMarker != next.BGP.EdgeMarker {
		d.Entries = append(d.Entries, Entry{Kind: "change", What: "setting", Name: "bgp.edge_marker", Loses: true,
			Detail: "the edges match on it: change them first, to take both"})
	}
	d.limits(c.Breaker.Limits, next.Breaker.Limits)
	if !reflect.DeepEqual(c.BMP.Routers, next.BMP.Routers) || c.BMP.Silent != next.BMP.Silent || c.BMP.MaxRoutes != next.BMP.MaxRoutes {
		d.Entries = append(d.Entries, Entry{Kind: "change", What: "setting", Name: "bmp"})
	}
	d.Restart = fixed(c, next)
	return d
}

// limits says that the breaker's differ, and how they would hold back less:
// that waits for two persons.
func (d *Difference) limits(old, next breaker.Limits) {
	if reflect.DeepEqual(old, next) {
		return
	}
	e := Entry{Kind: "change", What: "setting", Name: "breaker", Detail: "tightened, at once"}
	if looser := next.Loosens(old); len(looser) > 0 {
		e.Detail = "what loosens them waits for two persons: " + strings.Join(looser, "; ")
	}
	d.Entries = append(d.Entries, e)
}

func (d *Difference) neighbors(old, next []Neighbor) {
	was, is := byName(old), byName(next)
	for _, n := range old {
		after, stays := is[n.Name]
		switch {
		case !stays:
			d.Entries = append(d.Entries, Entry{Kind: "remove", What: "neighbor", Name: n.Name, Loses: true, Detail: "drain it first: holdfast neighbor drain " + n.Name})
		case !reflect.DeepEqual(n, after):
			d.Entries = append(d.Entries, changed(n, after))
		}
	}
	for _, n := range next {
		if _, had := was[n.Name]; !had {
			d.Entries = append(d.Entries, Entry{Kind: "add", What: "neighbor", Name: n.Name, Detail: n.Address.String()})
		}
	}
}

// changed says which keys differ, and whether the session begins anew.
func changed(a, b Neighbor) Entry {
	e := Entry{Kind: "change", What: "neighbor", Name: a.Name}
	if transport(a) != transport(b) {
		e.What = "session" // it begins anew; its routes stay by graceful restart
	}
	var keys []string
	for _, pair := range [][2]reflect.Value{{reflect.ValueOf(a), reflect.ValueOf(b)}, {reflect.ValueOf(a.Neighbor), reflect.ValueOf(b.Neighbor)}} {
		for i := range pair[0].NumField() {
			if f := pair[0].Type().Field(i); !f.Anonymous && !reflect.DeepEqual(pair[0].Field(i).Interface(), pair[1].Field(i).Interface()) {
				keys = append(keys, f.Name)
			}
		}
	}
	e.Detail = strings.Join(keys, ", ")
	e.Loses = a.NextHop4 != b.NextHop4 || a.NextHop6 != b.NextHop6 || a.ASN != b.ASN || a.Site != b.Site || len(b.Families) < len(a.Families)
	return e
}

// transport is what a session depends on, in words that can be compared.
func transport(n Neighbor) string {
	p := n.Neighbor
	return fmt.Sprint(p.Name, p.Kind, p.Address, p.ASN, p.LocalASN, p.Role, p.Families, p.Receive, n.Port, n.LocalAddress, n.MD5File, n.TTLSecurity, n.Multihop,
		n.Passive, n.StrictRole, n.HoldTime, n.GracefulRestart, n.RestartTime, n.StaleTime, n.MaxPrefixes)
}

func byName(list []Neighbor) map[string]Neighbor {
	out := make(map[string]Neighbor, len(list))
	for _, n := range list {
		out[n.Name] = n
	}
	return out
}

// fixed names what differs and is read at start only.
func fixed(c, next *Config) []string {
	var out []string
	was := *c
	was.Breaker.Limits = next.Breaker.Limits // they are taken over
	a, b := reflect.ValueOf(was), reflect.ValueOf(*next)
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		if name == "File" || name == "BGP" || name == "BMP" || reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			continue
		}
		out = append(out, strings.ToLower(name))
	}
	if c.BGP.ASN != next.BGP.ASN {
		out = append(out, "bgp.asn")
	}
	if c.BGP.RouterID != next.BGP.RouterID {
		out = append(out, "bgp.router_id")
	}
	if !slices.Equal(c.BGP.Listen, next.BGP.Listen) {
		out = append(out, "bgp.listen")
	}
	if !slices.Equal(c.BMP.Listen, next.BMP.Listen) {
		out = append(out, "bmp.listen")
	}
	return out
}

// Digest is the sha256 of a file, in lower-case hex.
func Digest(file string) (string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("configuration: %w", err)
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), nil
}
