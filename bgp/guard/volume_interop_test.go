//go:build interop

package guard

const throughTheGuard = 10_000_000
