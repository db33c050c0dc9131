package device

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// CommunityKind tells the three community attributes apart.
type CommunityKind uint8

// Kinds of community.
const (
	Standard CommunityKind = iota // RFC 1997
	Extended                      // RFC 4360
	Large                         // RFC 8092
)

// String writes standard, extended or large.
func (k CommunityKind) String() string { return [...]string{"standard", "extended", "large"}[k] }

// Field is the route attribute that holds this kind.
func (k CommunityKind) Field() Field {
	return [...]Field{CommunityField, ExtCommunityField, LargeCommunityField}[k]
}

// Community is one value in canonical text: "65000:1" (standard, also for
// well-known names), "1:2:3" (large), "rt:65000:1", "soo:65000:1" or
// "0x0043:…" (extended).
type Community struct {
	Kind CommunityKind
	Text string
}

// String is the canonical text.
func (c Community) String() string { return c.Text }

// Well-known standard communities by the names dialects use for them
// (RFC 1997, RFC 3765, RFC 7999, RFC 8326, RFC 7611, RFC 9494).
var wellKnown = map[string]uint32{
	"graceful-shutdown": 0xFFFF0000, "gshut": 0xFFFF0000, "accept-own": 0xFFFF0001,
	"llgr-stale": 0xFFFF0006, "no-llgr": 0xFFFF0007, "blackhole": 0xFFFF029A,
	"no-export": 0xFFFFFF01, "no-advertise": 0xFFFFFF02,
	"no-export-subconfed": 0xFFFFFF03, "local-as": 0xFFFFFF03, "no-peer": 0xFFFFFF04,
	"internet": 0x00000000,
}

// Communities that end or narrow propagation (RFC 1997).
var (
	NoExport          = Community{Standard, "65535:65281"}
	NoAdvertise       = Community{Standard, "65535:65282"}
	NoExportSubconfed = Community{Standard, "65535:65283"}
)

// StandardCommunity writes the canonical form of a 32-bit value.
func StandardCommunity(v uint32) Community {
	return Community{Standard, strconv.FormatUint(uint64(v>>16), 10) + ":" + strconv.FormatUint(uint64(v&0xffff), 10)}
}

// ParseCommunity reads one value of the kind: "ASN:value", a 32-bit number or
// a well-known name; "a:b:c" for large; extended text is kept in lower case.
func ParseCommunity(kind CommunityKind, s string) (Community, error) {
	s = strings.TrimSpace(s)
	switch kind {
	case Extended:
		if s == "" {
			return Community{}, fmt.Errorf("extended community %q: empty", s)
		}
		return Community{Extended, strings.ToLower(s)}, nil
	case Large:
		parts := strings.Split(s, ":")
		if len(parts) != 3 {
			return Community{}, fmt.Errorf("large community %q: want ASN:value:value", s)
		}
		for i, p := range parts {
			v, err := strconv.ParseUint(p, 10, 32)
			if err != nil {
				return Community{}, fmt.Errorf("large community %q: part %d is not a 32-bit number", s, i+1)
			}
			parts[i] = strconv.FormatUint(v, 10)
		}
		return Community{Large, strings.Join(parts, ":")}, nil
	}
	if v, ok := wellKnown[strings.ReplaceAll(strings.ToLower(s), "_", "-")]; ok {
		return StandardCommunity(v), nil
	}
	if v, err := strconv.ParseUint(s, 10, 32); err == nil {
		return StandardCommunity(uint32(v)), nil
	}
	high, low, found := strings.Cut(s, ":")
	h, err1 := strconv.ParseUint(high, 10, 16)
	l, err2 := strconv.ParseUint(low, 10, 16)
	if !found || err1 != nil || err2 != nil {
		return Community{}, fmt.Errorf("community %q: want ASN:value with both 0 to 65535, or a well-known name", s)
	}
	return StandardCommunity(uint32(h<<16 | l)), nil
}

// CommunityPattern matches values of one kind. It is a literal, or a regular
// expression over the canonical text of one value, or (Whole) over all values
// of the attribute in numeric order, joined by single spaces.
type CommunityPattern struct {
	At
	Kind    CommunityKind
	Source  string // as written
	Literal string // canonical text, when exactly one value matches
	Regex   string // RE2 syntax, anchored only where it says so
	Whole   bool   // the regular expression runs over the whole attribute
	Keep    bool   // in a delete list: a value that matches this first is kept

	re *regexp.Regexp
}

// LiteralPattern matches one value.
func LiteralPattern(c Community, source string, pos Pos) CommunityPattern {
	return CommunityPattern{At: At{pos}, Kind: c.Kind, Source: source, Literal: c.Text}
}

// RegexPattern compiles a regular expression in RE2 syntax. Whole runs it over
// the whole attribute, as FRR and IOS expanded lists do.
func RegexPattern(kind CommunityKind, re, source string, whole bool, pos Pos) (CommunityPattern, error) {
	compiled, err := regexp.Compile(re)
	if err != nil {
		return CommunityPattern{}, fmt.Errorf("%s community regex %q: %w", kind, source, err)
	}
	return CommunityPattern{At: At{pos}, Kind: kind, Source: source, Regex: re, Whole: whole, re: compiled}, nil
}

// MatchOne reports whether the pattern matches one value. A Whole pattern is
// asked as if the attribute held only this value.
func (p *CommunityPattern) MatchOne(c Community) bool {
	if c.Kind != p.Kind {
		return false
	}
	if p.re == nil {
		return p.Literal != "" && p.Literal == c.Text
	}
	return p.re.MatchString(c.Text)
}

// MatchAny reports whether the pattern matches a route that carries these
// values (of any kind; others are ignored).
func (p *CommunityPattern) MatchAny(cs []Community) bool {
	if p.Whole && p.re != nil {
		return p.re.MatchString(WholeText(p.Kind, cs))
	}
	return slices.ContainsFunc(cs, p.MatchOne)
}

// WholeText is the attribute as one string: the values of the kind in numeric
// order, joined by single spaces. Empty when there are none.
func WholeText(kind CommunityKind, cs []Community) string {
	var own []Community
	for _, c := range cs {
		if c.Kind == kind {
			own = append(own, c)
		}
	}
	slices.SortFunc(own, compareCommunity)
	texts := make([]string, len(own))
	for i, c := range own {
		texts[i] = c.Text
	}
	return strings.Join(texts, " ")
}

// SortCommunities orders by kind, then numerically, and drops duplicates.
func SortCommunities(cs []Community) []Community {
	out := slices.Clone(cs)
	slices.SortFunc(out, compareCommunity)
	return slices.Compact(out)
}

func compareCommunity(a, b Community) int {
	if a.Kind != b.Kind {
		return int(a.Kind) - int(b.Kind)
	}
	as, bs := strings.Split(a.Text, ":"), strings.Split(b.Text, ":")
	for i := 0; i < len(as) && i < len(bs); i++ {
		x, err1 := strconv.ParseUint(as[i], 10, 64)
		y, err2 := strconv.ParseUint(bs[i], 10, 64)
		switch {
		case err1 != nil || err2 != nil:
			if c := strings.Compare(as[i], bs[i]); c != 0 {
				return c
			}
		case x < y:
			return -1
		case x > y:
			return 1
		}
	}
	return len(as) - len(bs)
}
