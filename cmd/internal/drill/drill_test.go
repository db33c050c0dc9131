package drill

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// D1 at a tenth of the size: the legacy run reproduces the outage, each layer
// alone stops it at the neighbor, and so does the breaker as it is delivered.
// `holdfast drill run D1` measures all of it at its full size.
func TestDrillD1(t *testing.T) {
	t.Parallel()
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	d := &d1{o: Options{Dir: t.TempDir(), Small: true}, rows: rows, report: &Report{}}
	for _, r := range rows {
		if r.Kind == "customer" {
			d.customers++
		}
	}
	if err := d.legacy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, l := range layers() {
		by := operator
		if l.name == "breaker W1" {
			by = cleanup
		}
		a, lost, err := d.run(t.Context(), l, hurried(by))
		if err != nil {
			t.Fatal(err)
		}
		if a.asked == 0 {
			t.Errorf("%s: nothing was asked for", l.name)
		}
		d.report.AtMost(l.name, lost, l.most(d.customers, len(rows)))
	}
	var table Table
	// Of so few prefixes a customer's first one may go unnoticed, and a wave of a
	// tenth follows: ten is the floor that the limits have as well.
	if lost, _, err := d.harmed(t.Context(), hurried(operator), "signals"); err != nil || lost == 0 || lost > max(10, d.customers/100) {
		t.Errorf("customers' signals alone: %d routes were gone, %v", lost, err)
	}
	bindings := variant{name: "bindings", every: time.Minute / outageRate, op: unbind, fill: (*Desk).bindTwice, pick: boundTwice, by: cleanup}
	for _, v := range []variant{hurried(operator), bindings} {
		if err := d.variant(t.Context(), &table, v, 20); err != nil {
			t.Fatal(err)
		}
	}
	for _, row := range table.Rows {
		if row[3] == "0" || row[5] == "-" {
			t.Errorf("%v: the drill lost nothing or opened nothing: it rehearses nothing", row)
		}
	}
	d.report.finish()
	if !d.report.Passed {
		t.Error(d.report.Markdown())
	}
}

// Without the gate and with nothing before the wire the rig loses everything:
// what the layers are measured on does not stop anything by itself.
func TestRigStopsNothingByItself(t *testing.T) {
	t.Parallel()
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	d := &d1{o: Options{Dir: t.TempDir(), Small: true}, rows: rows, report: &Report{}}
	v := steady(operator)
	v.last = time.Minute
	a, lost, err := d.run(t.Context(), layer{name: "none", attack: everything, rig: withoutBreaker}, v)
	if err != nil {
		t.Fatal(err)
	}
	if lost != a.asked || lost < outageRate {
		t.Errorf("%d of %d were lost", lost, a.asked)
	}
}

func TestReport(t *testing.T) {
	r := &Report{Drill: "D0", Title: "nothing"}
	if r.finish(); r.Passed {
		t.Error("a report without a bar has passed")
	}
	r.AtMost("lost", 3, 3)
	r.AtLeast("left", 3, 3)
	r.Exactly("trips", 0, 0)
	r.Within("restored", time.Second, time.Second)
	if r.finish(); !r.Passed {
		t.Error("every bar was met")
	}
	r.AtMost("lost again", 4, 3)
	if r.finish(); r.Passed {
		t.Error("a bar was missed")
	}
	table := Table{Title: "Numbers", Columns: []string{"a", "b"}}
	table.Add("x", 1)
	r.Tables = append(r.Tables, table)
	files, err := r.Write(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(raw, &back); err != nil || len(back.Bars) != 5 || back.Passed {
		t.Errorf("%+v, %v", back, err)
	}
	text, err := os.ReadFile(files[1])
	if err != nil || !strings.Contains(string(text), "| lost again | at most 3 | 4 | **no** |") || !strings.Contains(string(text), "| x | 1 |") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestPercentile(t *testing.T) {
	var of []time.Duration
	for i := 1; i <= 20; i++ {
		of = append(of, time.Duration(i))
	}
	for p, want := range map[int]time.Duration{50: 10, 95: 19, 100: 20} {
		if got := Percentile(of, p); got != want {
			t.Errorf("p%d is %d, want %d", p, got, want)
		}
	}
	if Percentile(nil, 95) != 0 {
		t.Error("a percentile of nothing")
	}
}

func TestFind(t *testing.T) {
	if d, err := Find("d1"); err != nil || d.ID != "D1" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := Find(""); err == nil {
		t.Error("an empty id names a drill")
	}
}

// D4, small: a month of legitimate changes trips nothing and reaches the wire.
func TestDrillD4(t *testing.T) {
	t.Parallel()
	d, err := Find("D4")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Carry(t.Context(), d, Options{Dir: t.TempDir(), Small: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Bars {
		if !b.Met && !strings.HasSuffix(b.Name, "on the wire") { // durations are for the drill alone
			t.Errorf("%s: want %s, got %s\n%s", b.Name, b.Want, b.Got, r.Markdown())
		}
	}
}

// With the global scope open 40 on-demand announcements, an emergency, an
// owner's own withdrawal and a restore reach the neighbor, and the restore
// brings back nothing that was taken down on purpose.
func TestOpenLanes(t *testing.T) {
	t.Parallel()
	d, err := Find("open")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Carry(t.Context(), d, Options{Dir: t.TempDir(), Small: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range r.Bars {
		if !b.Met && !strings.HasPrefix(b.Want, "within") { // durations are for the drill alone
			t.Errorf("%s: want %s, got %s\n%s", b.Name, b.Want, b.Got, r.Markdown())
		}
	}
	if len(r.Bars) < 7 {
		t.Errorf("only %d bars", len(r.Bars))
	}
}
