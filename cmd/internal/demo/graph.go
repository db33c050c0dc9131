//go:build linux

package main

import (
	"fmt"
	"strings"
	"time"
)

// mark is something that happened, under the graph.
type mark struct {
	at     time.Time
	letter byte
}

// graph is prefixes at the neighbor over time, as text.
type graph struct {
	line      timeline
	from, to  time.Time
	low, high int // of the y axis
	bar       int // a line that may not be crossed, 0 is none
	width     int // columns of the plot
	height    int // rows of the plot
	marks     []mark
}

// extent is the least and the most held in a column.
func (g graph) extent(column int) (least, most int) {
	return g.line.extent(g.time(column), g.time(column+1))
}

func (g graph) time(column int) time.Time {
	return g.from.Add(time.Duration(column) * g.to.Sub(g.from) / time.Duration(g.width))
}

// row is where a value is drawn, counted from the top; values beyond the axis
// are drawn at its ends.
func (g graph) row(held int) int {
	held = min(max(held, g.low), g.high)
	return (g.high - held) * (g.height - 1) / (g.high - g.low)
}

// value is what a row stands for.
func (g graph) value(row int) int { return g.high - row*(g.high-g.low)/(g.height-1) }

// draw gives the graph, each line ended.
func (g graph) draw() string {
	cells := make([][]rune, g.height)
	for i := range cells {
		cells[i] = []rune(strings.Repeat(" ", g.width))
		if g.bar != 0 && i == g.row(g.bar) {
			cells[i] = []rune(strings.Repeat("┈", g.width))
		}
	}
	for c := range g.width {
		least, most := g.extent(c)
		top, bottom := g.row(most), g.row(least)
		for r := top; r <= bottom; r++ {
			cells[r][c] = '┃'
		}
		if top == bottom {
			cells[top][c] = '━'
		}
	}
	var b strings.Builder
	for i, row := range cells {
		label := ""
		switch {
		case g.bar != 0 && i == g.row(g.bar):
			label = thousands(g.bar)
		case i == 0 || i == g.height-1 || i == g.height/2 && g.bar == 0:
			label = thousands(g.value(i))
		}
		fmt.Fprintf(&b, "%7s ┤%s\n", label, strings.TrimRight(string(row), " "))
	}
	fmt.Fprintf(&b, "%7s └%s\n%9s%s\n%9s%s\n", "", strings.Repeat("─", g.width), "", g.letters(), "", g.seconds())
	return b.String()
}

// letters is the line with the marks.
func (g graph) letters() string {
	line := []byte(strings.Repeat(" ", g.width))
	for _, m := range g.marks {
		if m.at.Before(g.from) || m.at.After(g.to) {
			continue
		}
		c := min(g.width-1, int(m.at.Sub(g.from)*time.Duration(g.width)/max(1, g.to.Sub(g.from))))
		for c < g.width-1 && line[c] != ' ' { // two marks in one column
			c++
		}
		line[c] = m.letter
	}
	return strings.TrimRight(string(line), " ")
}

// seconds is the time axis: its two ends.
func (g graph) seconds() string {
	end := fmt.Sprintf("%.0f s", g.to.Sub(g.from).Seconds())
	return "0 s" + strings.Repeat(" ", max(1, g.width-len("0 s")-len(end))) + end
}

// thousands writes 6500 as 6,500.
func thousands(n int) string {
	if n < 0 {
		return "-" + thousands(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
