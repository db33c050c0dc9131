package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Sizes of request bodies.
const (
	maxJSONBody = 64 << 10
	maxUpload   = 10<<20 + 64<<10 // a letter of 10 MB with its multipart framing
)

// methods that exist on any path of the document.
var methods = []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete}

// gate is the first stage: it finds the operation and checks path and query
// before anything is known of the caller.
type gate struct {
	ops operations
	mux *http.ServeMux // matches only; never serves

	words map[string]bool // segments of the paths there are
}

func newGate(ops operations) *gate {
	g := &gate{ops: ops, mux: http.NewServeMux(), words: map[string]bool{"healthz": true, "readyz": true, "openapi.yaml": true}}
	for pattern, op := range ops {
		for _, word := range strings.Split(op.path, "/") {
			g.words[word] = true
		}
		g.mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	return g
}

// admit finds the operation of a request, or says why there is none.
func (g *gate) admit(r *http.Request) (*operation, error) {
	if err := checkPath(r.URL); err != nil {
		return nil, err
	}
	op := g.find(r, r.Method)
	if op == nil {
		return nil, g.noOperation(r)
	}
	if err := checkNumbers(op, r.URL.Path); err != nil {
		return nil, err
	}
	if err := checkQuery(op.query, r.URL.RawQuery, r.URL.ForceQuery); err != nil {
		return nil, badQuery(err)
	}
	return op, nil
}

// checkNumbers checks the path parameters that are numbers; all others are ids
// or names, which either exist or do not.
func checkNumbers(op *operation, path string) error {
	if len(op.numbers) == 0 {
		return nil
	}
	for name, text := range pathValues(op.path, path) {
		schema, isNumber := op.numbers[name]
		if !isNumber {
			continue
		}
		if err := checkText(schema, text, name); err != nil {
			return fail(failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001, message: "invalid_path",
				why: "path parameter " + err.Error(), field: "path." + name, noRetry: true})
		}
	}
	return nil
}

func (g *gate) find(r *http.Request, method string) *operation {
	probe := &http.Request{Method: method, URL: &url.URL{Path: r.URL.Path}, Host: "holdfast"}
	_, pattern := g.mux.Handler(probe)
	return g.ops[pattern]
}

// noOperation is 405 with Allow where another method would do, else 404.
func (g *gate) noOperation(r *http.Request) error {
	var allowed []string
	for _, m := range methods {
		if g.find(r, m) != nil {
			allowed = append(allowed, m)
		}
	}
	if len(allowed) == 0 {
		return noRoute(r.URL.Path)
	}
	return fail(failure{status: http.StatusMethodNotAllowed, code: codeMethod, number: 1001,
		why: "the method does not exist on this path", next: "use " + strings.Join(allowed, ", "), noRetry: true})
}

// noRoute is Cloudflare's answer to a path or an account that cannot be.
func noRoute(path string) error {
	return fail(failure{status: http.StatusNotFound, code: codeNoRoute, number: 7003,
		why:  "Could not route to " + path + ", perhaps your object identifier is invalid?",
		next: "the paths that exist are in /openapi.yaml", noRetry: true})
}

func badQuery(err error) error {
	var input *inputError
	if !errors.As(err, &input) {
		return err
	}
	field := "query"
	if input.pointer != "" {
		field += "." + input.pointer
	}
	return fail(failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001, message: "invalid_query",
		why: "query parameter " + input.Error(), next: "the parameters that exist are in /openapi.yaml", field: field, noRetry: true})
}

// checkPath refuses every path that a router, a proxy and a person might read
// differently. Nothing is ever redirected: ServeMux would clean the path and
// send a DELETE on its way again, escaped twice.
func checkPath(u *url.URL) error {
	raw := u.EscapedPath()
	why := ""
	switch {
	case u.Opaque != "" || !strings.HasPrefix(raw, "/"):
		why = "must begin with '/'"
	case strings.Contains(raw, "%"):
		why = "must not contain escapes"
	case strings.Contains(raw, "//"):
		why = "contains an empty segment"
	case len(raw) > 1 && strings.HasSuffix(raw, "/"):
		why = "ends in '/'"
	case slices.ContainsFunc(strings.Split(raw, "/"), func(s string) bool { return s == "." || s == ".." }):
		why = "contains a '.' or '..' segment"
	case strings.ContainsFunc(raw, func(r rune) bool { return !inPath(r) }):
		why = "contains a character that no path here has"
	default:
		return nil
	}
	return fail(failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001, message: "invalid_path",
		why: "the path " + why, next: "address objects by id, with one '/' between segments", field: "path", noRetry: true})
}

// inPath is the unreserved characters (RFC 3986 section 2.3), '/' and ':'.
func inPath(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-._~/:", r)
}

// readBody reads and checks the body, the last stage of the gate. It leaves a
// body that can be read again and returns what it read.
func readBody(w http.ResponseWriter, r *http.Request, op *operation) ([]byte, error) {
	if enc := r.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, mediaType("Content-Encoding " + enc + " is not read; send the body as it is")
	}
	limit := int64(maxJSONBody)
	if op.body != nil && op.body.mediaType == mediaMultipart {
		limit = maxUpload
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, unreadable(err, limit)
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	r.ContentLength = int64(len(raw))
	return raw, checkMedia(r, op, raw)
}

func checkMedia(r *http.Request, op *operation, raw []byte) error {
	empty := len(bytes.TrimSpace(raw)) == 0
	switch {
	case op.body == nil:
		// The SDKs send `{}` with DELETE and PUT; anything more is refused.
		if empty || isEmptyObject(raw) {
			return nil
		}
		return &inputError{"", "this operation takes no body"}
	case empty && op.body.required:
		return &inputError{"", "a body is required"}
	case empty:
		r.Body, r.ContentLength = http.NoBody, 0
		return nil
	}
	if err := checkContentType(r.Header, op.body.mediaType); err != nil {
		return err
	}
	if op.body.mediaType == mediaMultipart {
		return nil // its one part is read by the handler
	}
	return checkBody(op.body.schema, raw)
}

func isEmptyObject(raw []byte) bool {
	v, err := decodeStrict(raw)
	object, ok := v.(map[string]any)
	return err == nil && ok && len(object) == 0
}

func checkContentType(h http.Header, want string) error {
	values := h.Values("Content-Type")
	if len(values) != 1 {
		return mediaType("one Content-Type is needed: " + want)
	}
	media, params, err := mime.ParseMediaType(values[0])
	if err != nil || media != want {
		return mediaType("Content-Type must be " + want)
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return mediaType("charset must be utf-8")
	}
	return nil
}

func mediaType(why string) error {
	return fail(failure{status: http.StatusUnsupportedMediaType, code: codeMediaType, number: 1001, why: why,
		field: "header.Content-Type", noRetry: true})
}

func unreadable(err error, limit int64) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return fail(failure{status: http.StatusRequestEntityTooLarge, code: codeTooLarge, number: 1001,
			why: "the body is larger than the limit", next: "send at most " + sizeText(limit), field: "body", noRetry: true})
	}
	return fail(failure{status: http.StatusBadRequest, code: addressing.CodeInvalid, number: 1001,
		why: "the body could not be read to its end", field: "body"})
}

func sizeText(n int64) string {
	if n >= 1<<20 {
		return "10 MB"
	}
	return "64 kB"
}
