package snapshots

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// decodeStrict reads exactly one JSON value in canonical form. Unknown fields,
// repeated fields, other spellings of the same value, missing and trailing
// data are all refused: what was read, written again, must give the same bytes.
func decodeStrict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return &Invalid{Problems: []Problem{{Rule: "json", Detail: err.Error()}}}
	}
	if _, err := dec.Token(); err != io.EOF {
		return invalid("json", "", "", "there is more after the value")
	}
	again, err := canonical(into)
	if err != nil {
		return invalid("canonical", "", "", err.Error())
	}
	if !bytes.Equal(again, raw) {
		return invalid("canonical", "", "", fmt.Sprintf("not in canonical form from byte %d on: a field is repeated, missing or written in another way", firstDifference(again, raw)))
	}
	return nil
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// decodeManifest reads a manifest that must hash to id.
func decodeManifest(raw []byte, id ID, want Expect) (Manifest, error) {
	if sumOf(raw) != Sum(id) {
		return Manifest{}, invalid("hash", "", "", fmt.Sprintf("manifest does not hash to its id %s: the file was changed", id))
	}
	var version struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(raw, &version); err == nil && version.Version != Version {
		return Manifest{}, invalid("version", "", "", fmt.Sprintf("manifest version %d is unknown, this program reads %d: install one that does", version.Version, Version))
	}
	var m Manifest
	if err := decodeStrict(raw, &m); err != nil {
		return Manifest{}, err
	}
	return m, checkManifest(m, want)
}

// decodeAccount reads the part that ref names.
func decodeAccount(raw []byte, ref AccountRef) (AccountPart, error) {
	if err := checkBytes(raw, ref.Part()); err != nil {
		return AccountPart{}, err
	}
	var p AccountPart
	if err := decodeStrict(raw, &p); err != nil {
		return AccountPart{}, err
	}
	if refOf(&p, raw) != ref {
		return AccountPart{}, invalid("manifest", ref.Account, "", "the manifest's account, kind or counts are not those of the part")
	}
	return p, nil
}

// decodeNetwork reads the network part that ref names.
func decodeNetwork(raw []byte, ref PartRef) (NetworkPart, error) {
	if err := checkBytes(raw, ref); err != nil {
		return NetworkPart{}, err
	}
	var n NetworkPart
	return n, decodeStrict(raw, &n)
}

func checkBytes(raw []byte, ref PartRef) error {
	if int64(len(raw)) != ref.Size {
		return invalid("size.part", "", "", fmt.Sprintf("part has %d bytes, the manifest says %d", len(raw), ref.Size))
	}
	if sumOf(raw) != ref.SHA256 {
		return invalid("hash", "", "", fmt.Sprintf("part does not hash to %s: the file was changed", ref.SHA256))
	}
	return nil
}
