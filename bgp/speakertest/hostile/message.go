package hostile

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/holdfast-bgp/holdfast/bgp/wire"
)

// Path attributes of a route of AS 64666 and of the messages that end GoBGP.
var (
	Origin  = []byte{0x40, 1, 1, 0}
	ASPath  = []byte{0x40, 2, 6, 2, 1, 0, 0, 0xfc, 0x9a}
	NextHop = []byte{0x40, 3, 4, 192, 0, 2, 66}
	AS4Path = []byte{0xc0, 17, 6, 2, 1, 0, 0, 0xfc, 0x9a}
	// ShortSID is a prefix SID whose SRv6 service TLV is too short.
	ShortSID = []byte{0xc0, 40, 5, 5, 0, 2, 0, 1}
)

// Message frames a body.
func Message(t wire.Type, body []byte) []byte {
	raw := []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
	raw = binary.BigEndian.AppendUint16(raw, uint16(len(body)+wire.HeaderLen))
	return append(append(raw, byte(t)), body...)
}

// Update frames attributes and one IPv4 prefix, 203.0.113.0/24.
func Update(attributes ...[]byte) []byte {
	list := slices.Concat(attributes...)
	body := binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(list)))
	return Message(wire.TypeUpdate, append(append(body, list...), 24, 203, 0, 113))
}

// Vectors reads the messages of the repository's test vectors: a corpus of real
// ones, the malformed attributes that OpenBGPD tests with, and the crashes. dir
// is testdata/vectors.
func Vectors(dir string) ([][]byte, error) {
	out := [][]byte{
		Update(Origin, AS4Path, ASPath, NextHop), Update(Origin, ASPath, NextHop, ShortSID),
		Update(Origin, ASPath, NextHop), Message(wire.TypeUpdate, []byte{0, 0, 0, 0}),
		Message(wire.TypeRouteRefresh, []byte{0, 1, 0, 1}), wire.AppendKeepalive(nil), Message(6, nil),
	}
	f, err := os.Open(filepath.Join(dir, "exabgp-qa-messages.jsonl"))
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	defer f.Close()
	for lines := json.NewDecoder(f); lines.More(); {
		var line struct{ Raw string }
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("vectors: %w", err)
		}
		if raw, err := hex.DecodeString(line.Raw); err == nil && len(raw) >= wire.HeaderLen && len(raw) <= wire.MaxMessageLen {
			out = append(out, raw)
		}
	}
	bad, err := malformed(filepath.Join(dir, "openbgpd-malformed-attr.json"))
	if err != nil {
		return nil, fmt.Errorf("vectors: %w", err)
	}
	if len(out) < 200 || len(bad) == 0 {
		return nil, fmt.Errorf("vectors: only %d messages and %d malformed attributes", len(out), len(bad))
	}
	return append(out, bad...), nil
}

// malformed are UPDATEs with the attributes that OpenBGPD tests with.
func malformed(path string) (out [][]byte, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct {
		Cases []struct {
			Type     uint8
			Flags    string
			ValueHex string `json:"value_hex"`
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, err
	}
	for _, c := range file.Cases {
		value, err := hex.DecodeString(c.ValueHex)
		if err != nil {
			return nil, err
		}
		flags, err := strconv.ParseUint(c.Flags, 0, 8)
		if err != nil {
			return nil, err
		}
		out = append(out, Update(Origin, ASPath, NextHop, append([]byte{byte(flags), c.Type, byte(len(value))}, value...)))
	}
	return out, nil
}

// Mutate gives a copy of a message with a few octets changed. Most of the time
// the length is mended, so that the message gets past its header.
func Mutate(rng *rand.Rand, raw []byte) []byte {
	out := slices.Clone(raw)
	from := wire.HeaderLen
	if rng.IntN(50) == 0 {
		from = 0
	}
	for range 1 + rng.IntN(4) {
		if len(out) <= from {
			break
		}
		i := from + rng.IntN(len(out)-from)
		switch rng.IntN(4) {
		case 0:
			out[i] ^= 1 << rng.IntN(8)
		case 1:
			out[i] = byte(rng.IntN(256))
		case 2:
			out = slices.Insert(out, i, byte(rng.IntN(256)))
		case 3:
			if len(out) > wire.HeaderLen {
				out = slices.Delete(out, i, i+1)
			}
		}
	}
	if from > 0 && len(out) >= wire.HeaderLen {
		binary.BigEndian.PutUint16(out[16:], uint16(len(out)))
	}
	return out
}
