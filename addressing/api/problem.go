package api

import "net/http"

// problemOf is a failure as RFC 9457 has it, with what a person needs to go
// on: code, why and next (UX-13).
func problemOf(f failure, requestID string) Problem {
	p := Problem{Type: "about:blank", Title: http.StatusText(f.status), Status: f.status,
		Code: string(f.code), Why: f.why, RequestID: &requestID}
	set := func(to **string, text string) {
		if text != "" {
			*to = &text
		}
	}
	set(&p.Next, f.next)
	set(&p.Field, f.field)
	set(&p.Confirm, f.confirm)
	if f.tripID != "" {
		set(&p.Detail, "trip "+f.tripID)
	}
	return p
}
