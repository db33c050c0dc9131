package api

import (
	_ "embed"
)

//go:generate go tool -modfile=../../cmd/internal/tools/go.mod oapi-codegen -config server.cfg.yaml openapi.yaml

// document is the one description of both surfaces; it is served as it is,
// and the gate, the permissions and the generated tests are read from it.
//
//go:embed openapi.yaml
var document []byte

// Document returns a copy of the OpenAPI document.
func Document() []byte { return append([]byte(nil), document...) }
