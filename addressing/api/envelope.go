package api

import (
	"strings"
)

// Every answer of /client/v4 is an envelope with success, errors, messages and
// result; all four are there even where they say nothing (api-contract 1).

func noMessages() []Message { return []Message{} }

// envelopeOf is a failure in Cloudflare's form. Its message is what people
// tell failures apart by, so that it carries the fragment, the reason and the
// way forward in one line.
func envelopeOf(f failure) FailureEnvelope {
	parts := make([]string, 0, 3)
	if f.message != "" {
		parts = append(parts, f.message)
	}
	if f.why != "" {
		parts = append(parts, f.why)
	}
	text := strings.Join(parts, ": ")
	if f.next != "" && f.code != codeNoRoute {
		text += "; " + f.next
	}
	if f.confirm != "" {
		text += "; confirm with the header Holdfast-Confirm: " + f.confirm
	}
	m := Message{Code: f.number, Message: text}
	if f.field != "" {
		pointer := "/" + strings.Replace(strings.Replace(f.field, "body.", "", 1), ".", "/", 1)
		pointer = strings.Replace(pointer, "//", "/", 1)
		m.Source = &struct {
			Pointer *string `json:"pointer,omitempty"`
		}{Pointer: &pointer}
	}
	errors := []Message{m}
	if f.code == codeNoRoute {
		errors = append(errors, Message{Code: 7000, Message: "No route for that URI"})
	}
	return FailureEnvelope{Success: false, Errors: errors, Messages: noMessages()}
}

// infoOf is the paging of a list that is always answered whole.
func infoOf(n int) ResultInfo {
	return ResultInfo{Count: n, Page: 1, PerPage: n, TotalCount: n}
}
