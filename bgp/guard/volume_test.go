//go:build !interop

package guard

// throughTheGuard is how many messages TestMutatedMessagesThroughTheGuard sends;
// see volume_interop_test.go.
const throughTheGuard = 100_000
