//go:build !interop

package gobgp

// mutatedMessages is how many TestMutatedMessagesOverSessions sends; see
// volume_interop_test.go.
const mutatedMessages = 10_000
