package device

import (
	"net/netip"
	"slices"
)

// Dialect names a configuration language.
type Dialect string

// Dialects.
const (
	Junos    Dialect = "junos"
	FRR      Dialect = "frr"
	IOS      Dialect = "ios"
	EOS      Dialect = "eos"
	NXOS     Dialect = "nxos"
	GoBGP    Dialect = "gobgp"
	OpenBGPD Dialect = "openbgpd"
	BIRD     Dialect = "bird"
	IOSXR    Dialect = "iosxr"
	SROS     Dialect = "sros"
)

// Config is what a front end made of one router's configuration.
type Config struct {
	Dialect     Dialect
	Version     string // software version when the file or the caller says
	Hostname    string
	ASN         uint32
	Files       []File
	Sessions    []*Session
	Policies    []*Policy
	Sets        []*Set
	Originated  []OriginatedPrefix // network statements, aggregates: our own space
	Statements  []Statement
	Diagnostics []Diagnostic
	Defaults    Defaults
	Broken      bool // the device would not load this: every verdict is Undecided
	Incomplete  bool // an include is missing: what is absent proves nothing
}

// Defaults is what the dialect does with a route that no policy decides, for
// policies that are judged outside of a session. Undecided when it depends on
// the session.
type Defaults struct {
	Import      Verdict
	ExportBGP   Verdict // routes learned over BGP
	ExportOther Verdict
}

// For picks the default of a direction and protocol.
func (d Defaults) For(imported bool, p Protocol) Verdict {
	switch {
	case imported:
		return d.Import
	case p == EBGP || p == IBGP:
		return d.ExportBGP
	}
	return d.ExportOther
}

// File is one source file.
type File struct {
	Path  string
	Lines int
}

// OriginatedPrefix is a prefix the router itself puts into BGP.
type OriginatedPrefix struct {
	At
	Prefix netip.Prefix
	Source Protocol
}

// StatementState is how well a line was understood. The zero value is Unread.
type StatementState uint8

// States of a statement, worst first.
const (
	Unread       StatementState = iota // not recognised at all
	Unmodelled                         // known, has a meaning here, not modelled
	Partly                             // modelled in part
	IgnoredKnown                       // known, has no bearing on what is advertised
	Modelled                           // fully modelled
)

// String writes the words used in reports.
func (s StatementState) String() string {
	return [...]string{"unknown", "known and not modelled", "partly", "known and ignored", "fully"}[s]
}

// Statement is one line or block of the source with its state.
type Statement struct {
	At
	State    StatementState
	Policy   bool // bears on what is advertised
	Inactive bool
	Text     string // the keyword or key path
	Why      string
}

// Severity of a diagnostic.
type Severity uint8

// Severities. Error is the zero value.
const (
	Error Severity = iota
	Warning
	Info
)

// String writes error, warning or info.
func (s Severity) String() string { return [...]string{"error", "warning", "info"}[s] }

// Diagnostic is something a front end noticed that needs no evaluation: an
// undefined list, an empty set, a file that does not load. Rule is the stable
// id of linter rules (RL205).
type Diagnostic struct {
	At
	Rule     string
	Severity Severity
	Message  string // what, and what the dialect makes of it
	Fix      string
	Policy   string
	Term     string
	Session  string
	Set      string
}

// SetKind is the kind of a named set.
type SetKind string

// Kinds of named set.
const (
	PrefixSetKind    SetKind = "prefix-set"
	NeighborSetKind  SetKind = "neighbor-set"
	ASPathSetKind    SetKind = "as-path-set"
	CommunitySetKind SetKind = "community-set"
	ExtSetKind       SetKind = "ext-community-set"
	LargeSetKind     SetKind = "large-community-set"
	AccessListKind   SetKind = "access-list"
	ASSetKind        SetKind = "as-set"
	ROASetKind       SetKind = "roa-set"
	ConditionKind    SetKind = "condition"
)

// Set is a named set as defined. Prefixes is set for prefix lists so that rules
// can look inside; Len counts its entries.
type Set struct {
	At
	End      Pos
	Kind     SetKind
	Name     string
	Len      int
	Prefixes *PrefixSet
	X        Expr // the plain condition, nil where the dialect combines it per use
	Used     int  // number of references
	Inactive bool
}

// Policy returns the policy with the name, nil when there is none.
func (c *Config) Policy(name string) *Policy {
	for _, p := range c.Policies {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// Set returns the set of the kind and name, nil when there is none.
func (c *Config) Set(kind SetKind, name string) *Set {
	for _, s := range c.Sets {
		if s.Kind == kind && s.Name == name {
			return s
		}
	}
	return nil
}

// SessionsFor returns the sessions with a neighbor, found by address, by name
// or by description, that carry the family.
func (c *Config) SessionsFor(neighbor string, f Family) []*Session {
	addr, err := netip.ParseAddr(neighbor)
	var out []*Session
	for _, s := range c.Sessions {
		byAddr := err == nil && (s.Neighbor == addr || s.Range.IsValid() && s.Range.Contains(addr))
		if (byAddr || s.Name == neighbor) && (f == AnyFamily || s.Carries(f)) {
			out = append(out, s)
		}
	}
	return out
}

// Understood counts the lines that bear on policy and how many of them are at
// least partly modelled or known to be without effect.
func (c *Config) Understood() (understood, relevant int) {
	for _, s := range c.Statements {
		if !s.Policy {
			continue
		}
		relevant++
		if s.State >= Partly {
			understood++
		}
	}
	return understood, relevant
}

// SortDiagnostics orders by place, then rule.
func (c *Config) SortDiagnostics() {
	slices.SortStableFunc(c.Diagnostics, func(a, b Diagnostic) int {
		switch {
		case a.Pos.File != b.Pos.File:
			if a.Pos.File < b.Pos.File {
				return -1
			}
			return 1
		case a.Pos.Line != b.Pos.Line:
			return a.Pos.Line - b.Pos.Line
		case a.Pos.Col != b.Pos.Col:
			return a.Pos.Col - b.Pos.Col
		case a.Rule < b.Rule:
			return -1
		case a.Rule > b.Rule:
			return 1
		}
		return 0
	})
}
