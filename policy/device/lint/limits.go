package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// limitsOut are the dialects that can limit what is advertised.
var limitsOut = []device.Dialect{device.FRR, device.OpenBGPD}

// limits reports what nothing bounds (RL409), and how much of the
// configuration the analysis did not understand (RL901). Both are said once for
// a configuration.
func (a *analysis) limits() {
	var out, inside []*device.Session
	for _, s := range a.cfg.Sessions {
		switch {
		case s.Inactive || !s.Carries(device.IPv4) && !s.Carries(device.IPv6):
		case a.d.external(s) && s.Facts.MaxPrefixOut == 0 && slices.Contains(limitsOut, a.cfg.Dialect):
			out = append(out, s)
		case s.Kind == device.InternalSession && s.Facts.MaxPrefix == 0 && a.cfg.Dialect != device.EOS: // EOS has a limit of its own
			inside = append(inside, s)
		}
	}
	a.unlimited(out, "nothing limits how many prefixes are advertised to", "set a limit (maximum-prefix-out, max-prefix N out) a little above what is announced today")
	a.unlimited(inside, "nothing limits how many prefixes come in over the internal session with", "set a maximum-prefix on internal sessions too")
	a.unsupported()
}

func (a *analysis) unlimited(ss []*device.Session, what, fix string) {
	if len(ss) == 0 {
		return
	}
	var names []string
	for _, s := range ss[:min(len(ss), 5)] {
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	text := strings.Join(names, ", ")
	if len(ss) > 5 {
		text += fmt.Sprintf(" and %d more", len(ss)-5)
	}
	f := Finding{Rule: "RL409", Severity: device.Info, Pos: ss[0].Pos, Set: what, Message: what + " " + text, Fix: fix}
	for _, s := range ss[1:] {
		f.Related = append(f.Related, Related{s.Pos, s.Name})
	}
	a.add(f)
}

// maxPlaces bounds the list of places of one finding (SARIF readers show 100).
const maxPlaces = 100

func (a *analysis) unsupported() {
	var places []Related
	relevant := 0
	for _, s := range a.cfg.Statements {
		if !s.Policy || s.Inactive {
			continue
		}
		relevant++
		if s.State <= device.Unmodelled {
			text := s.Text
			if s.Why != "" {
				text += ": " + s.Why
			}
			places = append(places, Related{s.Pos, text})
		}
	}
	if len(places) == 0 {
		return
	}
	n := len(places)
	a.add(Finding{
		Rule: "RL901", Severity: device.Warning, Pos: places[0].Pos, Related: places[:min(n, maxPlaces)],
		Message: fmt.Sprintf("%d of %d lines that bear on policy are not modelled, the first is %q; what depends on them is reported as unknown", n, relevant, places[0].Message),
		Fix:     "see RL108 for whether a verdict depends on one of them",
	})
}
