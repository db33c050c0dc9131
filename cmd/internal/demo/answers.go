//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"
)

// kind is what answers are counted by.
type kind struct {
	status int
	code   string // of the problem, or empty
}

// answers counts what a script was told. It may be used from many goroutines.
type answers struct {
	mu    sync.Mutex
	count map[kind]int
	first map[kind]string // why, of the first one
}

// add takes one answer in.
func (a *answers) add(status int, body []byte) {
	k, why := explain(status, body)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.count == nil {
		a.count, a.first = map[kind]int{}, map[kind]string{}
	}
	if a.count[k]++; a.count[k] == 1 {
		a.first[k] = why
	}
}

// explain reads the reason out of a failure of either surface.
func explain(status int, body []byte) (kind, string) {
	if status < 300 {
		return kind{status: status}, ""
	}
	var failure struct {
		Code   string `json:"code"`
		Why    string `json:"why"`
		Errors []struct {
			Message string `json:"message"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(body, &failure); err != nil {
		return kind{status: status}, "the answer is no JSON"
	}
	if failure.Why == "" && len(failure.Errors) > 0 {
		failure.Why = failure.Errors[0].Message
	}
	return kind{status: status, code: failure.Code}, failure.Why
}

// of is how many answers had a status.
func (a *answers) of(status int) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for k, c := range a.count {
		if k.status == status {
			n += c
		}
	}
	return n
}

// answered is one line of a summary.
type answered struct {
	kind
	count int
	why   string
}

// list is the summary, by status and code.
func (a *answers) list() []answered {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []answered
	for _, k := range slices.SortedFunc(maps.Keys(a.count), func(x, y kind) int {
		return cmp.Or(cmp.Compare(x.status, y.status), cmp.Compare(x.code, y.code))
	}) {
		out = append(out, answered{kind: k, count: a.count[k], why: a.first[k]})
	}
	return out
}
