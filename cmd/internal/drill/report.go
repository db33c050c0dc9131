package drill

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Report is what a drill measured.
type Report struct {
	Drill   string    `json:"drill"`
	Title   string    `json:"title"`
	Version string    `json:"version,omitempty"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"` // the run took
	Small   bool      `json:"small,omitempty"`
	Passed  bool      `json:"passed"`
	Bars    []Bar     `json:"bars"`
	Tables  []Table   `json:"tables"`
	Notes   []string  `json:"notes,omitempty"`
}

// Bar is one demand and what was measured.
type Bar struct {
	Name string `json:"name"`
	Want string `json:"want"`
	Got  string `json:"got"`
	Met  bool   `json:"met"`
}

// Table is measurements for people; the first column names a row.
type Table struct {
	Title   string     `json:"title"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Add puts a row of anything into the table.
func (t *Table) Add(cells ...any) {
	row := make([]string, len(cells))
	for i, c := range cells {
		row[i] = fmt.Sprint(c)
	}
	t.Rows = append(t.Rows, row)
}

// AtMost demands a number no higher than a limit.
func (r *Report) AtMost(name string, got, limit int) {
	r.Bars = append(r.Bars, Bar{name, fmt.Sprintf("at most %d", limit), fmt.Sprint(got), got <= limit})
}

// AtLeast demands a number no lower than a limit.
func (r *Report) AtLeast(name string, got, limit int) {
	r.Bars = append(r.Bars, Bar{name, fmt.Sprintf("at least %d", limit), fmt.Sprint(got), got >= limit})
}

// Exactly demands a number.
func (r *Report) Exactly(name string, got, want int) {
	r.Bars = append(r.Bars, Bar{name, fmt.Sprint(want), fmt.Sprint(got), got == want})
}

// Within demands a duration; drills run alone, so that it may be judged here.
func (r *Report) Within(name string, got, limit time.Duration) {
	r.Bars = append(r.Bars, Bar{name, "within " + limit.String(), got.Round(time.Millisecond).String(), got <= limit})
}

// Percentile of durations, p in percent; zero of none.
func Percentile(of []time.Duration, p int) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[min(len(sorted)-1, (len(sorted)*p+99)/100-1)]
}

// finish settles whether everything was met.
func (r *Report) finish() {
	r.Passed = len(r.Bars) > 0 && !slices.ContainsFunc(r.Bars, func(b Bar) bool { return !b.Met })
}

// Markdown is the report for people.
func (r *Report) Markdown() string {
	var b strings.Builder
	verdict := "every bar was met"
	if !r.Passed {
		verdict = "NOT every bar was met"
	}
	fmt.Fprintf(&b, "# Drill %s: %s\n\n%s, %.1f s, %s: %s.\n", r.Drill, r.Title, r.At.UTC().Format(time.RFC3339), r.Seconds, r.Version, verdict)
	bars := Table{Title: "Bars", Columns: []string{"bar", "want", "got", "met"}}
	for _, x := range r.Bars {
		met := "yes"
		if !x.Met {
			met = "**no**"
		}
		bars.Add(x.Name, x.Want, x.Got, met)
	}
	for _, t := range append([]Table{bars}, r.Tables...) {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n|%s\n", t.Title, strings.Join(t.Columns, " | "), strings.Repeat(" --- |", len(t.Columns)))
		for _, row := range t.Rows {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(row, " | "))
		}
	}
	for i, n := range r.Notes {
		if i == 0 {
			b.WriteString("\n## Notes\n\n")
		}
		fmt.Fprintf(&b, "- %s\n", n)
	}
	return b.String()
}

// Write puts the report into a directory, as JSON and as Markdown, and returns
// the two files.
func (r *Report) Write(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("drill report: %w", err)
	}
	raw, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("drill report: %w", err)
	}
	name := filepath.Join(dir, fmt.Sprintf("drill-%s-%s", r.Drill, r.At.UTC().Format("2006-01-02T150405Z")))
	files := []string{name + ".json", name + ".md"}
	for i, text := range [][]byte{append(raw, '\n'), []byte(r.Markdown())} {
		if err := os.WriteFile(files[i], text, 0o644); err != nil {
			return nil, fmt.Errorf("drill report: %w", err)
		}
	}
	return files, nil
}
