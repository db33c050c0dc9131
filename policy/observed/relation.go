package observed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Relation is what one AS is to another. The zero value is that nobody said.
type Relation int8

// Relations.
const (
	Unknown Relation = iota
	Provider
	Peer
	Customer
)

// String names the relation.
func (r Relation) String() string {
	switch r {
	case Provider:
		return "provider"
	case Peer:
		return "peer"
	case Customer:
		return "customer"
	}
	return "unknown"
}

// inverse is the same relation seen from the other side.
func (r Relation) inverse() Relation {
	switch r {
	case Provider:
		return Customer
	case Customer:
		return Provider
	}
	return r
}

// Relations says what ASes are to one another. The zero value knows nothing.
type Relations struct {
	pairs    map[uint64]Relation // of the pair's second AS to its first; the lower AS is first
	disputed map[uint64]bool
}

// maxRelations bounds a set; CAIDA's has some 600,000 pairs (2025).
const maxRelations = 20_000_000

// Len is how many pairs are known.
func (r *Relations) Len() int { return len(r.pairs) }

// Disputed is how many pairs were declared in ways that exclude each other.
// They count as unknown.
func (r *Relations) Disputed() int { return len(r.disputed) }

// Of is what b is to a.
func (r *Relations) Of(a, b uint32) Relation {
	if a < b {
		return r.pairs[uint64(a)<<32|uint64(b)]
	}
	return r.pairs[uint64(b)<<32|uint64(a)].inverse()
}

// Declare says what b is to a. Saying two things that exclude each other makes
// the pair unknown for good: a guess would accuse somebody.
func (r *Relations) Declare(a, b uint32, what Relation) {
	key := uint64(a)<<32 | uint64(b)
	if a > b {
		key, what = uint64(b)<<32|uint64(a), what.inverse()
	}
	if r.pairs == nil {
		r.pairs = map[uint64]Relation{}
	}
	if was := r.pairs[key]; was != Unknown && was != what || r.disputed[key] {
		if r.disputed == nil {
			r.disputed = map[uint64]bool{}
		}
		r.disputed[key] = true
		delete(r.pairs, key)
		return
	}
	r.pairs[key] = what
}

// Read adds the pairs of a file in the formats of CAIDA: a|b|-1 is "a is a
// provider of b", a|b|0 "a and b are peers", with or without the source after
// it; lines that begin with # are comments. The error names the line.
func (r *Relations) Read(src io.Reader) error {
	lines := bufio.NewScanner(src)
	lines.Buffer(make([]byte, 0, 4096), 4096)
	n, found := 0, false
	for lines.Scan() {
		n++
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		a, b, what, err := readPair(line)
		if err != nil {
			return fmt.Errorf("relationships: line %d: %w", n, err)
		}
		if len(r.pairs) >= maxRelations {
			return fmt.Errorf("relationships: line %d: more than %d pairs", n, maxRelations)
		}
		r.Declare(a, b, what)
		found = true
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("relationships: line %d: %w", n+1, err)
	}
	if !found {
		return errors.New("relationships: not one pair; nothing could be found with it")
	}
	return nil
}

func readPair(line []byte) (a, b uint32, what Relation, err error) {
	fields := bytes.SplitN(line, []byte{'|'}, 4)
	if len(fields) < 3 {
		return 0, 0, Unknown, fmt.Errorf("%q: want AS|AS|-1 (provider, customer) or AS|AS|0 (peers)", line)
	}
	if a, err = readASN(fields[0]); err != nil {
		return 0, 0, Unknown, err
	}
	if b, err = readASN(fields[1]); err != nil {
		return 0, 0, Unknown, err
	}
	switch string(fields[2]) {
	case "-1":
		what = Customer
	case "0":
		what = Peer
	default:
		return 0, 0, Unknown, fmt.Errorf("%q: relationship %q: want -1 (provider, customer) or 0 (peers)", line, fields[2])
	}
	if a == b {
		return 0, 0, Unknown, fmt.Errorf("%q: an AS has no relationship with itself", line)
	}
	return a, b, what, nil
}

func readASN(field []byte) (uint32, error) {
	n, err := strconv.ParseUint(string(field), 10, 32)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no AS number", field)
	}
	return uint32(n), nil
}
