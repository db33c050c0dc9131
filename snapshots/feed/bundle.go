package feed

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// A bundle is parts one after the other, each with a line before it: its sha256
// in hexadecimal, a space and its size in bytes. It ends with a line of a dot,
// so that one that was cut short is told apart from a whole one.

// Bundle writes parts to w. read gives the bytes of each.
func Bundle(w io.Writer, refs []snapshots.PartRef, read func(snapshots.Sum) ([]byte, error)) error {
	for _, ref := range refs {
		raw, err := read(ref.SHA256)
		if err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		if _, err := fmt.Fprintf(w, "%s %d\n", ref.SHA256, len(raw)); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		if _, err := w.Write(raw); err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
	}
	if _, err := io.WriteString(w, ".\n"); err != nil {
		return fmt.Errorf("bundle: %w", err)
	}
	return nil
}

// unbundle reads a bundle; a part larger than limit is refused. What a part is
// worth is for put to judge.
func unbundle(r io.Reader, limit int64, put func(snapshots.Sum, []byte) error) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("bundle: cut short: %w", noEOF(err))
		}
		if string(line) == ".\n" {
			return nil
		}
		sum, size, found := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		n, err := strconv.ParseInt(size, 10, 64)
		if !found || err != nil || n < 0 || n > limit {
			return errors.New("bundle: not a sha256 and a size of at most " + strconv.FormatInt(limit, 10))
		}
		raw, err := io.ReadAll(io.LimitReader(in, n)) // grows as it comes: a size alone takes no memory
		if err != nil || int64(len(raw)) != n {
			return fmt.Errorf("bundle: cut short: %w", noEOF(err))
		}
		if err := put(snapshots.Sum(sum), raw); err != nil {
			return err
		}
	}
}

func noEOF(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
