//go:build linux

package main

import (
	"testing"
	"time"
)

func TestGraphDraws(t *testing.T) {
	begun := time.Unix(1000, 0)
	second := func(n float64) time.Time { return begun.Add(time.Duration(n * float64(time.Second))) }
	g := graph{
		line: timeline{{second(-5), 6500}, {second(3), 5500}, {second(5.2), 5000}, {second(5.4), 6500}},
		from: begun, to: second(10), low: 5000, high: 6500, bar: 6000, width: 10, height: 4,
		marks: []mark{{second(3), 'a'}, {second(5.1), '^'}, {second(5.1), 'b'}, {second(11), 'z'}},
	}
	want := `  6,500 ┤━━┃  ┃━━━━
  6,000 ┤┈┈┃┈┈┃┈┈┈┈
        ┤  ┃━━┃
  5,000 ┤     ┃
        └──────────
            a ^b
         0 s   10 s
`
	if got := g.draw(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A dip that begins and ends within one column must be seen.
func TestGraphShowsShortDips(t *testing.T) {
	begun := time.Unix(1000, 0)
	g := graph{
		line: timeline{{begun, 10}, {begun.Add(5 * time.Millisecond), 0}, {begun.Add(6 * time.Millisecond), 10}},
		from: begun, to: begun.Add(time.Second), high: 10, width: 4, height: 3,
	}
	if least, most := g.extent(0); least != 0 || most != 10 {
		t.Errorf("column 0 spans %d to %d, want 0 to 10", least, most)
	}
	if least, _ := g.extent(1); least != 10 {
		t.Errorf("column 1 goes down to %d, want 10", least)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 43: "43", 999: "999", 1000: "1,000", 6457: "6,457", 1234567: "1,234,567", -1100: "-1,100"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
