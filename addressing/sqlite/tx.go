package sqlite

import (
	"database/sql"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// tx is one transaction, over a reader or the writer.
type tx struct {
	c    *conn
	path string
	// broken is the first failure that was not about the data. SQLite may
	// have rolled the transaction back by itself, so that everything after it
	// would be committed on its own: refuse it.
	broken error
}

var _ addressing.Tx = (*tx)(nil)

// fail is how every statement's error leaves.
func (t *tx) fail(err error, noun, unique string) error {
	if e := constraint(err, noun, unique); e != nil {
		return e
	}
	t.broken = unavailable("use database", t.path, err)
	return t.broken
}

// list runs a query and scans every row.
func list[T any](t *tx, noun string, scan func(*sql.Rows, *T) error, query string, args ...any) ([]T, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	rows, err := t.c.query(query, args...)
	if err != nil {
		return nil, t.fail(err, noun, "")
	}
	defer rows.Close()
	out := []T{}
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, t.fail(fmt.Errorf("%s %d: %w", noun, len(out)+1, err), noun, "")
		}
		out = append(out, v)
	}
	if err := rows.Err(); err != nil {
		return nil, t.fail(err, noun, "")
	}
	return out, nil
}

// one is list for a single object; it is addressing.Missing if not there.
func one[T any](t *tx, noun, id string, scan func(*sql.Rows, *T) error, query string) (T, error) {
	all, err := list(t, noun, scan, query, id)
	if err == nil && len(all) == 0 {
		err = addressing.Missing(noun, id)
	}
	if err != nil {
		var none T
		return none, err
	}
	return all[0], nil
}

// insert adds a row. unique names the field that must be new.
func (t *tx) insert(noun, unique, query string, args ...any) error {
	if t.broken != nil {
		return t.broken
	}
	if _, err := t.c.run(query, args...); err != nil {
		return t.fail(err, noun, unique)
	}
	return nil
}

// swap runs an UPDATE or DELETE that must hit exactly one row: the version
// that the caller has seen.
func (t *tx) swap(noun, unique, id, table, query string, args ...any) error {
	if t.broken != nil {
		return t.broken
	}
	n, err := t.c.run(query, args...)
	if err != nil {
		return t.fail(err, noun, unique)
	}
	if n == 1 {
		return nil
	}
	found, err := list(t, noun, func(r *sql.Rows, v *int64) error { return r.Scan(v) }, "SELECT 1 FROM "+table+" WHERE id = ?", id)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return addressing.Missing(noun, id)
	}
	return &addressing.Error{Code: addressing.CodePrecondition, Detail: "the " + noun + " was changed meanwhile", Next: "read it again and decide anew"}
}

// where narrows a query to a scope; ok is false for the zero scope, which must
// not reach the database at all (invariant 2).
func where(s addressing.Scope, column string) (clause string, args []any, ok bool) {
	switch {
	case s.Every():
		return "", nil, true
	case s.Account() != "":
		return " WHERE " + column + " = ?", []any{s.Account()}, true
	}
	return "", nil, false
}

// Values on their way in and out.

func nanos(t time.Time) int64 { return t.UnixNano() }

func nanosOrNull(t *time.Time) any {
	if t == nil {
		return nil
	}
	return t.UnixNano()
}

func at(ns int64) time.Time { return time.Unix(0, ns).UTC() }

func atOrNil(ns sql.NullInt64) *time.Time {
	if !ns.Valid {
		return nil
	}
	t := at(ns.Int64)
	return &t
}

func textOrNil(s sql.NullString) *string {
	if !s.Valid {
		return nil
	}
	return &s.String
}

func textOrNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// key16 is an address as 16 bytes that sort the way addresses do.
func key16(a netip.Addr) []byte {
	b := a.As16()
	return b[:]
}

// lastOf is the last address of p.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().As16()
	bits := p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	return netip.AddrFrom16(b)
}

// overlapping finds the rows of a table whose cidr shares an address with p:
// those inside it by a range of the index on first, those that contain it by
// asking for each by name. The two are disjoint.
func overlapping[T any](t *tx, noun string, scan func(*sql.Rows, *T) error, columns, table string, p netip.Prefix) ([]T, error) {
	// A row that starts inside p is inside p, or the same, or begins where p
	// begins and contains it: only the last kind is in both halves.
	inside, err := list(t, noun, scan, "SELECT "+columns+" FROM "+table+" WHERE first BETWEEN ? AND ? AND (instr(cidr, ':') > 0) = ? AND "+bitsOf+" >= ?",
		key16(p.Addr()), key16(lastOf(p)), p.Addr().Is6(), p.Bits())
	if err != nil {
		return nil, err
	}
	covers := make([]any, p.Bits())
	for bits := range covers {
		covers[bits] = netip.PrefixFrom(p.Addr(), bits).Masked().String()
	}
	if len(covers) == 0 {
		return inside, nil
	}
	outside, err := list(t, noun, scan, "SELECT "+columns+" FROM "+table+" WHERE cidr IN (?"+strings.Repeat(",?", len(covers)-1)+")", covers...)
	return append(outside, inside...), err
}

// bitsOf is the length of a row's prefix.
const bitsOf = "CAST(substr(cidr, instr(cidr, '/') + 1) AS INTEGER)"
