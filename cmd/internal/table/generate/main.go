// Command generate writes the table of package table anew:
//
//	go run ./cmd/internal/table/generate -full prefixes.txt.gz -out cmd/internal/table/testdata/prefixes-6500.csv
//
// The full table is a list of prefixes, one a line, plain or gzip-compressed.
// The committed table was made from internal/tests/testdata/prefixes.txt.gz of
// the Go module github.com/gaissmai/bart v0.26.0; see the NOTICE beside it.
package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/cmd/internal/table"
)

func main() {
	full := flag.String("full", "", "file with a full table, one prefix a line, plain or .gz")
	out := flag.String("out", "", "file to write")
	seed := flag.Uint64("seed", 20260220, "seed of the selection")
	flag.Parse()
	if *full == "" || *out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := generate(*full, *out, *seed); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func generate(full, out string, seed uint64) error {
	prefixes, err := readPrefixes(full)
	if err != nil {
		return err
	}
	rows, err := table.Build(prefixes, seed)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := table.Write(&text, rows); err != nil {
		return err
	}
	return renameio.WriteFile(out, text.Bytes(), 0o644)
}

// readPrefixes reads a list of prefixes; what is not a prefix is an error.
func readPrefixes(name string) ([]netip.Prefix, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewReader(file)
	var text io.Reader = in
	if magic, err := in.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		if text, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	var prefixes []netip.Prefix
	lines := bufio.NewScanner(text)
	for n := 1; lines.Scan(); n++ {
		p, err := netip.ParsePrefix(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		prefixes = append(prefixes, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return prefixes, nil
}
