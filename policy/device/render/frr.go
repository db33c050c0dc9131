package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// FRR writes the router's side for FRRouting 8.4 or later.
func FRR(s Side) (string, error) {
	if err := s.check(); err != nil {
		return "", fmt.Errorf("edge configuration for frr: %w", err)
	}
	w := &writer{}
	marker, large := s.marker()
	kind, list := "community", "comm-list"
	if large {
		kind, list = "large-community", "large-comm-list"
	}
	w.line("! %s", s.Title)
	w.line("! From Holdfast nothing is taken but what carries %s inside the prefixes below.", marker)
	w.line("! HOLDFAST-EXPORT is for your sessions with other networks: apply it there, or call it")
	w.line("! from a term of the route map that you have. Nobody else may send the marker: put")
	w.line("! \"set %s HOLDFAST-MARKER delete\" into every permit of your other inbound route maps.", list)
	w.line("bgp %s-list standard HOLDFAST-MARKER permit %s", kind, marker)
	if large {
		w.line("bgp community-list standard HOLDFAST-DRAIN permit 65535:0")
	} else {
		w.line("bgp community-list standard HOLDFAST-DRAIN-MARKED permit %s 65535:0", marker)
	}
	for _, f := range s.families() {
		for i, p := range s.of(f) {
			within := ""
			if upto(p) > p.Bits() {
				within = fmt.Sprintf(" le %d", upto(p))
			}
			w.line("%s prefix-list HOLDFAST-%s seq %d permit %s%s", frrIP(f), listName(f), 5*(i+1), p, within)
		}
	}
	w.line("!")
	s.frrTerms(w, "HOLDFAST-IN", kind, true, "")
	s.frrTerms(w, "HOLDFAST-EXPORT", kind, false, fmt.Sprintf(" set %s HOLDFAST-MARKER delete", list))
	w.line("route-map HOLDFAST-NONE deny 10")
	w.line("!")
	s.frrSessions(w)
	return w.String(), nil
}

// frrTerms writes a route map that permits, family by family, what carries the
// marker inside the list. Its implicit end is a deny; it is written out all the
// same, so that nobody has to know. On the way in, a route that is being drained
// is used last (RFC 8326 section 4.1).
func (s *Side) frrTerms(w *writer, name, kind string, in bool, set string) {
	seq := 10
	term := func(f addressing.Family, drain bool) {
		w.line("route-map %s permit %d", name, seq)
		w.line(" match %s address prefix-list HOLDFAST-%s", frrIP(f), listName(f))
		switch {
		case drain && kind == "community": // one match of a kind: the list of both
			w.line(" match community HOLDFAST-DRAIN-MARKED")
		case drain:
			w.line(" match community HOLDFAST-DRAIN")
			w.line(" match %s HOLDFAST-MARKER", kind)
		default:
			w.line(" match %s HOLDFAST-MARKER", kind)
		}
		if drain {
			w.line(" set local-preference 0")
		}
		if set != "" {
			w.line("%s", set)
		}
		w.line("!")
		seq += 10
	}
	for _, f := range s.families() {
		if in {
			term(f, true)
		}
		term(f, false)
	}
	w.line("route-map %s deny 65535", name)
	w.line("!")
}

func (s *Side) frrSessions(w *writer) {
	w.line("router bgp %d", s.ASN)
	w.line(" bgp graceful-restart stalepath-time 3600")
	w.line(" bgp long-lived-graceful-restart stale-time %d", int(staleTime.Seconds()))
	for _, one := range s.Sessions {
		at := one.Speaker
		w.line(" neighbor %s remote-as %d", at, one.ASN)
		w.line(" neighbor %s description Holdfast", at)
		if one.Local.IsValid() {
			w.line(" neighbor %s update-source %s", at, one.Local)
		}
		if s.external(one) && one.Multihop > 0 {
			w.line(" neighbor %s ebgp-multihop %d", at, one.Multihop)
		}
		if hold := int(one.HoldTime.Seconds()); hold > 0 {
			w.line(" neighbor %s timers %d %d", at, hold/3, hold)
		}
		if one.MD5 {
			w.line(" ! neighbor %s password THE-SHARED-KEY", at)
		}
		w.line(" neighbor %s graceful-restart-helper", at)
	}
	w.line(" !")
	for _, f := range addressing.Families() {
		w.line(" address-family %s unicast", frrFamily(f))
		for _, one := range s.Sessions {
			at := one.Speaker
			if !slices.Contains(one.Families, f) {
				w.line("  no neighbor %s activate", at)
				continue
			}
			w.line("  neighbor %s activate", at)
			if s.Reflector && !s.external(one) {
				w.line("  neighbor %s route-reflector-client", at)
			}
			w.line("  neighbor %s soft-reconfiguration inbound", at)
			w.line("  neighbor %s maximum-prefix %d 80", at, s.maxPrefix(f))
			w.line("  neighbor %s route-map HOLDFAST-IN in", at)
			w.line("  neighbor %s route-map HOLDFAST-NONE out", at)
		}
		w.line(" exit-address-family")
		w.line(" !")
	}
	w.line("exit")
}

func frrIP(f addressing.Family) string {
	if f == addressing.IPv6 {
		return "ipv6"
	}
	return "ip"
}

func frrFamily(f addressing.Family) string {
	if f == addressing.IPv6 {
		return "ipv6"
	}
	return "ipv4"
}

func listName(f addressing.Family) string {
	if f == addressing.IPv6 {
		return "V6"
	}
	return "V4"
}

// writer collects lines.
type writer struct{ strings.Builder }

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }
