package drill

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gowebpki/jcs"
	"golang.org/x/mod/sumdb/note"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
)

// forgery is what somebody who has the key, or only the disk, does to the
// generation that a store offers. What is hashed and signed is done again after
// all but the last three, so that nothing but the content is wrong.
type forgery struct {
	name     string
	part     func(*snapshots.AccountPart) // of the account with most prefixes
	network  func(*snapshots.NetworkPart)
	manifest func(*snapshots.Manifest)
	text     func(string) string // of that account's part, canonical
	whole    func(string) string // of the manifest, canonical
	head     func(*snapshots.Head)
	stranger bool                                         // signs with another key of the same name
	note     func([]byte) []byte                          // the signed head
	files    func(parts, manifests, heads []string) error // as they lie on disk, every copy
	feedOnly bool                                         // refused for what the follower has seen, so not at the source
}

// forged is a store's directory whose last-known-good was forged.
type forged struct {
	root     string
	manifest snapshots.Manifest
	head     snapshots.Head
	big      int // of the manifest's accounts
}

// forge replaces the last-known-good of a store that nobody has open.
func (f forgery) forge(root string, head snapshots.Head) (*forged, error) {
	d := &forged{root: root, head: head}
	raw, err := os.ReadFile(d.manifestFile("a", head.ID))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &d.manifest); err != nil {
		return nil, err
	}
	for i, a := range d.manifest.Accounts {
		if a.Prefixes > d.manifest.Accounts[d.big].Prefixes {
			d.big = i
		}
	}
	if err := f.content(d); err != nil {
		return nil, err
	}
	part := d.manifest.Accounts[d.big].SHA256
	if f.manifest != nil {
		f.manifest(&d.manifest)
	}
	text, err := canonicalText(d.manifest, f.whole)
	if err != nil {
		return nil, err
	}
	d.head.ID = snapshots.ID(sum(text))
	signed, err := f.sign(d)
	if err != nil {
		return nil, err
	}
	var parts, manifests, heads []string
	for _, c := range []string{"a", "b"} {
		parts = append(parts, d.partFile(c, part))
		manifests = append(manifests, d.manifestFile(c, d.head.ID))
		heads = append(heads, filepath.Join(root, c, "good.note"), filepath.Join(root, c, "heads", fmt.Sprintf("%020d.note", d.head.Generation)))
	}
	if err := errors.Join(writeAll(manifests, text), writeAll(heads, signed)); err != nil {
		return nil, err
	}
	if f.files != nil {
		err = f.files(parts, manifests, heads)
	}
	return d, err
}

// content rewrites the parts, and the manifest to match.
func (f forgery) content(d *forged) error {
	ref := &d.manifest.Accounts[d.big]
	raw, err := os.ReadFile(d.partFile("a", ref.SHA256))
	if err != nil {
		return err
	}
	var p snapshots.AccountPart
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	p.Prefixes[0].Description = &f.name // or what the follower fetched before would do
	if f.part != nil {
		f.part(&p)
	}
	if _, err := d.store(p, f.text, &ref.SHA256, &ref.Size); err != nil {
		return err
	}
	countInto(ref, &p)
	if f.network == nil {
		return nil
	}
	if raw, err = os.ReadFile(d.partFile("a", d.manifest.Network.SHA256)); err != nil {
		return err
	}
	var n snapshots.NetworkPart
	if err := json.Unmarshal(raw, &n); err != nil {
		return err
	}
	f.network(&n)
	_, err = d.store(n, nil, &d.manifest.Network.SHA256, &d.manifest.Network.Size)
	return err
}

// sign signs the head, and a permit for exactly that.
func (f forgery) sign(d *forged) ([]byte, error) {
	if f.head != nil {
		f.head(&d.head)
	}
	signer, err := snapshots.LoadSigner(filepath.Join(d.root, "signing.key"))
	if err != nil {
		return nil, err
	}
	if f.stranger {
		private, _, err := note.GenerateKey(rand.Reader, "holdfast/"+Environment)
		if err != nil {
			return nil, err
		}
		if signer, err = note.NewSigner(private); err != nil {
			return nil, err
		}
	}
	signed, err := snapshots.SignHead(d.head, signer)
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(snapshots.PermitFor(d.head, 1))
	if err != nil {
		return nil, err
	}
	permit, err := note.Sign(&note.Note{Text: string(line) + "\n"}, signer)
	if err != nil {
		return nil, err
	}
	if f.note != nil {
		signed = f.note(signed)
	}
	return signed, writeAll([]string{filepath.Join(d.root, "a", "permit.note"), filepath.Join(d.root, "b", "permit.note")}, permit)
}

func (d *forged) partFile(copied string, s snapshots.Sum) string {
	return filepath.Join(d.root, copied, "parts", string(s[:2]), string(s)+".json")
}

func (d *forged) manifestFile(copied string, id snapshots.ID) string {
	return filepath.Join(d.root, copied, "manifests", string(id)+".json")
}

// store writes a part into both copies and says what it is called.
func (d *forged) store(v any, change func(string) string, s *snapshots.Sum, size *int64) ([]byte, error) {
	text, err := canonicalText(v, change)
	if err != nil {
		return nil, err
	}
	*s, *size = snapshots.Sum(sum(text)), int64(len(text))
	return text, writeAll([]string{d.partFile("a", *s), d.partFile("b", *s)}, text)
}

func writeAll(files []string, raw []byte) error {
	for _, f := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(f), 0o700), os.WriteFile(f, raw, 0o600)); err != nil {
			return err
		}
	}
	return nil
}

func canonicalText(v any, change func(string) string) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	text, err := jcs.Transform(raw)
	if err == nil && change != nil {
		was := string(text)
		if text = []byte(change(was)); string(text) == was {
			err = errors.New("the forgery changed nothing")
		}
	}
	return text, err
}

func sum(raw []byte) string {
	h := sha256.Sum256(raw)
	return hex.EncodeToString(h[:])
}

func countInto(ref *snapshots.AccountRef, p *snapshots.AccountPart) {
	ref.Account, ref.Kind, ref.Prefixes, ref.RoutesIPv4, ref.RoutesIPv6 = p.Account, p.Kind, len(p.Prefixes), 0, 0
	for _, r := range p.Routes {
		if r.CIDR.Addr().Is4() {
			ref.RoutesIPv4++
		} else {
			ref.RoutesIPv6++
		}
	}
}

// forgeries are the kinds of poison of requirement D11.
func forgeries() []forgery {
	swap := func(old, new string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, new, 1) }
	}
	instead := func(s string) func(string) string { return func(string) string { return s } }
	route := func(f func(*snapshots.Route)) func(*snapshots.AccountPart) {
		return func(p *snapshots.AccountPart) { f(&p.Routes[0]) }
	}
	record := func(f func(*snapshots.PrefixRecord)) func(*snapshots.AccountPart) {
		return func(p *snapshots.AccountPart) { f(&p.Prefixes[0]) }
	}
	parts := func(f func([]byte) []byte) func(parts, manifests, heads []string) error {
		return func(parts, _, _ []string) error { return rewrite(parts, f) }
	}
	manifests := func(f func([]byte) []byte) func(parts, manifests, heads []string) error {
		return func(_, manifests, _ []string) error { return rewrite(manifests, f) }
	}
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	nothing := func([]byte) []byte { return nil }
	return []forgery{
		{name: "part: a bit flipped", files: parts(flip)},
		{name: "part: torn", files: parts(half)},
		{name: "part: empty", files: parts(nothing)},
		{name: "part: ten times as large", files: parts(func(b []byte) []byte { return bytes.Repeat(b, 10) })},
		{name: "part: missing", files: func(parts, _, _ []string) error { return removeAll(parts) }},
		{name: "manifest: a bit flipped", files: manifests(flip)},
		{name: "manifest: torn", files: manifests(half)},
		{name: "manifest: missing", files: func(_, manifests, _ []string) error { return removeAll(manifests) }},
		{name: "manifest: unknown version", whole: swap(`"version":1`, `"version":2`)},
		{name: "manifest: unknown field", whole: swap(`"version":1`, `"version":1,"x":1`)},
		{name: "manifest: a field twice", whole: swap(`"version":1`, `"version":1,"version":1`)},
		{name: "manifest: not a number", whole: swap(`"version":1`, `"version":NaN`)},
		{name: "manifest: another environment", manifest: func(m *snapshots.Manifest) { m.Environment = "staging" }},
		{name: "manifest: no accounts", manifest: func(m *snapshots.Manifest) { m.Accounts = nil }},
		{name: "manifest: an account twice", manifest: func(m *snapshots.Manifest) { m.Accounts = append(m.Accounts[:1:1], m.Accounts...) }},
		{name: "manifest: wrong counts", manifest: func(m *snapshots.Manifest) { m.Accounts[0].RoutesIPv4++ }},
		{name: "manifest: a part of enormous size", manifest: func(m *snapshots.Manifest) { m.Accounts[0].Size = 1 << 50 }},
		{name: "manifest: a hash that is a path", manifest: func(m *snapshots.Manifest) { m.Accounts[0].SHA256 = "../../../../etc/passwd" }},
		{name: "manifest: somebody else's part", manifest: func(m *snapshots.Manifest) {
			m.Accounts[0].SHA256, m.Accounts[0].Size = m.Accounts[1].SHA256, m.Accounts[1].Size
		}},
		{name: "head: a bit flipped", note: flip},
		{name: "head: torn", note: half},
		{name: "head: empty", note: nothing},
		{name: "head: its text changed", note: func(b []byte) []byte { return bytes.Replace(b, []byte(`"generation":1`), []byte(`"generation":9`), 1) }},
		{name: "head: signed with another key", stranger: true},
		{name: "head: another environment", head: func(h *snapshots.Head) { h.Environment = "staging" }},
		{name: "head: another snapshot's id", head: func(h *snapshots.Head) { h.ID = snapshots.ID(strings.Repeat("0", 64)) }},
		{name: "head: an older generation", head: func(h *snapshots.Head) { h.Generation = 3 }, feedOnly: true},
		{name: "head: the generation of another snapshot", head: func(h *snapshots.Head) { h.Generation-- }, feedOnly: true},
		{name: "account: not JSON", text: instead("\x00\x01\x02")},
		{name: "account: null", text: instead("null")},
		{name: "account: nested deeply", text: instead(strings.Repeat("[", 100_000))},
		{name: "account: unknown field", text: swap(`{"account"`, `{"aaa":1,"account"`)},
		{name: "routes: doubled", part: func(p *snapshots.AccountPart) { p.Routes = append(p.Routes[:1:1], p.Routes...) }},
		{name: "routes: none", part: func(p *snapshots.AccountPart) { p.Routes = []snapshots.Route{} }},
		{name: "routes: one is missing", part: func(p *snapshots.AccountPart) { p.Routes = p.Routes[1:] }},
		{name: "routes: out of order", part: func(p *snapshots.AccountPart) { p.Routes[0], p.Routes[1] = p.Routes[1], p.Routes[0] }},
		{name: "routes: another origin", part: route(func(r *snapshots.Route) { r.Origin++ })},
		{name: "routes: bound to nothing", part: route(func(r *snapshots.Route) { r.Services = nil })},
		{name: "routes: prepended 200 times", part: func(p *snapshots.AccountPart) { p.Routes[0].Prepend, p.Prefixes[0].BGP[0].Prepend = 200, 200 }},
		{name: "prefix: twice", part: func(p *snapshots.AccountPart) { p.Prefixes = append(p.Prefixes[:1:1], p.Prefixes...) }},
		{name: "prefix: advertised and not bound", part: record(func(r *snapshots.PrefixRecord) { r.Bindings = []snapshots.Binding{} })},
		{name: "prefix: advertised and not approved", part: record(func(r *snapshots.PrefixRecord) { r.State = addressing.Pending })},
		{name: "prefix: a description that is too long", part: record(func(r *snapshots.PrefixRecord) { s := strings.Repeat("x", 5000); r.Description = &s })},
		{name: "network: no sites", network: func(n *snapshots.NetworkPart) { n.Sites = []string{} }},
		{name: "network: our ASN is 0", network: func(n *snapshots.NetworkPart) { n.ASN = 0 }},
		{name: "network: a neighbor twice", network: func(n *snapshots.NetworkPart) {
			n.Neighbors = append([]policy.Neighbor{n.Neighbors[0]}, n.Neighbors...)
		}},
		{name: "network: the bound service is gone", network: func(n *snapshots.NetworkPart) { n.Services = []snapshots.Service{} }},
	}
}

func rewrite(files []string, f func([]byte) []byte) error {
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, f(raw), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func removeAll(files []string) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, os.Remove(f))
	}
	return errors.Join(errs...)
}
