package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// call is one request on its way to a handler: what the stages before found
// out, and the header of the answer.
type call struct {
	op        *operation
	caller    caller
	scope     addressing.Scope // of this request: the caller's, narrowed by the path
	accountID string           // of the path, on /client/v4
	requestID string
	at        time.Time
	ifMatch   int64
	reason    string
	confirm   string
	approval  string
	header    http.Header // of the answer
	source    *frozen     // not nil: the store is unavailable, answer from this snapshot
}

type callKey struct{}

// callIn returns the call of a handler's context. A handler is only ever
// reached through Server, which put it there.
func callIn(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	if c == nil {
		return &call{header: http.Header{}} // the zero caller may nothing
	}
	return c
}

// request is the mutation the call asks for. A reason in the body wins over
// the one in the header.
func (c *call) request(reason *string) addressing.Request {
	r := addressing.Request{Actor: c.caller.actor, Scope: c.scope, Reason: c.reason,
		RequestID: c.requestID, At: c.at, IfMatch: c.ifMatch, Confirm: c.confirm, Approval: c.approval}
	if reason != nil && *reason != "" {
		r.Reason = *reason
	}
	return r
}

// tag sets the ETag of the answer (RFC 9110 section 8.8.3).
func (c *call) tag(version int64) {
	c.header.Set("ETag", `"`+strconv.FormatInt(version, 10)+`"`)
}

// changed names the change just made. A change that altered nothing has no id.
func (c *call) changed(cs addressing.ChangeSet) *string {
	if cs.ID == "" {
		return nil
	}
	c.header.Set("Holdfast-Change", cs.ID)
	return &cs.ID
}

// Longest header values that are read.
const (
	maxReason   = 500
	maxConfirm  = 200
	maxApproval = 100
)

// readHeaders reads the headers that a mutation may carry.
func (c *call) readHeaders(h http.Header) error {
	var err error
	if c.reason, err = oneHeader(h, "Holdfast-Reason", maxReason); err != nil {
		return err
	}
	if c.confirm, err = oneHeader(h, "Holdfast-Confirm", maxConfirm); err != nil {
		return err
	}
	if c.approval, err = oneHeader(h, "Holdfast-Approval", maxApproval); err != nil {
		return err
	}
	tag, err := oneHeader(h, "If-Match", 100)
	if err != nil {
		return err
	}
	c.ifMatch, err = parseIfMatch(tag)
	return err
}

func oneHeader(h http.Header, name string, limit int) (string, error) {
	values := h.Values(name)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", invalidHeader(name, "is given more than once", "")
	case strings.TrimSpace(values[0]) == "":
		return "", invalidHeader(name, "is empty", "give a value or leave the header out")
	case len(values[0]) > limit:
		return "", invalidHeader(name, "is longer than "+strconv.Itoa(limit)+" bytes", "")
	}
	return values[0], nil
}

// neverMatches is a version no object has: an ETag we never gave out must fail
// the comparison, not skip it.
const neverMatches = -1

// parseIfMatch reads If-Match (RFC 9110 section 13.1.1). "*" asks only that
// the object is there, which every mutation checks anyway. A weak tag never
// matches. A list would let one of several versions win: refused.
func parseIfMatch(tag string) (int64, error) {
	if tag == "" || tag == "*" {
		return 0, nil
	}
	if strings.HasPrefix(tag, `W/"`) {
		return neverMatches, nil
	}
	inner, ok := strings.CutPrefix(tag, `"`)
	inner, ok2 := strings.CutSuffix(inner, `"`)
	if !ok || !ok2 || strings.Contains(inner, `"`) {
		return 0, invalidHeader("If-Match", "is not one quoted ETag", "send the ETag of the last answer unchanged")
	}
	version, err := strconv.ParseInt(inner, 10, 64)
	if err != nil || version <= 0 || strconv.FormatInt(version, 10) != inner {
		return neverMatches, nil
	}
	return version, nil
}
