//go:build linux

package main

import (
	"slices"
	"time"
)

// sample is how many prefixes the neighbor held from a time on.
type sample struct {
	at   time.Time
	held int
}

// timeline is what the neighbor held over time, oldest first.
type timeline []sample

// at is what was held at a time.
func (l timeline) at(t time.Time) int {
	i, found := slices.BinarySearchFunc(l, t, func(s sample, t time.Time) int { return s.at.Compare(t) })
	if found {
		for i+1 < len(l) && l[i+1].at.Equal(t) {
			i++
		}
		return l[i].held
	}
	if i == 0 {
		return 0
	}
	return l[i-1].held
}

// extent is the least and the most that was held between two times, both
// included.
func (l timeline) extent(from, to time.Time) (least, most int) {
	least = l.at(from)
	most = least
	for _, s := range l {
		if s.at.After(from) && !s.at.After(to) {
			least, most = min(least, s.held), max(most, s.held)
		}
	}
	return least, most
}

// changes counts what the neighbor was told after one time and not after the
// other.
func (l timeline) changes(from, to time.Time) int {
	n := 0
	for _, s := range l {
		if s.at.After(from) && !s.at.After(to) {
			n++
		}
	}
	return n
}

// reached is since when, not before a time, n has been held without a break;
// false if it is not held at the end.
func (l timeline) reached(n int, from time.Time) (time.Time, bool) {
	if len(l) == 0 || l[len(l)-1].held != n {
		return time.Time{}, false
	}
	since := l[len(l)-1].at
	for _, s := range slices.Backward(l) {
		if s.held != n {
			break
		}
		since = s.at
	}
	if since.Before(from) {
		since = from
	}
	return since, true
}
