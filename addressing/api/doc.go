// Package api serves desired state and operations over HTTP: /client/v4 for
// customers, compatible with Cloudflare's addressing API, and /v1 for
// operators, both described by openapi.yaml.
//
// It takes HTTP requests and gives typed calls of addressing.Registry and of
// the small interfaces in operations.go. Every request passes, in this order:
// the strict gate (path, query), account syntax, authentication, permission,
// existence, body. The gate is built from the document, so that a new endpoint
// is strict by default: what is not declared is refused, and so is what is
// declared but repeated, empty or of the wrong type (ADR-01, invariant 2).
//
// Operations marked x-recovery never touch the store, so that status,
// snapshots, plan, rollback, breaker and neighbors work with the database gone
// (invariant 11).
//
// It never decides whether something may be withdrawn and never reaches the
// wire. Formats: RFC 9457 (problems), RFC 9110 (conditional requests),
// RFC 8259 (JSON), RFC 3339 (times).
package api
