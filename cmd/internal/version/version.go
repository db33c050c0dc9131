// Package version says which build of Holdfast this is.
package version

import "runtime/debug"

// Release is the version in the source; it changes with CHANGELOG.md.
const Release = "0.1.0-dev"

// String is the release and, where the build knows it, the revision.
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Release
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return Release + "+" + s.Value[:12]
		}
	}
	return Release
}
