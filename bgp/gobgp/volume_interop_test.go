//go:build interop

package gobgp

const mutatedMessages = 100_000
