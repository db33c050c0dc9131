package frr

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
	"github.com/holdfast-bgp/holdfast/policy/device/aspath"
)

// listName tells lists apart: each kind has names of its own, and so have the
// two address families.
type listName struct {
	kind   device.SetKind
	family device.Family // of prefix lists and access lists
	name   string
}

// list is a named list while it is read.
type list struct {
	listName
	set     *device.Set
	entries []entry
	exact   device.Expr // the list used with exact-match; communities
}

// entry is one line of a list.
type entry struct {
	seq   int
	at    device.At
	deny  bool
	regex bool // an expanded list
	words []string
}

// listLine reads a line that belongs to a list; false when it does not.
func (r *reader) listLine(l *line) bool {
	family, i := device.IPv4, 1
	switch l.at(0) {
	case "ipv6":
		family = device.IPv6
	case "access-list":
		i = 0
	}
	switch word := l.at(i); {
	case word == "prefix-list":
		r.prefixLine(l, family)
	case word == "access-list":
		r.aclLine(l, i+1, family)
	case word == "as-path" && l.at(i+1) == "access-list":
		r.named(l, listName{kind: device.ASPathSetKind, name: l.at(i + 2)}, i+3, true)
	case word == "community-list" || word == "large-community-list" || word == "extcommunity-list":
		r.communityLine(l, i, word)
	default:
		return false
	}
	return true
}

func (r *reader) list(n listName, at device.Pos) *list {
	if ls := r.lists[n]; ls != nil {
		return ls
	}
	ls := &list{listName: n, set: &device.Set{At: device.At{Pos: at}, Kind: n.kind, Name: n.name}}
	r.lists[n] = ls
	r.order = append(r.order, ls)
	r.cfg.Sets = append(r.cfg.Sets, ls.set)
	return ls
}

func (r *reader) prefixLine(l *line, f device.Family) {
	if l.at(2) == "sequence-number" {
		l.file(device.IgnoredKnown, true, "")
		return
	}
	r.named(l, listName{kind: device.PrefixSetKind, family: f, name: l.at(2)}, 3, false)
}

var listKinds = map[string]device.SetKind{
	"community-list": device.CommunitySetKind, "large-community-list": device.LargeSetKind, "extcommunity-list": device.ExtSetKind,
}

// communityLine reads the kind of list, which a word or the number of the list
// says.
func (r *reader) communityLine(l *line, i int, word string) {
	i++
	regex := false
	switch l.at(i) {
	case "standard":
		i++
	case "expanded", "regexp":
		regex, i = true, i+1
	default:
		n, isNumber := number(l.at(i), 32)
		regex = isNumber && n >= 100
	}
	r.named(l, listName{kind: listKinds[word], name: l.at(i)}, i+1, regex)
}

// named reads the entry of a line, and the entries of its block.
func (r *reader) named(l *line, n listName, i int, regex bool) {
	if n.name == "" {
		r.unread(l, "the list has no name")
		return
	}
	if l.no {
		l.file(device.Unmodelled, true, "the removal of a list or of a line of it")
		return
	}
	ls := r.list(n, l.pos)
	ls.set.End = l.end
	l.file(device.Modelled, true, "")
	if len(l.words) > i {
		r.entry(ls, l, i, regex)
	}
	for _, k := range l.kids {
		k.file(device.Modelled, true, "")
		r.entry(ls, k, 0, regex)
	}
}

// entry reads [seq N] permit|deny VALUE.
func (r *reader) entry(ls *list, l *line, i int, regex bool) {
	e := entry{at: device.At{Pos: l.pos}, regex: regex}
	switch l.at(i) {
	case "description", "remark", "statistics", "counters", "exit":
		l.file(device.IgnoredKnown, true, "")
		return
	case "seq", "sequence":
		i++
	}
	if n, ok := number(l.at(i), 32); ok {
		e.seq, i = int(n), i+1
	}
	if l.at(i) == "remark" {
		l.file(device.IgnoredKnown, true, "")
		return
	}
	switch l.at(i) {
	case "permit":
	case "deny":
		e.deny = true
	default:
		r.unread(l, "want permit or deny")
		return
	}
	e.words = l.rest(i + 1)
	if len(e.words) == 0 {
		r.unread(l, "permit or deny of nothing")
		return
	}
	if why := check(ls, &e); why != "" {
		r.unread(l, why)
		if r.t.dropsLines {
			return
		}
	}
	if e.seq == 0 {
		e.seq = 5
		if n := len(ls.entries); n > 0 {
			e.seq = ls.entries[n-1].seq + 5
		}
	}
	at, found := slices.BinarySearchFunc(ls.entries, e.seq, func(have entry, seq int) int { return have.seq - seq })
	if found && l.at(i-1) != "" && ls.kind != device.AccessListKind {
		ls.entries[at] = e // the same sequence number: the later line holds
		return
	}
	if found {
		at++
	}
	ls.entries = slices.Insert(ls.entries, at, e)
}

// check reports why an entry cannot be read, "" when it can.
func check(ls *list, e *entry) string {
	switch ls.kind {
	case device.PrefixSetKind:
		_, err := prefixRange(e.words, ls.family)
		return because(err)
	case device.ASPathSetKind:
		_, err := aspath.Compile(pathRegex(e.words), aspath.POSIX)
		if err != nil && !strings.Contains(err.Error(), "too large") {
			return because(err)
		}
	case device.CommunitySetKind, device.LargeSetKind:
		_, err := communityPatterns(kindOf[ls.kind], e, false)
		return because(err)
	}
	return ""
}

func because(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}

// finishLists gives every list its condition.
func (r *reader) finishLists() {
	for _, ls := range r.order {
		s := ls.set
		s.Len = len(ls.entries)
		switch ls.kind {
		case device.PrefixSetKind:
			r.finishPrefixes(ls)
		case device.AccessListKind:
			s.X = accessList(ls)
		case device.ASPathSetKind:
			s.X = r.cases(ls, func(e *entry) device.Expr { return r.pathExpr(e) })
		default:
			s.X = r.cases(ls, func(e *entry) device.Expr { return communityExpr(ls, e, false) })
			ls.exact = r.cases(ls, func(e *entry) device.Expr { return communityExpr(ls, e, true) })
		}
	}
}

func (r *reader) cases(ls *list, x func(*entry) device.Expr) device.Expr {
	c := &device.Cases{At: ls.set.At}
	for i := range ls.entries {
		e := &ls.entries[i]
		c.Arms = append(c.Arms, device.Arm{At: e.at, X: x(e), Value: !e.deny})
	}
	return c
}

func (r *reader) finishPrefixes(ls *list) {
	set := &device.PrefixSet{At: ls.set.At, Name: ls.name}
	for _, e := range ls.entries {
		rng, err := prefixRange(e.words, ls.family)
		if err != nil {
			ls.set.X = &device.Unknown{At: e.at, Text: strings.Join(e.words, " "), Why: err.Error()}
			return
		}
		set.Entries = append(set.Entries, device.PrefixEntry{At: e.at, Range: rng, Deny: e.deny})
	}
	ls.set.Prefixes, ls.set.X = set, &device.PrefixMatch{At: ls.set.At, Set: set}
}

// prefixRange reads "any", or a prefix with "ge" and "le".
func prefixRange(ws []string, f device.Family) (device.PrefixRange, error) {
	if ws[0] == "any" {
		all := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if f == device.IPv6 {
			all = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		return device.PrefixRange{Net: all, Max: all.Addr().BitLen()}, nil
	}
	p, err := netip.ParsePrefix(ws[0])
	if err != nil || device.FamilyOf(p) != f {
		return device.PrefixRange{}, fmt.Errorf("%q is not a prefix of family %s", ws[0], f)
	}
	r := device.Exact(p)
	for i := 1; i < len(ws); i += 2 {
		n, ok := uint32(0), false
		if i+1 < len(ws) {
			n, ok = number(ws[i+1], 8)
		}
		if !ok || int(n) > p.Addr().BitLen() {
			return r, fmt.Errorf("%q: want a length", strings.Join(ws[i:], " "))
		}
		switch ws[i] {
		case "ge":
			r.Min = int(n)
			if r.Max < r.Min || len(ws) == 3 {
				r.Max = p.Addr().BitLen()
			}
		case "le":
			r.Max = int(n)
		case "eq":
			r.Min, r.Max = int(n), int(n)
		default:
			return r, fmt.Errorf("%q is not modelled", ws[i])
		}
	}
	if r.Min < p.Bits() || r.Max < r.Min {
		return r, fmt.Errorf("lengths %d to %d are not those of a prefix in %s", r.Min, r.Max, p)
	}
	return r, nil
}

// pathRegex joins the words of an expression; EOS writes the origin behind it.
func pathRegex(ws []string) string {
	if n := len(ws); n > 1 && (ws[n-1] == "any" || ws[n-1] == "igp" || ws[n-1] == "egp" || ws[n-1] == "incomplete") {
		ws = ws[:n-1]
	}
	return strings.Join(ws, " ")
}

func (r *reader) pathExpr(e *entry) device.Expr {
	text := pathRegex(e.words)
	p, err := aspath.Compile(text, aspath.POSIX)
	if err != nil {
		return &device.Unknown{At: e.at, Text: text, Why: err.Error()}
	}
	if r.t.dialect == device.EOS && p.MatchesSubstrings() {
		return &device.Unknown{At: e.at, Text: text, Why: "whether EOS looks for whole ASNs or for text depends on ip as-path regex-mode"}
	}
	return &device.ASPathMatch{At: e.at, Pattern: p}
}

// use refers to a list from a route map or a neighbor.
func (r *reader) use(n listName, at device.Pos, exact bool) *device.Ref {
	ref := &device.Ref{At: device.At{Pos: at}, Kind: n.kind, Name: n.name}
	ls := r.lists[n]
	if ls == nil {
		ref.X = r.undefinedList(n, at)
		return ref
	}
	ls.set.Used++
	ref.Set, ref.X = ls.set, ls.set.X
	if exact && ls.exact != nil {
		ref.X = ls.exact
	}
	return ref
}

// asked is what a list means where FRR asks the list itself: one without entries
// permits everything there. Where a route map matches the prefix of a route FRR
// looks entries up instead and finds none.
func (r *reader) asked(ref *device.Ref) *device.Ref {
	if r.t.dialect == device.FRR && ref.Kind == device.PrefixSetKind && ref.Set != nil && ref.Set.Len == 0 {
		ref.X = &device.Const{At: ref.At, Value: true, Why: "a prefix list without entries permits everything here"}
	}
	return ref
}

func (r *reader) undefinedList(n listName, at device.Pos) device.Expr {
	what := fmt.Sprintf("%s %q is not defined", n.kind, n.name)
	switch r.t.undefined[n.kind] {
	case matchesAll:
		return &device.Const{At: device.At{Pos: at}, Value: true, Why: what + " and matches every route"}
	case matchesNothing:
		return &device.Const{At: device.At{Pos: at}, Why: what + " and matches nothing"}
	}
	return &device.Unknown{At: device.At{Pos: at}, Text: n.name, Why: what + ", and what the device makes of it is not confirmed"}
}
