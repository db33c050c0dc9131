// Package report writes the findings of package lint for people and machines:
// text with the excerpt and the witness, JSON (format version 1), SARIF 2.1.0,
// and annotations for GitHub Actions.
//
// It takes a Report and gives bytes; the same Report gives the same bytes. It
// decides nothing: what counts and what it costs is in the findings. The source
// lines it quotes come with the Report; the package reads no file.
package report
