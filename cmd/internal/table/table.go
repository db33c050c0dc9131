package table

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// What the table holds.
const (
	Prefixes         = 6500
	CustomerPrefixes = 4306
	CustomerAccounts = 400
)

// FirstParty is the account of our own prefixes.
const FirstParty = "first-party"

// OurASN originates our own prefixes and those of customers without an AS.
// It is reserved for documentation (RFC 5398).
const OurASN = 64500

// Kind says whose prefix a row is, in the words of the addressing domain.
type Kind string

// Kinds of account.
const (
	KindCustomer   Kind = "customer"
	KindFirstParty Kind = "first-party"
)

// Row is one prefix of the table.
type Row struct {
	Account string
	Kind    Kind
	Prefix  netip.Prefix
	Origin  uint32 // origin AS number: OurASN, or a private one (RFC 6996)
}

var header = []string{"account", "kind", "prefix", "origin-asn"}

//go:embed testdata/prefixes-6500.csv
var embedded string

// Load gives the table, ordered by account and then by prefix. An error means
// that the embedded file is damaged.
func Load() ([]Row, error) {
	rows, err := Read(strings.NewReader(embedded))
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	if len(rows) != Prefixes {
		return nil, fmt.Errorf("table: %d rows, want %d", len(rows), Prefixes)
	}
	return rows, nil
}

// Read reads a table as Write writes it.
func Read(r io.Reader) ([]Row, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = len(header)
	lines.ReuseRecord = true
	if first, err := lines.Read(); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	} else if got, want := strings.Join(first, ","), strings.Join(header, ","); got != want {
		return nil, fmt.Errorf("header is %q, want %q", got, want)
	}
	var rows []Row
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		row, err := parse(fields)
		if err != nil {
			line, _ := lines.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		rows = append(rows, row)
	}
}

func parse(fields []string) (Row, error) {
	kind := Kind(fields[1])
	if kind != KindCustomer && kind != KindFirstParty {
		return Row{}, fmt.Errorf("kind %q: neither %s nor %s", kind, KindCustomer, KindFirstParty)
	}
	prefix, err := netip.ParsePrefix(fields[2])
	if err != nil {
		return Row{}, err
	}
	if prefix != prefix.Masked() {
		return Row{}, fmt.Errorf("prefix %s: host bits are set", prefix)
	}
	origin, err := strconv.ParseUint(fields[3], 10, 32)
	if err != nil {
		return Row{}, fmt.Errorf("origin-asn: %w", err)
	}
	return Row{Account: strings.Clone(fields[0]), Kind: kind, Prefix: prefix, Origin: uint32(origin)}, nil
}

// Write writes rows as comma-separated values with a header line.
func Write(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return err
	}
	for _, r := range rows {
		fields := []string{r.Account, string(r.Kind), r.Prefix.String(), strconv.FormatUint(uint64(r.Origin), 10)}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
