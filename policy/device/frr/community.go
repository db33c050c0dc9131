package frr

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

var kindOf = map[device.SetKind]device.CommunityKind{
	device.CommunitySetKind: device.Standard, device.LargeSetKind: device.Large, device.ExtSetKind: device.Extended,
}

// boundary is what "_" stands for in expanded lists.
const boundary = `(^|[,{}() ]|$)`

// letters would match the names that the daemon writes for well-known values,
// which the model keeps as numbers.
var letters = regexp.MustCompile(`[A-Za-z]`)

// communityPatterns reads the values of a standard entry, or the expression of
// an expanded one. Without single it runs over the whole attribute.
func communityPatterns(kind device.CommunityKind, e *entry, single bool) ([]device.CommunityPattern, error) {
	if e.regex {
		text := strings.Join(e.words, " ")
		p, err := device.RegexPattern(kind, strings.ReplaceAll(text, "_", boundary), text, !single, e.at.Pos)
		if err != nil {
			return nil, err
		}
		return []device.CommunityPattern{p}, nil
	}
	var out []device.CommunityPattern
	for _, w := range e.words {
		c, err := device.ParseCommunity(kind, w)
		if err != nil {
			return nil, err
		}
		out = append(out, device.LiteralPattern(c, w, e.at.Pos))
	}
	return out, nil
}

// extended turns "rt 65000:1 soo 65000:2" into one value per pair.
func extended(ws []string) (out []string) {
	kind := ""
	for _, w := range ws {
		switch w {
		case "rt", "soo", "nt":
			kind = w
			continue
		}
		if kind == "" || !strings.Contains(w, ":") {
			return nil
		}
		out = append(out, kind+":"+w)
	}
	return out
}

// communityExpr is one line of a list: all values of a standard line have to be
// there.
func communityExpr(ls *list, e *entry, exact bool) device.Expr {
	kind := kindOf[ls.kind]
	read := *e
	unknown := func(why string) device.Expr {
		return &device.Unknown{At: e.at, Text: strings.Join(e.words, " "), Why: why}
	}
	if kind == device.Extended {
		if read.words = extended(e.words); read.words == nil || e.regex {
			return unknown("extended communities of this form are not modelled")
		}
	}
	if !e.regex && kind == device.Standard && (e.words[0] == "internet" || e.words[0] == "any") {
		return &device.Const{At: e.at, Value: true, Why: e.words[0] + " matches every route"}
	}
	ps, err := communityPatterns(kind, &read, false)
	if err != nil {
		return unknown(err.Error())
	}
	if e.regex && letters.MatchString(ps[0].Source) {
		return unknown("the expression looks for the name of a well-known community")
	}
	m := &device.CommunityMatch{At: e.at, Kind: kind, Quant: device.AllOf, Patterns: ps}
	if exact && !e.regex {
		m.Quant = device.ExactOf
	}
	return m
}

// deletions are the patterns of a list used to delete: each value is asked
// alone, in the order of the list.
func (r *reader) deletions(ls *list) ([]device.CommunityPattern, error) {
	kind := kindOf[ls.kind]
	var out []device.CommunityPattern
	for i := range ls.entries {
		e := ls.entries[i]
		if kind == device.Extended {
			return nil, fmt.Errorf("deletion of extended communities")
		}
		if !e.regex && len(e.words) > 1 && r.t.dialect != device.FRR {
			return nil, fmt.Errorf("a line of more than one value in a list that deletes")
		}
		if !e.regex && (e.words[0] == "internet" || e.words[0] == "any") {
			e.regex, e.words = true, []string{"."}
		}
		if e.regex && letters.MatchString(strings.Join(e.words, " ")) {
			return nil, fmt.Errorf("the expression looks for the name of a well-known community")
		}
		ps, err := communityPatterns(kind, &e, true)
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			p.Keep = e.deny
			out = append(out, p)
		}
	}
	return out, nil
}
