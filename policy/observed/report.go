package observed

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what a run over one or more files found.
type Report struct {
	Program string // version of it
	Files   []string
	Used    []string // what was judged with, for people
	Tally   *Tally
	Broken  []string // what could not be read, the first of it
	Bad     int      // how much of it there was
	Level   Threshold
	Shown   int // examples per AS in the text, 0 for all that are kept
}

// document is version 1 of the JSON format. Fields may be added.
type document struct {
	Format    int            `json:"format"`
	Program   string         `json:"program"`
	Version   string         `json:"version"`
	Complete  bool           `json:"complete"`
	Files     []string       `json:"files"`
	Judged    int            `json:"routes_judged"`
	Withdrawn int            `json:"withdrawn"`
	Other     int            `json:"other"`
	Below     int            `json:"leakers_below_threshold"`
	Problems  []string       `json:"problems"`
	Bad       int            `json:"problem_count"`
	Leakers   []leakerJSON   `json:"leakers"`
	Findings  []findingJSON  `json:"findings"`
	Used      []string       `json:"judged_with"`
	Rules     map[string]int `json:"rules"`
}

type leakerJSON struct {
	AS       uint32         `json:"as"`
	Routes   int            `json:"routes"`
	Prefixes int            `json:"prefixes"`
	Transit  int            `json:"routes_passed_on"`
	Rules    map[string]int `json:"rules"`
	Types    map[string]int `json:"rfc7908_types"`
}

type findingJSON struct {
	Rule      string   `json:"rule"`
	Also      []string `json:"also,omitempty"`
	Leaker    uint32   `json:"leaker"`
	Suspects  []uint32 `json:"other_suspects,omitempty"`
	Type      int      `json:"rfc7908_type"` // 0 when it cannot be told
	From      uint32   `json:"learned_from,omitempty"`
	FromIs    string   `json:"learned_from_is,omitempty"`
	To        uint32   `json:"sent_to,omitempty"`
	ToIs      string   `json:"sent_to_is,omitempty"`
	Prefix    string   `json:"prefix"`
	Path      string   `json:"as_path"`
	Time      string   `json:"time"`
	Peer      string   `json:"peer,omitempty"`
	PeerAS    uint32   `json:"peer_as,omitempty"`
	Collector string   `json:"collector,omitempty"`
	Message   string   `json:"message"`
}

// JSON writes the report for programs.
func (r *Report) JSON(w io.Writer) error {
	leakers, below := r.Tally.Leakers(r.Level)
	d := document{
		Format: 1, Program: "leaklint", Version: r.Program, Complete: r.Bad == 0, Files: r.Files, Used: orEmpty(r.Used),
		Judged: r.Tally.Routes, Withdrawn: r.Tally.Withdrawn, Other: r.Tally.Other, Below: below,
		Problems: orEmpty(r.Broken), Bad: r.Bad, Leakers: []leakerJSON{}, Findings: []findingJSON{}, Rules: map[string]int{},
	}
	for _, l := range leakers {
		types := map[string]int{}
		for t, n := range l.Leaks {
			types[fmt.Sprint(int(t))] = n
		}
		for rule, n := range l.Rules {
			d.Rules[rule] += n
		}
		d.Leakers = append(d.Leakers, leakerJSON{AS: l.AS, Routes: l.Routes, Prefixes: l.Prefixes(), Transit: l.Transit, Rules: l.Rules, Types: types})
		for i := range l.Examples {
			d.Findings = append(d.Findings, l.Examples[i].json())
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (e *Example) json() findingJSON {
	f := findingJSON{
		Rule: e.Rule, Also: e.Also, Leaker: e.Leaker, Suspects: e.Suspects, Type: int(e.Leak),
		From: e.From, To: e.To, Prefix: e.Prefix.String(), Path: e.Path, Time: e.At.Format(time.RFC3339Nano),
		PeerAS: e.PeerAS, Collector: e.Collector, Message: e.Statement,
	}
	if e.Peer.IsValid() {
		f.Peer = e.Peer.String()
	}
	if e.From != 0 && e.FromIs != Unknown {
		f.FromIs = e.FromIs.String()
	}
	if e.To != 0 && e.ToIs != Unknown {
		f.ToIs = e.ToIs.String()
	}
	return f
}

// Text writes the report for people.
func (r *Report) Text(w io.Writer) error {
	var b strings.Builder
	leakers, below := r.Tally.Leakers(r.Level)
	for _, l := range leakers {
		r.leaker(&b, l)
	}
	for _, problem := range r.Broken {
		fmt.Fprintf(&b, "not read: %s\n", problem)
	}
	if r.Bad > len(r.Broken) {
		fmt.Fprintf(&b, "not read: %d more\n", r.Bad-len(r.Broken))
	}
	fmt.Fprintf(&b, "%d routes judged with %s; %d withdrawals and %d others passed over\n",
		r.Tally.Routes, cmp.Or(strings.Join(r.Used, ", "), "nothing"), r.Tally.Withdrawn, r.Tally.Other)
	fmt.Fprintf(&b, "%d ASes with findings", len(leakers))
	if below > 0 {
		fmt.Fprintf(&b, ", %d more below the threshold", below)
	}
	if r.Tally.Unnamed > 0 {
		fmt.Fprintf(&b, "; %d findings of further ASes were only counted", r.Tally.Unnamed)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) leaker(b *strings.Builder, l *Leaker) {
	name := fmt.Sprintf("AS%d", l.AS)
	if l.AS == 0 {
		name = "no AS named"
	}
	fmt.Fprintf(b, "%s: %d routes, %d prefixes", name, l.Routes, l.Prefixes())
	if l.Transit > 0 {
		fmt.Fprintf(b, ", of %d it passed on", l.Transit)
	}
	for _, t := range slices.Sorted(maps.Keys(l.Leaks)) {
		fmt.Fprintf(b, "; %s: %d", t, l.Leaks[t])
	}
	b.WriteByte('\n')
	for i := range l.Examples {
		if r.Shown > 0 && i == r.Shown {
			fmt.Fprintf(b, "  ... and %d more; -o json lists up to %d\n", l.Routes-i, maxExamples)
			break
		}
		e := &l.Examples[i]
		fmt.Fprintf(b, "  %s %s  path %s", e.Rules(), e.Prefix, e.Path)
		if e.Peer.IsValid() {
			fmt.Fprintf(b, "  seen by %s AS%d", e.Peer, e.PeerAS)
		}
		if e.Collector != "" {
			fmt.Fprintf(b, " at %s", e.Collector)
		}
		fmt.Fprintf(b, " %s\n    %s\n", e.At.Format(time.RFC3339), e.Statement)
		if len(e.Suspects) > 0 {
			fmt.Fprintf(b, "    or it was %s\n", asns(e.Suspects))
		}
	}
}

func asns(list []uint32) string {
	var out []string
	for _, n := range list {
		out = append(out, fmt.Sprintf("AS%d", n))
	}
	return strings.Join(out, " or ")
}

// Failing counts the routes of the ASes that reach the threshold and broke a
// rule that fails.
func (r *Report) Failing(fails func(rule string) bool) int {
	leakers, _ := r.Tally.Leakers(r.Level)
	n := 0
	for _, l := range leakers {
		for rule := range l.Rules {
			if fails(rule) {
				n += l.Routes
				break
			}
		}
	}
	return n
}
