package snapshots

import "errors"

// For tests of the stored form.
var (
	Canonical = canonical
	SumOf     = sumOf
)

// Files names the files of one copy of a store.
func (d *Dir) Files(copy int, h Head) (good, head, manifest, mark string) {
	r := d.replicas[copy]
	return r.good(), r.head(h.Generation), r.manifest(h.ID), r.root + "/" + generationFile
}

// Reads is how many files a crawl has read.
func Reads(c *Crawl) int { return c.reads }

// PartFile names a part's file in one copy.
func (d *Dir) PartFile(copy int, s Sum) string { return d.replicas[copy].part(s) }

// DecodeAny decodes raw as one of the things a store holds, with every check
// but that of the hash, which a fuzzer cannot get past.
func DecodeAny(kind uint8, raw []byte, environment string) (any, error) {
	ref := PartRef{SHA256: sumOf(raw), Size: int64(len(raw))}
	switch kind % 3 {
	case 0:
		return decodeManifest(raw, ID(ref.SHA256), Expect{Environment: environment})
	case 1:
		var p AccountPart
		if err := decodeStrict(raw, &p); err != nil {
			return nil, err
		}
		got, err := decodeAccount(raw, refOf(&p, raw))
		if err == nil {
			s := &Snapshot{Environment: environment, Accounts: []AccountPart{got}, Network: NetworkPart{ASN: 1, Sites: []string{DefaultSite}}}
			err = Validate(s, Expect{Environment: environment})
			var bad *Invalid
			if errors.As(err, &bad) {
				return got, nil // refused with reasons, which is all that is asked here
			}
		}
		return got, err
	default:
		n, err := decodeNetwork(raw, ref)
		if err == nil {
			_ = ValidateNetwork(n)
		}
		return n, err
	}
}
