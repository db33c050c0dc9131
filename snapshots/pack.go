package snapshots

import (
	"fmt"
	"os"

	"github.com/klauspost/compress/zstd"
)

// packer compresses old history. Live snapshots stay readable files.
var packer, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))

// unpack decompresses at most limit bytes: a small file must not become a
// large one without end.
func unpack(small []byte, limit int64) ([]byte, error) {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(limit, 1))))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	raw, err := dec.DecodeAll(small, nil)
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	return raw, nil
}

// pack replaces a content-addressed file by its compressed form. The file goes
// only after the compressed one is durable, so that it can always be read.
func pack(path string, sum Sum, limit int64) error {
	raw, err := readFile(path, limit)
	if err != nil {
		return err
	}
	if sumOf(raw) != sum {
		return invalid("hash", "", "", path+" was changed: it is left as it is")
	}
	if err := writeFile(path+packed, packer.EncodeAll(raw, nil), 0o600); err != nil {
		return err
	}
	return os.Remove(path)
}
