package addressing

import (
	"errors"
	"strings"
)

// Code classes an Error for callers that must decide what to answer. The zero
// value is read as internal.
type Code string

// Codes of an Error.
const (
	CodeInvalid         Code = "invalid"         // the request makes no sense as it is
	CodeUnauthenticated Code = "unauthenticated" // no, unknown, expired or misplaced token
	CodeForbidden       Code = "forbidden"       // known, but may not
	CodeNotFound        Code = "not_found"       // not there, or not in the caller's scope
	CodeConflict        Code = "conflict"        // the present state does not allow it; do not retry
	CodePrecondition    Code = "precondition"    // If-Match names an older version
	CodeFrozen          Code = "frozen"          // an operator froze changes
	CodeRefused         Code = "refused"         // a limit or policy says no; do not retry
	CodeHeld            Code = "held"            // the breaker holds it, or could not decide
	CodeConfirm         Code = "confirm"         // send Error.Confirm back to go on
	CodeUnavailable     Code = "unavailable"     // the store cannot be used now
	CodeInternal        Code = "internal"        // a fault of ours
)

// Error is how every use case fails. It names what failed, the field, the
// reason and the way forward.
type Error struct {
	Code    Code
	Op      string // e.g. "create prefix"
	Field   string // JSON name of the offending field, empty if none
	Detail  string // the reason, for people
	Next    string // the way forward, for people
	Confirm string // with CodeConfirm: the token to send back
	TripID  string // with CodeHeld or CodeRefused: the trip that holds it
	Number  int    // Cloudflare's error code (1000, 1001, ...), 0 to derive it from Code
	Message string // Cloudflare's message fragment, e.g. "invalid_network_cidr"
	Err     error  // the cause, kept from the caller's answer
}

// Error reads "op: field: detail: cause".
func (e *Error) Error() string {
	parts := make([]string, 0, 4)
	for _, s := range []string{e.Op, e.Field, e.Detail} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if len(parts) == 0 {
		return string(e.Code)
	}
	return strings.Join(parts, ": ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first Error in err's chain, CodeInternal for
// any other error and the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) && e.Code != "" {
		return e.Code
	}
	return CodeInternal
}

// CloudflareNumber is the error's number in Cloudflare's envelope.
func (e *Error) CloudflareNumber() int {
	if e.Number != 0 {
		return e.Number
	}
	switch e.Code {
	case CodeNotFound:
		return 1000
	case CodeInvalid:
		return 1001
	case CodeForbidden:
		return 1002
	case CodeUnauthenticated:
		return 10000
	default:
		return 1003
	}
}
