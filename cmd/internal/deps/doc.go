// Package deps holds no code, only the test that keeps the arrows between
// Holdfast's packages pointing one way. The rules are the import table of
// ARCHITECTURE.md; the test asks `go list -deps` what each package reaches.
package deps
