package observed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
)

// maxLine bounds a line; a path of 255 ASes with many communities has some
// 10,000 octets.
const maxLine = 1 << 20

// LineError is a line that cannot be read.
type LineError struct {
	Line int
	Err  error
}

// Error names the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }

// Lines reads the lines of monocle (A|time|peer|AS|prefix|path|...) and of
// bgpdump -m (BGP4MP|time|A|peer|AS|prefix|path|...). What it gives is valid
// until the next step; an error is a *LineError, and the next line follows it.
func Lines(src io.Reader) iter.Seq2[*Sighting, error] {
	return func(yield func(*Sighting, error) bool) {
		lines := bufio.NewScanner(src)
		lines.Buffer(make([]byte, 64<<10), maxLine)
		var l line
		n := 0
		for lines.Scan() {
			n++
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 || text[0] == '#' {
				continue
			}
			err := l.read(text)
			if err != nil {
				if !yield(nil, &LineError{Line: n, Err: err}) {
					return
				}
				continue
			}
			if !yield(&l.seen, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(nil, &LineError{Line: n + 1, Err: err})
		}
	}
}

// Sighting is a route and what became of it.
type Sighting struct {
	Kind mrt.Kind
	Route
}

// line is the memory of a reader.
type line struct {
	seen   Sighting
	fields [][]byte
	asns   []uint32
	path   wire.ASPath
}

// read reads a line of either tool.
func (l *line) read(text []byte) error {
	l.seen = Sighting{}
	l.fields = l.fields[:0]
	for rest, more := text, true; more; {
		var field []byte
		field, rest, more = bytes.Cut(rest, []byte{'|'})
		l.fields = append(l.fields, field)
	}
	switch string(l.fields[0]) {
	case "A", "W":
		return l.monocle()
	case "BGP4MP", "BGP4MP_ET", "TABLE_DUMP", "TABLE_DUMP2", "TABLE_DUMP_V2":
		return l.bgpdump()
	}
	return fmt.Errorf("%.60q: a line of monocle begins with A| or W|, one of bgpdump -m with BGP4MP| or TABLE_DUMP2|", text)
}

// monocle: type|time|peer|peer AS|prefix|path|...|collector, the last of 15.
func (l *line) monocle() error {
	f := l.fields
	l.seen.Kind = mrt.Advertised
	if f[0][0] == 'W' {
		l.seen.Kind = mrt.Withdrawn
	}
	if len(f) >= 15 {
		l.seen.Collector = string(bytes.Trim(f[14], `" `))
	}
	return l.common(f, 1, 2)
}

// bgpdump: record|time|type|peer|peer AS|prefix|path|...
func (l *line) bgpdump() error {
	f := l.fields
	if len(f) < 3 {
		return errors.New("want record|time|type")
	}
	switch string(f[2]) {
	case "B":
		l.seen.Kind = mrt.TableEntry
	case "A":
		l.seen.Kind = mrt.Advertised
	case "W":
		l.seen.Kind = mrt.Withdrawn
	case "STATE":
		l.seen.Kind = mrt.SessionState
		return nil
	default:
		return fmt.Errorf("type %q: want A, B, W or STATE", f[2])
	}
	return l.common(f, 1, 3)
}

// common reads the time, and from the peer on what both tools have in the same
// order.
func (l *line) common(f [][]byte, at, peer int) (err error) {
	advertises := l.seen.Kind != mrt.Withdrawn
	if len(f) < peer+3 || advertises && len(f) < peer+4 {
		return fmt.Errorf("%d fields: the peer, its AS, the prefix or the path are missing", len(f))
	}
	if l.seen.At, err = readTime(f[at]); err != nil {
		return err
	}
	if l.seen.Peer, err = netip.ParseAddr(string(f[peer])); err != nil {
		return fmt.Errorf("peer: %q is no address", f[peer])
	}
	if l.seen.PeerAS, err = readASN(f[peer+1]); err != nil {
		return fmt.Errorf("peer: %w", err)
	}
	p, err := netip.ParsePrefix(string(f[peer+2]))
	if err != nil {
		return fmt.Errorf("prefix: %q is none", f[peer+2])
	}
	l.seen.Prefix = p.Masked()
	if !advertises {
		return nil
	}
	if err := l.readPath(f[peer+3]); err != nil {
		return fmt.Errorf("path: %w", err)
	}
	l.seen.Path = l.path
	return nil
}

func readTime(field []byte) (time.Time, error) {
	whole, part, _ := bytes.Cut(field, []byte{'.'})
	s, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil || s < 0 || s > 1<<40 {
		return time.Time{}, fmt.Errorf("time: %q is no number of seconds", field)
	}
	if len(part) == 0 {
		return time.Unix(s, 0).UTC(), nil
	}
	f, err := strconv.ParseFloat("0."+string(part), 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("time: %q is no number of seconds", field)
	}
	return time.Unix(s, int64(f*1e9)).UTC(), nil
}

// closers end a segment of a path that is written "1 2 {3,4} (5) [6]".
var closers = map[byte]struct {
	end  byte
	kind wire.SegmentType
}{'{': {'}', wire.ASSet}, '(': {')', wire.ConfedSequence}, '[': {']', wire.ConfedSet}}

// readPath reads a path into memory that is used again.
func (l *line) readPath(text []byte) error {
	l.asns, l.path = slices.Grow(l.asns[:0], len(text)/2+1), l.path[:0]
	kind, end := wire.ASSequence, byte(0)
	from := 0
	flush := func() {
		if len(l.asns) > from {
			l.path = append(l.path, wire.Segment{Type: kind, ASNs: l.asns[from:len(l.asns):len(l.asns)]})
		}
		from = len(l.asns)
	}
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == ' ' || c == ',' && end != 0:
			i++
		case c >= '0' && c <= '9':
			j := i
			for j < len(text) && text[j] >= '0' && text[j] <= '9' {
				j++
			}
			asn, err := readASN(text[i:j])
			if err != nil {
				return err
			}
			l.asns, i = append(l.asns, asn), j
		case end != 0 && c == end:
			flush()
			kind, end = wire.ASSequence, 0
			i++
		case end == 0 && closers[c].end != 0:
			flush()
			kind, end = closers[c].kind, closers[c].end
			i++
		default:
			return fmt.Errorf("%q: unexpected %q", text, c)
		}
	}
	if end != 0 {
		return fmt.Errorf("%q: %q is missing", text, end)
	}
	flush()
	return nil
}

// MRT reads an MRT file. Errors are those of package mrt.
func MRT(src io.Reader) iter.Seq2[*Sighting, error] {
	return func(yield func(*Sighting, error) bool) {
		var s Sighting
		for e, err := range mrt.NewReader(src).Elements() {
			if err != nil {
				if !yield(nil, err) {
					return
				}
				continue
			}
			s = Sighting{Kind: e.Kind, Route: Route{
				Prefix: e.Prefix, Path: e.Path, OTC: e.OTC, At: e.At, Peer: e.Peer, PeerAS: e.PeerAS,
			}}
			if !yield(&s, nil) {
				return
			}
		}
	}
}
