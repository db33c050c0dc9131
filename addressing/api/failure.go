package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// failure is an error as the caller is told it, before it takes the form of
// one of the surfaces.
type failure struct {
	status  int
	code    addressing.Code
	number  int    // Cloudflare's code
	message string // Cloudflare's message fragment, "" for none
	why     string
	next    string
	field   string // "query.x", "body./x", "header.x" or ""
	confirm string
	tripID  string
	retry   string // Retry-After in seconds, "" for none
	noRetry bool   // a definite refusal: X-Should-Retry: false
}

// Codes of failures that are no addressing.Error.
const (
	codeTooMany      addressing.Code = "rate_limited"
	codeTooLarge     addressing.Code = "too_large"
	codeMediaType    addressing.Code = "media_type"
	codeMethod       addressing.Code = "method_not_allowed"
	codeReused       addressing.Code = "idempotency_key_reused"
	codeNoRoute      addressing.Code = "no_route"
	codeMethodScheme addressing.Code = "authentication_scheme"
)

// statuses of the domain's codes. Definite refusals are 409, never 5xx, and
// are marked so that the SDKs do not repeat them ten times.
var statuses = map[addressing.Code]int{
	addressing.CodeInvalid:         http.StatusBadRequest,
	addressing.CodeUnauthenticated: http.StatusUnauthorized,
	addressing.CodeForbidden:       http.StatusForbidden,
	addressing.CodeNotFound:        http.StatusNotFound,
	addressing.CodeConflict:        http.StatusConflict,
	addressing.CodePrecondition:    http.StatusPreconditionFailed,
	addressing.CodeFrozen:          http.StatusLocked,
	addressing.CodeRefused:         http.StatusConflict,
	addressing.CodeHeld:            http.StatusConflict,
	addressing.CodeConfirm:         http.StatusConflict,
	addressing.CodeUnavailable:     http.StatusServiceUnavailable,
	addressing.CodeInternal:        http.StatusInternalServerError,
}

// stillWorks is told to whoever meets an unavailable store (UX-04).
const stillWorks = "the wire is unchanged; reads are served from the active snapshot, and /v1/status, /v1/snapshots, " +
	"/v1/plan, /v1/rollback, /v1/restore, /v1/damage, /v1/breaker, /v1/emergency and /v1/neighbors work"

// elsewhere begins the advice where this process is not the one to ask, a
// speaker alone for example; what else works here is no answer to that.
const elsewhere = "ask the daemon"

// wayForward is said where a refusal has no better advice of its own: nobody
// is sent away without any (UX-13).
var wayForward = map[addressing.Code]string{
	addressing.CodeInvalid:  "what is taken is in /openapi.yaml",
	addressing.CodeNotFound: "list what there is and name it by its id; what another account has is not found either",
	addressing.CodeConflict: "read the object again, and change what is in the way",
	addressing.CodeRefused:  "read the object again, and change what is in the way",
	addressing.CodeHeld:     "look at /v1/breaker, or ask the operator",
	codeMediaType:           "what is taken is in /openapi.yaml",
}

// failureOf is the failure that an error of any layer means.
func failureOf(err error) failure {
	var f failure
	var asFailure *failureError
	var domain *addressing.Error
	var input *inputError
	switch {
	case errors.As(err, &asFailure):
		f = asFailure.failure
	case errors.As(err, &input):
		f = failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001,
			why: input.Error(), field: "body." + input.pointer, noRetry: true}
	case errors.As(err, &domain):
		f = ofDomain(domain)
	default:
		f = failure{status: http.StatusInternalServerError, code: addressing.CodeInternal, number: 1003}
	}
	if f.next == "" {
		f.next = wayForward[f.code]
	}
	if f.status == http.StatusInternalServerError {
		// What broke inside is for the log, not for the caller.
		f.why = "something broke inside; nothing was changed"
		f.next = "look for the request id in the daemon's log"
	}
	return f
}

func ofDomain(e *addressing.Error) failure {
	status, known := statuses[e.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	f := failure{status: status, code: e.Code, number: e.CloudflareNumber(), message: e.Message,
		why: e.Detail, next: e.Next, confirm: e.Confirm, tripID: e.TripID}
	if f.why == "" {
		f.why = e.Op
	}
	if e.Field != "" {
		f.field = "body./" + e.Field
	}
	switch e.Code {
	case addressing.CodeUnavailable:
		f.retry = "5"
		if f.next == "" {
			f.next = stillWorks
		} else if !strings.Contains(f.next, stillWorks) && !strings.HasPrefix(f.next, elsewhere) {
			f.next += "; " + stillWorks
		}
	case addressing.CodeFrozen:
		f.retry, f.noRetry = "60", true
	}
	if status >= 400 && status < 500 {
		f.noRetry = true
	}
	return f
}

// failureError is a failure on its way through code that returns errors.
type failureError struct{ failure }

func (e *failureError) Error() string { return e.why }

func fail(f failure) error { return &failureError{f} }

// invalidHeader is a header that cannot be understood.
func invalidHeader(name, why, next string) error {
	return fail(failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001,
		why: name + ": " + why, next: next, field: "header." + name, noRetry: true})
}
