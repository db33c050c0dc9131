// Package docs holds no code, only the test that keeps the written pages true
// where a program can tell: links lead somewhere, and the tests that
// ARCHITECTURE.md names for the invariants exist.
package docs
