package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// Rules of the output: the answer goes to stdout, everything said about it to
// stderr; json and yaml are the daemon's documents as they are (a contract),
// a table is for people and may change.

// table renders one kind of answer for people.
type table func(w *tabwriter.Writer) error

// show prints an answer the way -o asks. decoded is filled from the answer
// before the table is drawn.
func show(c *cli.Context, a answer, decoded any, t table) error {
	if a.err != nil {
		return a.err
	}
	switch c.String("output") {
	case "json":
		return showJSON(c.App.Writer, a.body)
	case "yaml":
		out, err := yaml.JSONToYAML(a.body)
		if err != nil {
			return fmt.Errorf("the daemon's answer cannot be read: %w", err)
		}
		_, err = c.App.Writer.Write(out)
		return err
	}
	if err := a.into(decoded); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 8, 2, ' ', 0)
	if err := t(w); err != nil {
		return err
	}
	return w.Flush()
}

// checkOutput refuses an unknown -o before anything is sent.
func checkOutput(c *cli.Context) error {
	switch o := c.String("output"); o {
	case "table", "json", "yaml":
		return nil
	default:
		return strictcli.Usage("-o %q: use table, json or yaml", o)
	}
}

func showJSON(w io.Writer, body []byte) error {
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(body), "", "  "); err != nil {
		return fmt.Errorf("the daemon's answer cannot be read: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

// row writes one line of a table.
func row(w *tabwriter.Writer, cells ...any) {
	text := make([]string, len(cells))
	for i, c := range cells {
		text[i] = fmt.Sprint(c)
		if text[i] == "" {
			text[i] = "-"
		}
	}
	fmt.Fprintln(w, strings.Join(text, "\t"))
}

// families writes counts per family in a fixed order.
func families(counts map[string]int) string {
	names := make([]string, 0, len(counts))
	for f := range counts {
		names = append(names, f)
	}
	sort.Strings(names)
	for i, f := range names {
		names[i] = fmt.Sprintf("%s %d", f, counts[f])
	}
	return strings.Join(names, ", ")
}

func optional[T any](p *T) string {
	if p == nil {
		return ""
	}
	if t, ok := any(*p).(time.Time); ok {
		return utc(t)
	}
	return fmt.Sprint(*p)
}

// utc writes a time the way every table does; one that never was is empty.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// span writes a number of seconds in the largest unit that divides it.
func span(seconds int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"min", 60}} {
		if seconds >= u.size && seconds%u.size == 0 {
			return fmt.Sprintf("%d %s", seconds/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d s", seconds)
}

// some writes a count, and nothing for none.
func some(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// plural writes a count and its noun.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "x") {
		noun += "e"
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
