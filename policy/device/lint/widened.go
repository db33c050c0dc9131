package lint

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
	"github.com/holdfast-bgp/holdfast/policy/symbolic"
)

// widened: RL802, an external session advertises routes after the change that
// it did not advertise before. Where a leak is proved on the session, the leak
// says so; sessions that share their policies are one finding.
func (c *comparison) widened() {
	after := c.d.analysis(c.new)
	imports := c.importsChanged(after)
	done := map[string]bool{}
	for _, s := range c.new.Sessions {
		was := c.sessionBefore(s)
		if was == nil || !c.d.external(s) || !s.Carries(device.IPv4) && !s.Carries(device.IPv6) {
			continue
		}
		if !imports && sameMeaning(&was.Export, &s.Export) {
			continue
		}
		key := strings.Join(s.Export.Named(), ",") + "|" + strings.Join(was.Export.Named(), ",") + "|" + c.d.judged(s).String()
		if done[key] {
			continue
		}
		done[key] = c.widenedAt(after, s, was)
	}
}

// sessionBefore finds the session of the base that a session comes from.
func (c *comparison) sessionBefore(s *device.Session) *device.Session {
	i := slices.IndexFunc(c.old.Sessions, func(o *device.Session) bool {
		return o.Name == s.Name && o.Instance == s.Instance && slices.Equal(o.Families, s.Families)
	})
	if i < 0 {
		return nil
	}
	return c.old.Sessions[i]
}

// importsChanged reports whether what is learned differs, which may widen every
// export.
func (c *comparison) importsChanged(after *analysis) bool {
	for _, src := range after.sources() {
		if src.Session == nil {
			continue
		}
		if was := c.sessionBefore(src.Session); was == nil || !sameMeaning(&was.Import, &src.Session.Import) {
			return true
		}
	}
	return false
}

// widenedAt looks for a route that the session certainly advertises now and
// certainly did not before.
func (c *comparison) widenedAt(after *analysis, s, was *device.Session) bool {
	in := symbolic.Inputs{Sources: after.sources(), Exports: []*device.Session{s, was}, Own: after.own, Prefer: preferredASNs}
	for _, src := range in.Sources {
		var old *device.Session
		if src.Session != nil {
			if old = c.sessionBefore(src.Session); old == nil {
				old = src.Session // a new neighbor: what it may send is not the session's doing
			}
		}
		in.Before = append(in.Before, old)
	}
	u, err := symbolic.New(in)
	if err != nil {
		return false // RL903 is said where leaks are looked for
	}
	now, err1 := u.Export(s)
	then, err2 := u.ExportBefore(was)
	if err1 != nil || err2 != nil {
		return false
	}
	more := u.Diff(u.And(now.Must, carried(u, s)), then.May)
	prefer := u.From(func(_ int, src symbolic.Source) bool { return src.Session != s })
	w, ok := u.Witness(more, prefer, u.Prefix(preferredPrefixes[0]), u.Prefix(preferredPrefixes[3]))
	if !ok {
		return false
	}
	replayed := after.replay(in.Sources[w.Source], s, w.Route)
	if replayed.verdict != device.Accept {
		return false
	}
	c.reportWidened(after, u, s, now, w, replayed)
	return true
}

func (c *comparison) reportWidened(a *analysis, u *symbolic.Universe, s *device.Session, now *symbolic.Decision, w symbolic.Witness, r replayed) {
	for i := range c.res.Findings {
		if leak := &c.res.Findings[i]; leak.Session == s.Name && leak.Witness != nil && !leak.Undecided {
			if !slices.Contains(leak.Also, "RL802") {
				leak.Also = append(leak.Also, "RL802")
			}
			return
		}
	}
	f := a.onSession(s, Finding{Rule: "RL802", Pos: s.Pos, Fix: "check that this route is meant to go out"})
	here := u.Locate(w.Route, w.Source)
	for _, site := range mergeSites(u, now.Sites, judgedStep(s)) {
		if !u.Empty(u.And(site.May, here)) {
			f = a.onSite(s, &site, f)
			break
		}
	}
	if f.Pos.IsZero() {
		f.Pos = s.Pos
	}
	f.Message = fmt.Sprintf("after the change %s, which was not before: %s learned from %s, AS path %v", a.towards(s), w.Route.Prefix, r.From, w.Route.ASPath)
	for _, e := range r.Trace {
		if !e.Pos.IsZero() {
			f.Related = append(f.Related, Related{e.Pos, strings.TrimSpace(e.Policy + " " + e.Term + ": " + e.What)})
		}
	}
	f.Message = "more is advertised " + f.Message
	c.add(f)
}

// sameMeaning compares two values of the model whatever their positions.
func sameMeaning(a, b any) bool {
	seen := map[[2]uintptr]bool{}
	return sameValue(reflect.ValueOf(a), reflect.ValueOf(b), seen)
}

var atType = reflect.TypeFor[device.At]()

func sameValue(a, b reflect.Value, seen map[[2]uintptr]bool) bool {
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	switch a.Kind() {
	case reflect.Pointer:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		if p, ok := a.Interface().(*aspath.Pattern); ok {
			q := b.Interface().(*aspath.Pattern)
			return p.Syntax() == q.Syntax() && p.String() == q.String()
		}
		k := [2]uintptr{a.Pointer(), b.Pointer()}
		if seen[k] {
			return true
		}
		seen[k] = true
		return sameValue(a.Elem(), b.Elem(), seen)
	case reflect.Interface:
		return sameValue(a.Elem(), b.Elem(), seen)
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !sameValue(a.Index(i), b.Index(i), seen) {
				return false
			}
		}
		return true
	case reflect.Struct:
		return sameStruct(a, b, seen)
	case reflect.Map:
		return reflect.DeepEqual(a.Interface(), b.Interface())
	}
	return a.Equal(b)
}

func sameStruct(a, b reflect.Value, seen map[[2]uintptr]bool) bool {
	t := a.Type()
	if t == atType || t == reflect.TypeFor[device.Pos]() {
		return true
	}
	if x, ok := a.Interface().(fmt.Stringer); ok && t.Comparable() {
		return x.String() == b.Interface().(fmt.Stringer).String()
	}
	for i := range t.NumField() {
		if !t.Field(i).IsExported() || t.Field(i).Name == "Used" {
			continue
		}
		if !sameValue(a.Field(i), b.Field(i), seen) {
			return false
		}
	}
	return true
}
