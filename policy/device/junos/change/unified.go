package change

import (
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/policy/device"
)

// hunk is one block of a unified diff.
type hunk struct {
	line  int // in the diff
	from  int // in the old file, from 1
	lines []string
}

// fileDiff is the part of a diff that is about one file.
type fileDiff struct {
	old, new string
	hunks    []hunk
}

var hunkHead = regexp.MustCompile(`^@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@`)

// patch applies the hunks of a unified diff to the text of the base. Every
// line a hunk mentions has to be there; a hunk may have moved as a whole.
func patch(base, change device.Input) ([]byte, error) {
	files, err := parseUnified(string(change.Data), change.Path)
	if err != nil {
		return nil, err
	}
	f, err := pick(files, base.Path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(base.Data), "\n")
	var out []string
	done := 0 // lines of the base that were copied
	for _, h := range f.hunks {
		old := h.side('-')
		at, ok := find(lines, old, h.from-1, done)
		if !ok {
			return nil, fmt.Errorf("%s:%d: this hunk does not fit %s", change.Path, h.line, base.Path)
		}
		out = append(append(out, lines[done:at]...), h.side('+')...)
		done = at + len(old)
	}
	return []byte(strings.Join(append(out, lines[done:]...), "\n")), nil
}

// side is the text of a hunk before ('-') or after ('+').
func (h hunk) side(sign byte) []string {
	var out []string
	for _, l := range h.lines {
		switch {
		case l == "":
			out = append(out, "")
		case l[0] == ' ' || l[0] == sign:
			out = append(out, l[1:])
		}
	}
	return out
}

// find looks for the lines at the place the hunk names, then around it.
func find(lines, want []string, at, from int) (int, bool) {
	if len(want) == 0 {
		// Nothing but additions: "-N,0" means behind line N.
		if at++; at < from || at > len(lines) {
			return 0, false
		}
		return at, true
	}
	fits := func(i int) bool {
		if i < from || i+len(want) > len(lines) {
			return false
		}
		for j, w := range want {
			if strings.TrimSuffix(lines[i+j], "\r") != strings.TrimSuffix(w, "\r") {
				return false
			}
		}
		return true
	}
	for d := 0; d <= len(lines); d++ {
		if fits(at - d) {
			return at - d, true
		}
		if fits(at + d) {
			return at + d, true
		}
	}
	return 0, false
}

func parseUnified(text, name string) ([]fileDiff, error) {
	var files []fileDiff
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		l := lines[i]
		switch {
		case strings.HasPrefix(l, "--- ") && i+1 < len(lines) && strings.HasPrefix(lines[i+1], "+++ "):
			files = append(files, fileDiff{old: fileName(l[4:]), new: fileName(lines[i+1][4:])})
			i++
		case strings.HasPrefix(l, "@@ "):
			if len(files) == 0 {
				files = append(files, fileDiff{})
			}
			h, next, err := parseHunk(lines, i, name)
			if err != nil {
				return nil, err
			}
			f := &files[len(files)-1]
			f.hunks = append(f.hunks, h)
			i = next - 1
		}
	}
	return files, nil
}

// parseHunk reads as many lines as the head of the hunk counts.
func parseHunk(lines []string, at int, name string) (hunk, int, error) {
	m := hunkHead.FindStringSubmatch(lines[at])
	if m == nil {
		return hunk{}, 0, fmt.Errorf("%s:%d: not the head of a hunk", name, at+1)
	}
	count := func(s string) int {
		if s == "" {
			return 1
		}
		n, _ := strconv.Atoi(s)
		return n
	}
	from, err := strconv.Atoi(m[1])
	if err != nil {
		return hunk{}, 0, fmt.Errorf("%s:%d: line number %s", name, at+1, m[1])
	}
	h := hunk{line: at + 1, from: from}
	olds, news := count(m[2]), count(m[3])
	i := at + 1
	for ; i < len(lines) && (olds > 0 || news > 0); i++ {
		l := strings.TrimSuffix(lines[i], "\r")
		switch {
		case l == "" || l[0] == ' ':
			olds, news = olds-1, news-1
		case l[0] == '-':
			olds--
		case l[0] == '+':
			news--
		case l[0] == '\\':
			continue
		default:
			return hunk{}, 0, fmt.Errorf("%s:%d: not a line of a hunk", name, i+1)
		}
		h.lines = append(h.lines, lines[i])
	}
	if olds != 0 || news != 0 {
		return hunk{}, 0, fmt.Errorf("%s:%d: this hunk is cut off", name, at+1)
	}
	return h, i, nil
}

func fileName(s string) string {
	s, _, _ = strings.Cut(s, "\t")
	s = strings.TrimSpace(s)
	for _, p := range []string{"a/", "b/"} {
		s = strings.TrimPrefix(s, p)
	}
	return s
}

// pick chooses the part about the base: the only one, or the one whose name
// ends the same way.
func pick(files []fileDiff, base string) (fileDiff, error) {
	if len(files) == 1 {
		return files[0], nil
	}
	var found []fileDiff
	for _, f := range files {
		if path.Base(f.old) == path.Base(base) || path.Base(f.new) == path.Base(base) {
			found = append(found, f)
		}
	}
	for _, f := range found {
		if len(found) == 1 || strings.HasSuffix(base, f.old) || strings.HasSuffix(base, f.new) {
			return f, nil
		}
	}
	return fileDiff{}, fmt.Errorf("the diff is about %d files and not about %s", len(files), base)
}
