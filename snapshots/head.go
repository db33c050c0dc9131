package snapshots

import (
	"cmp"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

const maxHeadBytes = 64 << 10

// Compare orders heads by (epoch, generation).
func (h Head) Compare(o Head) int {
	return cmp.Or(cmp.Compare(h.Epoch, o.Epoch), cmp.Compare(h.Generation, o.Generation))
}

// SignHead writes a head as a signed note: one line of JSON, then an ed25519
// signature that standard tools can verify.
func SignHead(h Head, signer note.Signer) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("sign head: %w", err)
	}
	out, err := signLine(h, signer)
	if err != nil {
		return nil, fmt.Errorf("sign head: %w", err)
	}
	return out, nil
}

// OpenHead verifies a signed head and checks its environment. The error is an
// *Invalid.
func OpenHead(raw []byte, known note.Verifiers, environment string) (Head, error) {
	line, err := openLine("head", raw, known)
	if err != nil {
		return Head{}, err
	}
	h, err := decodeHead(line)
	if err != nil {
		return Head{}, err
	}
	if environment == "" || h.Environment != environment {
		return Head{}, invalid("environment", "", "", fmt.Sprintf("head is of environment %q, this one is %q", h.Environment, environment))
	}
	return h, nil
}

func decodeHead(line []byte) (Head, error) {
	var h Head
	if err := decodeLine("head", line, &h); err != nil {
		return Head{}, err
	}
	return h, h.check()
}

func (h Head) check() error {
	switch {
	case h.Environment == "":
		return invalid("environment", "", "", "head names no environment")
	case h.Generation == 0:
		return invalid("generation", "", "", "generation 0 is no generation")
	case !Sum(h.ID).valid() || h.Parent != "" && !Sum(h.Parent).valid():
		return invalid("hash", "", "", "head names no snapshot id")
	case len(h.Reason) > maxText || len(h.Actor) > maxText:
		return invalid("text", "", "", "actor or reason is too long")
	}
	return nil
}
