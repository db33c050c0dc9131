package irr

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// Object is a route or route6 object.
type Object struct {
	Prefix netip.Prefix
	Origin uint32
	Tokens []string // of "cf-validation: TOKEN" in its remarks and descriptions
}

// tokenMark is what stands before an ownership token.
const tokenMark = "cf-validation:"

// maxLine bounds a line of RPSL; remarks are short.
const maxLine = 64 << 10

// Read calls yield with every route and route6 object of an RPSL text, in
// order. Objects of other classes are passed over; a route object that cannot
// be read is an error that names its line.
func Read(r io.Reader, yield func(Object)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	var o draft
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimRight(lines.Text(), " \t\r")
		if line == "" {
			if err := o.flush(yield); err != nil {
				return err
			}
			continue
		}
		if err := o.line(line, number); err != nil {
			return fmt.Errorf("irr: line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("irr: line %d: %w", number+1, err)
	}
	return o.flush(yield)
}

// draft is an object while it is read.
type draft struct {
	Object
	begun, route, origin bool
	started              int
	name                 string // of the attribute that a continuation line goes on with
}

func (o *draft) line(line string, number int) error {
	if line[0] == '%' || line[0] == '#' {
		return nil // the server's own comments
	}
	if !o.begun && strings.ContainsRune(" \t+", rune(line[0])) {
		return fmt.Errorf("goes on with nothing")
	}
	name, value := o.name, line[1:] // RFC 2622 section 2: a line that goes on
	if !strings.ContainsRune(" \t+", rune(line[0])) {
		var ok bool
		if name, value, ok = strings.Cut(line, ":"); !ok {
			return fmt.Errorf("%.40q is no attribute", line)
		}
		name = strings.ToLower(strings.TrimSpace(name))
	}
	o.name = name
	if !o.begun {
		o.begun, o.started, o.route = true, number, name == "route" || name == "route6"
		if o.route {
			return o.prefix(value)
		}
	}
	if !o.route {
		return nil
	}
	switch name {
	case "origin":
		return o.setOrigin(value)
	case "remarks", "descr":
		o.token(value)
	case "route", "route6":
		return fmt.Errorf("a second %s in the object", name)
	}
	return nil
}

// comment cuts an end-of-line comment off.
func comment(s string) string {
	s, _, _ = strings.Cut(s, "#")
	return s
}

func (o *draft) prefix(value string) error {
	p, err := netip.ParsePrefix(strings.TrimSpace(comment(value)))
	if err != nil || p != p.Masked() || p.Addr().Is4In6() {
		return fmt.Errorf("%q is no prefix", strings.TrimSpace(value))
	}
	o.Prefix = p
	return nil
}

func (o *draft) setOrigin(value string) error {
	text := strings.ToUpper(strings.TrimSpace(comment(value)))
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "AS"), 10, 32)
	if err != nil || !strings.HasPrefix(text, "AS") {
		return fmt.Errorf("origin: %q is no AS number", strings.TrimSpace(value))
	}
	if o.origin {
		return fmt.Errorf("a second origin in the object")
	}
	o.Origin, o.origin = uint32(n), true
	return nil
}

func (o *draft) token(value string) {
	// Byte by byte: lower-casing text that is not UTF-8 moves what is behind it.
	for at := 0; at+len(tokenMark) <= len(value); at++ {
		if !strings.EqualFold(value[at:at+len(tokenMark)], tokenMark) {
			continue
		}
		if words := strings.Fields(value[at+len(tokenMark):]); len(words) > 0 {
			o.Tokens = append(o.Tokens, words[0])
		}
		return
	}
}

func (o *draft) flush(yield func(Object)) error {
	done := *o
	*o = draft{}
	if !done.route {
		return nil
	}
	if !done.origin {
		return fmt.Errorf("irr: line %d: %s has no origin", done.started, done.Prefix)
	}
	yield(done.Object)
	return nil
}
