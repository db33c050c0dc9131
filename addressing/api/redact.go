package api

import (
	"regexp"
	"strings"
)

// inLog is what objects are named by: ids, change ids and generations.
var inLog = regexp.MustCompile(`^([0-9a-f]{32}|[0-9A-HJKMNP-TV-Z]{26}|[0-9]{1,20})$`)

// redacted is a path as the log shows it: words of the document and ids.
// Whatever else stands in a path may be a secret that somebody pasted, and is
// left out (requirement SEC-03).
func (g *gate) redacted(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s != "" && !g.words[s] && !inLog.MatchString(s) {
			segments[i] = "*"
		}
	}
	return strings.Join(segments, "/")
}
