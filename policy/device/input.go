package device

// Input is what a front end reads: one root file. Front ends never open files
// themselves.
type Input struct {
	Path string // as the user wrote it; used in positions
	Data []byte
	// Open reads a file the root includes; path is relative to the including
	// file's directory or absolute, as written. Nil means that includes are
	// reported missing (RL310).
	Open func(path string) ([]byte, error)
	// Glob lists the files a pattern names, for languages whose includes may
	// hold one. Nil means that such includes are reported missing.
	Glob func(pattern string) ([]string, error)
	// Version pins the software version where it matters ("3.10", "8.4").
	Version string
}
