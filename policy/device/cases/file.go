package cases

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// File is a file of cases. Routes are shared by all cases that bring none of
// their own.
type File struct {
	Routes []Route `json:"routes"`
	Cases  []Case  `json:"cases"`
}

// Case asks what becomes of its routes.
type Case struct {
	ID        string   `json:"id"`
	Lang      string   `json:"lang"`
	Config    string   `json:"config"` // relative to the file of cases
	Policy    string   `json:"policy"`
	Chain     []string `json:"policy_chain"`
	Direction string   `json:"direction"` // export (default) or import
	Neighbor  string   `json:"neighbor"`
	Route     *Route   `json:"route"`
	Routes    []Route  `json:"routes"`
}

// Route is a route as a case writes it.
type Route struct {
	Prefix      netip.Prefix    `json:"prefix"`
	Protocol    string          `json:"protocol"`
	Session     string          `json:"session"`
	ASPath      []uint32        `json:"as_path"`
	Communities []string        `json:"communities"`
	Large       []string        `json:"large_communities"`
	Extended    []string        `json:"ext_communities"`
	MED         *uint32         `json:"med"`
	LocalPref   *uint32         `json:"local_pref"`
	Tag         *uint32         `json:"tag"`
	OTC         *uint32         `json:"otc"`
	NextHop     string          `json:"next_hop"` // an address, or "discard" and the like
	Neighbor    string          `json:"neighbor"`
	Direction   string          `json:"direction"`
	LearnedFrom json.RawMessage `json:"learned_from"`
}

// learned is the object form of learned_from.
type learned struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Neighbor string `json:"neighbor"`
	ASN      uint32 `json:"asn"`
	Session  string `json:"session"`
}

// Decode reads a file of cases. Fields it does not know are ignored: they are
// expectations and provenance.
func Decode(data []byte) (*File, error) {
	f := &File{}
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(f); err != nil {
		return nil, fmt.Errorf("cases: %w", err)
	}
	if len(f.Cases) == 0 {
		return nil, fmt.Errorf("cases: the file has no cases; want {\"routes\":[...],\"cases\":[...]}")
	}
	return f, nil
}

// learnedFrom reads learned_from, which is an object or the name or address of
// a session.
func (r *Route) learnedFrom() (learned, error) {
	var l learned
	raw := bytes.TrimSpace(r.LearnedFrom)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		l.Neighbor, l.Session = r.Neighbor, r.Session
		return l, nil
	case raw[0] == '"':
		if err := json.Unmarshal(raw, &l.Name); err != nil {
			return l, fmt.Errorf("learned_from: %w", err)
		}
		l.Neighbor, l.Session = l.Name, r.Session
		return l, nil
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		return l, fmt.Errorf("learned_from: %w", err)
	}
	return l, nil
}

// route turns the case's form into the model's.
func (r *Route) route() (device.Route, learned, error) {
	l, err := r.learnedFrom()
	if err != nil {
		return device.Route{}, l, err
	}
	if !r.Prefix.IsValid() {
		return device.Route{}, l, fmt.Errorf("route: prefix is missing or invalid")
	}
	out := device.Route{Prefix: r.Prefix, ASPath: r.ASPath}
	if out.Source, err = r.source(l); err != nil {
		return device.Route{}, l, err
	}
	if out.NextHop, err = nextHop(r.NextHop); err != nil {
		return device.Route{}, l, fmt.Errorf("route %s: %w", r.Prefix, err)
	}
	for _, set := range []struct {
		kind device.CommunityKind
		text []string
	}{{device.Standard, r.Communities}, {device.Extended, r.Extended}, {device.Large, r.Large}} {
		for _, t := range set.text {
			if strings.Contains(t, "<") {
				// A placeholder: the case does not say which value it was.
				out.Unknown |= device.FieldSet(set.kind.Field())
				continue
			}
			c, err := community(set.kind, t)
			if err != nil {
				return device.Route{}, l, fmt.Errorf("route %s: %w", r.Prefix, err)
			}
			out.Communities = append(out.Communities, c)
		}
	}
	out.Communities = device.SortCommunities(out.Communities)
	for _, s := range []struct {
		f device.Field
		v *uint32
	}{{device.MED, r.MED}, {device.LocalPref, r.LocalPref}, {device.Tag, r.Tag}, {device.OTC, r.OTC}} {
		if s.v != nil {
			out.Scalars.Set(s.f, *s.v)
		}
	}
	return out, l, nil
}

// nextHop reads an address. A discard next hop is nobody's address, which the
// unspecified one stands for.
func nextHop(text string) (netip.Addr, error) {
	switch text {
	case "":
		return netip.Addr{}, nil
	case "discard", "reject":
		return netip.IPv4Unspecified(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("next_hop %q: want an address or discard", text)
	}
	return a, nil
}

// community reads one value. A list of communities may hold values of other
// kinds, told apart by the word in front as Junos writes it.
func community(kind device.CommunityKind, text string) (device.Community, error) {
	if kind == device.Standard {
		word, value, _ := strings.Cut(text, ":")
		switch word {
		case "large":
			return device.ParseCommunity(device.Large, value)
		case "target", "rt":
			return device.ParseCommunity(device.Extended, "rt:"+value)
		case "origin", "soo":
			return device.ParseCommunity(device.Extended, "soo:"+value)
		}
	}
	return device.ParseCommunity(kind, text)
}

func (r *Route) source(l learned) (device.Source, error) {
	session := l.Session
	if session == "" {
		session = r.Session
	}
	session, _, _ = strings.Cut(session, " ") // "local (redistributed connected)"
	p, err := device.ParseProtocol(r.Protocol, session)
	if err != nil {
		return device.Source{}, fmt.Errorf("route %s: %w", r.Prefix, err)
	}
	src := device.Source{Protocol: p, Name: l.Name, ASN: l.ASN}
	src.Neighbor, _ = netip.ParseAddr(l.Neighbor)
	if src.ASN == 0 && p == device.EBGP && len(r.ASPath) > 0 {
		src.ASN = r.ASPath[0]
	}
	if l.Role != "" && l.Role != "local" {
		if src.Role, err = device.ParseRole(l.Role); err != nil {
			return src, fmt.Errorf("route %s: %w", r.Prefix, err)
		}
	}
	return src, nil
}
