// Package client is the Go client of both REST surfaces, generated from the
// document that also drives the server (addressing/api/openapi.yaml).
//
// It takes typed requests and gives parsed answers; it never retries, caches
// or decides anything. A caller that must know whose objects a list holds
// compares the echoed scope with what it asked for.
package client

//go:generate go tool -modfile=../../cmd/internal/tools/go.mod oapi-codegen -config client.cfg.yaml ../api/openapi.yaml
