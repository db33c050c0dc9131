package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// operation is what the document says of one endpoint.
type operation struct {
	id          string
	method      string
	path        string // with {names}
	permissions []permission
	recovery    bool // must not touch the store
	query       map[string]parameter
	numbers     map[string]*openapi3.Schema // path parameters that are numbers
	body        *bodyRule                   // nil: no body, or the empty object
}

// mutates reports whether the operation can change anything.
func (o *operation) mutates() bool { return o.method != http.MethodGet }

// cloudflare reports whether the operation answers in Cloudflare's envelope.
func (o *operation) cloudflare() bool { return onCloudflareSurface(o.path) }

func onCloudflareSurface(path string) bool {
	return path == "/client" || strings.HasPrefix(path, "/client/")
}

// parameter is one declared query parameter.
type parameter struct {
	required bool
	schema   *openapi3.Schema
}

// bodyRule is what an operation takes as its body.
type bodyRule struct {
	required  bool
	mediaType string
	schema    *openapi3.Schema
}

// Media types the gate knows.
const (
	mediaJSON      = "application/json"
	mediaMultipart = "multipart/form-data"
)

// operations is the document, keyed by the pattern ServeMux matches
// ("GET /v1/status").
type operations map[string]*operation

// readOperations reads the document. It fails on anything that the gate could
// not enforce, so that a schema can never promise more than is checked.
func readOperations(doc []byte) (operations, error) {
	loader := openapi3.NewLoader()
	spec, err := loader.LoadFromData(doc)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	if err := spec.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	ops := make(operations)
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			o, err := readOperation(path, method, item, op)
			if err != nil {
				return nil, fmt.Errorf("openapi document: %s %s: %w", method, path, err)
			}
			ops[method+" "+path] = o
		}
	}
	return ops, nil
}

func readOperation(path, method string, item *openapi3.PathItem, op *openapi3.Operation) (*operation, error) {
	o := &operation{id: op.OperationID, method: method, path: path, query: make(map[string]parameter), numbers: make(map[string]*openapi3.Schema)}
	if err := o.readPermissions(op.Extensions); err != nil {
		return nil, err
	}
	for _, ref := range slices.Concat(item.Parameters, op.Parameters) {
		p := ref.Value
		switch {
		case p.In == openapi3.ParameterInCookie:
			return nil, fmt.Errorf("parameter %s: cookies are not read", p.Name)
		case p.Schema == nil:
			return nil, fmt.Errorf("parameter %s: has no schema", p.Name)
		case p.In == openapi3.ParameterInPath && p.Schema.Value.Type.Is(openapi3.TypeInteger):
			o.numbers[p.Name] = p.Schema.Value
			continue
		case p.In != openapi3.ParameterInQuery:
			continue
		}
		if err := checkScalar(p.Schema.Value); err != nil {
			return nil, fmt.Errorf("parameter %s: %w", p.Name, err)
		}
		o.query[p.Name] = parameter{required: p.Required, schema: p.Schema.Value}
	}
	if op.RequestBody != nil {
		return o, o.readBody(op.RequestBody.Value)
	}
	return o, nil
}

func (o *operation) readPermissions(ext map[string]any) error {
	names, _ := ext["x-permission"].([]any)
	for _, n := range names {
		p := permission(fmt.Sprint(n))
		if !slices.Contains(allPermissions, p) {
			return fmt.Errorf("x-permission: %q is unknown", p)
		}
		o.permissions = append(o.permissions, p)
	}
	if len(o.permissions) == 0 {
		return fmt.Errorf("x-permission: missing; nobody could call it")
	}
	o.recovery, _ = ext["x-recovery"].(bool)
	return nil
}

func (o *operation) readBody(rb *openapi3.RequestBody) error {
	if len(rb.Content) != 1 {
		return fmt.Errorf("request body: has %d media types, want one", len(rb.Content))
	}
	for media, content := range rb.Content {
		if media != mediaJSON && media != mediaMultipart {
			return fmt.Errorf("request body: media type %s is not known to the gate", media)
		}
		if content.Schema == nil {
			return fmt.Errorf("request body: has no schema")
		}
		if err := checkSchema(content.Schema.Value); err != nil {
			return fmt.Errorf("request body: %w", err)
		}
		o.body = &bodyRule{required: rb.Required, mediaType: media, schema: content.Schema.Value}
	}
	return nil
}
