package snapshots_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/holdfast-bgp/holdfast/addressing"
	"github.com/holdfast-bgp/holdfast/policy"
	"github.com/holdfast-bgp/holdfast/snapshots"
	"github.com/holdfast-bgp/holdfast/snapshots/synthetic"
)

// poison is a store whose last-known-good somebody with the key has forged:
// every hash and the signature fit, only the content is wrong. All copies say
// the same, so nothing but the validator stands in the way.
type poison struct {
	manifest func(string) string               // on the canonical manifest
	account  func(string) string               // on the first account's canonical part
	network  func(string) string               // on the network part
	part     func(*snapshots.AccountPart)      // typed, re-encoded canonically
	whole    func(*snapshots.Snapshot)         // typed, any part
	head     func(*snapshots.Head)             // before signing
	note     func([]byte) []byte               // after signing
	ref      func(m *snapshots.Manifest)       // typed, on the manifest
	signer   func(t *testing.T) note.Signer    // another key
	files    func(t *testing.T, d *forgedFile) // on the written files
}

type forgedFile struct {
	parts    []string // of the first account, one per copy
	manifest []string
	good     []string
}

func replaceAll(old, new string) func(string) string {
	return func(s string) string {
		if !strings.Contains(s, old) {
			panic("nothing to replace: " + old)
		}
		return strings.Replace(s, old, new, 1)
	}
}

func poisons() map[string]poison {
	route := func(f func(*snapshots.Route)) func(*snapshots.AccountPart) {
		return func(p *snapshots.AccountPart) { f(&p.Routes[0]) }
	}
	record := func(f func(*snapshots.PrefixRecord)) func(*snapshots.AccountPart) {
		return func(p *snapshots.AccountPart) { f(&p.Prefixes[0]) }
	}
	each := func(path func(*forgedFile) []string, f func([]byte) []byte) func(*testing.T, *forgedFile) {
		return func(t *testing.T, d *forgedFile) {
			for _, p := range path(d) {
				raw, err := os.ReadFile(p)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(p, f(raw), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
	half := func(b []byte) []byte { return b[:len(b)/2] }
	nothing := func([]byte) []byte { return nil }
	parts := func(d *forgedFile) []string { return d.parts }
	manifest := func(d *forgedFile) []string { return d.manifest }
	good := func(d *forgedFile) []string { return d.good }
	return map[string]poison{
		"part: a bit flipped":             {files: each(parts, flip)},
		"part: torn":                      {files: each(parts, half)},
		"part: empty":                     {files: each(parts, nothing)},
		"part: ten times as large":        {files: each(parts, func(b []byte) []byte { return bytes.Repeat(b, 10) })},
		"part: missing":                   {files: func(t *testing.T, d *forgedFile) { remove(t, d.parts) }},
		"part: a directory":               {files: func(t *testing.T, d *forgedFile) { remove(t, d.parts); mkdir(t, d.parts) }},
		"manifest: a bit flipped":         {files: each(manifest, flip)},
		"manifest: torn":                  {files: each(manifest, half)},
		"manifest: missing":               {files: func(t *testing.T, d *forgedFile) { remove(t, d.manifest) }},
		"head: a bit flipped":             {files: each(good, flip)},
		"head: torn":                      {files: each(good, half)},
		"head: empty":                     {files: each(good, nothing)},
		"head: signature cut off":         {note: func(b []byte) []byte { return b[:bytes.Index(b, []byte("\n\n"))+1] }},
		"head: text changed":              {note: func(b []byte) []byte { return bytes.Replace(b, []byte(`"generation":1`), []byte(`"generation":9`), 1) }},
		"head: signed with another key":   {signer: anotherKey},
		"head: another environment":       {head: func(h *snapshots.Head) { h.Environment = "staging" }},
		"head: another snapshot's id":     {head: func(h *snapshots.Head) { h.ID = snapshots.ID(strings.Repeat("0", 64)) }},
		"manifest: another environment":   {manifest: replaceAll(`"environment":"test"`, `"environment":"prod"`)},
		"manifest: unknown version":       {manifest: replaceAll(`"version":1`, `"version":2`)},
		"manifest: unknown field":         {manifest: replaceAll(`"version":1`, `"version":1,"x":1`)},
		"manifest: field twice":           {manifest: replaceAll(`"version":1`, `"version":1,"version":1`)},
		"manifest: white space":           {manifest: func(s string) string { return s + "\n" }},
		"manifest: not a number":          {manifest: replaceAll(`"version":1`, `"version":NaN`)},
		"manifest: a float":               {manifest: replaceAll(`"version":1`, `"version":1.0`)},
		"manifest: no accounts":           {ref: func(m *snapshots.Manifest) { m.Accounts = nil }},
		"manifest: account twice":         {ref: func(m *snapshots.Manifest) { m.Accounts = append(m.Accounts[:1:1], m.Accounts...) }},
		"manifest: accounts out of order": {ref: func(m *snapshots.Manifest) { m.Accounts[0], m.Accounts[1] = m.Accounts[1], m.Accounts[0] }},
		"manifest: wrong counts":          {ref: func(m *snapshots.Manifest) { m.Accounts[0].RoutesIPv4++ }},
		"manifest: negative count":        {ref: func(m *snapshots.Manifest) { m.Accounts[0].RoutesIPv6 = -1 }},
		"manifest: part of enormous size": {ref: func(m *snapshots.Manifest) { m.Accounts[0].Size = 1 << 60 }},
		"manifest: hash is a path":        {ref: func(m *snapshots.Manifest) { m.Accounts[0].SHA256 = "../../../../etc/passwd" }},
		"manifest: somebody else's part": {ref: func(m *snapshots.Manifest) {
			m.Accounts[0].SHA256, m.Accounts[0].Size = m.Accounts[1].SHA256, m.Accounts[1].Size
		}},
		"account: unknown field":        {account: replaceAll(`{"account"`, `{"aaa":1,"account"`)},
		"account: not JSON":             {account: func(string) string { return "\x00\x01\x02" }},
		"account: null":                 {account: func(string) string { return "null" }},
		"account: an array":             {account: func(string) string { return "[]" }},
		"account: routes null":          {part: func(p *snapshots.AccountPart) { p.Routes = nil }},
		"account: nested deeply":        {account: func(string) string { return strings.Repeat("[", 100_000) }},
		"account: host bits":            {account: replaceAll(`"cidr":"16.0.0.0/24"`, `"cidr":"16.0.0.1/24"`)},
		"account: id is empty":          {part: func(p *snapshots.AccountPart) { p.Account = "" }},
		"account: kind unknown":         {part: func(p *snapshots.AccountPart) { p.Kind = "x" }},
		"routes: doubled":               {part: func(p *snapshots.AccountPart) { p.Routes = append(p.Routes[:1:1], p.Routes...) }},
		"routes: out of order":          {part: func(p *snapshots.AccountPart) { p.Routes[0], p.Routes[1] = p.Routes[1], p.Routes[0] }},
		"routes: list is empty":         {part: func(p *snapshots.AccountPart) { p.Routes = []snapshots.Route{} }},
		"routes: one is missing":        {part: func(p *snapshots.AccountPart) { p.Routes = p.Routes[1:] }},
		"routes: advertised, not bound": {part: record(func(r *snapshots.PrefixRecord) { r.Bindings = []snapshots.Binding{} })},
		"routes: not approved":          {part: record(func(r *snapshots.PrefixRecord) { r.State = addressing.Pending })},
		"routes: not desired":           {part: record(func(r *snapshots.PrefixRecord) { r.BGP[0].Advertised = false })},
		"routes: down on purpose": {part: func(p *snapshots.AccountPart) {
			p.Negative = []snapshots.NegativeIntent{{ID: "n", CIDR: p.Routes[0].CIDR.String(), Kind: addressing.IntentBlock, Author: "a"}}
		}},
		"routes: another origin":       {part: route(func(r *snapshots.Route) { r.Origin = 13335 })},
		"routes: other services":       {part: route(func(r *snapshots.Route) { r.Services = []string{"spectrum"} })},
		"routes: no services":          {part: route(func(r *snapshots.Route) { r.Services = nil })},
		"routes: at no site":           {part: route(func(r *snapshots.Route) { r.Sites = addressing.Sites{} })},
		"routes: communities twice":    {part: route(func(r *snapshots.Route) { r.Communities = []policy.Community{1, 1} })},
		"prefix: twice":                {part: func(p *snapshots.AccountPart) { p.Prefixes = append(p.Prefixes[:1:1], p.Prefixes...) }},
		"prefix: state unknown":        {part: record(func(r *snapshots.PrefixRecord) { r.State = "x" })},
		"prefix: origin 0":             {part: record(func(r *snapshots.PrefixRecord) { r.ASN = 0 })},
		"prefix: description too long": {part: record(func(r *snapshots.PrefixRecord) { s := strings.Repeat("x", 5000); r.Description = &s })},
		"binding: service is not":      {part: record(func(r *snapshots.PrefixRecord) { r.Bindings[0].Service = "x" })},
		"binding: outside":             {part: record(func(r *snapshots.PrefixRecord) { r.Bindings[0].CIDR = synthetic.CIDR(2) })},
		"bgp: prepend 200":             {part: record(func(r *snapshots.PrefixRecord) { r.BGP[0].Prepend = 200 })},
		"bgp: site is not":             {part: record(func(r *snapshots.PrefixRecord) { r.BGP[0].Sites = addressing.Sites{Names: []string{"x"}} })},
		"two accounts, one prefix": {whole: func(s *snapshots.Snapshot) {
			stolen := s.Accounts[0].Prefixes[0]
			stolen.ID = "stolen"
			stolen.BGP, stolen.Bindings = []snapshots.BGPRecord{}, []snapshots.Binding{}
			s.Accounts[1].Prefixes = append([]snapshots.PrefixRecord{stolen}, s.Accounts[1].Prefixes...)
		}},
		"network: no sites":     {whole: func(s *snapshots.Snapshot) { s.Network.Sites = []string{} }},
		"network: our ASN is 0": {whole: func(s *snapshots.Snapshot) { s.Network.ASN = 0 }},
		"network: neighbor twice": {whole: func(s *snapshots.Snapshot) {
			s.Network.Neighbors = append(s.Network.Neighbors[:1:1], s.Network.Neighbors...)
		}},
		"network: no next hop":          {whole: func(s *snapshots.Snapshot) { s.Network.Neighbors[0].NextHop6 = s.Network.Neighbors[0].NextHop4 }},
		"network: edge with a role":     {whole: func(s *snapshots.Snapshot) { s.Network.Neighbors[0].Kind = policy.Edge }},
		"network: neighbor nowhere":     {whole: func(s *snapshots.Snapshot) { s.Network.Neighbors[0].Site = "mars" }},
		"network: service is not there": {whole: func(s *snapshots.Snapshot) { s.Network.Services = s.Network.Services[1:] }},
		"network: role unknown":         {network: replaceAll(`"role":"customer"`, `"role":"owner"`)},
		"network: ASN too large":        {network: replaceAll(`"asn":64500`, `"asn":64500000000`)},
	}
}

func anotherKey(t *testing.T) note.Signer {
	dir := t.TempDir()
	openStore(t, dir).Close()
	s, err := snapshots.LoadSigner(filepath.Join(dir, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func remove(t *testing.T, paths []string) {
	for _, p := range paths {
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
	}
}

func mkdir(t *testing.T, paths []string) {
	for _, p := range paths {
		if err := os.Mkdir(p, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// D11, SNP-02: none of these is accepted, none panics.
func TestPoisonedSnapshots(t *testing.T) {
	all := poisons()
	if len(all) < 30 {
		t.Fatalf("only %d kinds of poison", len(all))
	}
	for name, p := range all {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			p.forge(t, root)
			d, err := snapshots.Open(root, snapshots.Options{Environment: synthetic.Environment})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			l, err := d.Good()
			if err == nil {
				t.Fatalf("accepted: %+v", l.Head)
			}
			if errors.Is(err, snapshots.ErrNone) {
				t.Errorf("a poisoned store passes for an empty one: %v", err)
			}
			if !strings.Contains(err.Error(), root) || !strings.Contains(err.Error(), "restore the directory") {
				t.Errorf("the error names neither file nor way forward: %v", err)
			}
		})
	}
}

// With one copy intact every kind of damage to the other is healed.
func TestPoisonInOneCopy(t *testing.T) {
	for name, p := range poisons() {
		if p.files == nil {
			continue
		}
		healed := 0 // by loading alone, in one copy or the other
		for copy := range 2 {
			t.Run(fmt.Sprintf("%s/copy %d", name, copy), func(t *testing.T) {
				root := t.TempDir()
				d := openStore(t, root)
				s := build(t, synthetic.State(3, 30))
				h := put(t, d, s, 1)
				if err := d.MarkGood(h); err != nil {
					t.Fatal(err)
				}
				good, _, manifest, _ := d.Files(copy, h)
				part := d.PartFile(copy, s.PartSum(s.Accounts[0].Account))
				p.files(t, &forgedFile{parts: []string{part}, manifest: []string{manifest}, good: []string{good}})
				d.Close()
				d = openStore(t, root)
				l, err := d.Good()
				if err != nil || l.Head != h || l.Fallback {
					t.Fatalf("one good copy is not enough: %v, %+v", err, l.Head)
				}
				found := d.Damage()
				for _, f := range found {
					if f.Healed {
						healed++
					}
					// Nothing can be renamed over a directory: that is for a person.
					if f.Healed == strings.Contains(name, "directory") && !strings.HasSuffix(f.Path, ".note") {
						t.Errorf("healed %v: %s: %s", f.Healed, f.Path, f.Why)
					}
				}
				if err := d.Verify(); err != nil {
					t.Errorf("not healed: %v", err)
				}
				if found = append(found, d.Damage()...); len(found) == 0 {
					t.Error("the damage was not reported")
				}
				if again := d.Verify(); again != nil || !strings.Contains(name, "directory") && len(d.Damage()) != 0 {
					t.Errorf("not healed for good: %v", again)
				}
			})
		}
		if healed == 0 && !strings.Contains(name, "directory") {
			t.Errorf("%s: loading healed neither copy", name)
		}
	}
}

// forge writes a store whose only generation is poisoned.
func (p poison) forge(t *testing.T, root string) {
	d := openStore(t, root)
	s := build(t, synthetic.State(3, 30))
	h := put(t, d, s, 1)
	manifest := s.Manifest()
	draft := *s
	draft.Accounts = append([]snapshots.AccountPart{}, s.Accounts...)
	first := draft.Accounts[0]
	first.Prefixes = append([]snapshots.PrefixRecord{}, first.Prefixes...)
	first.Prefixes[0].BGP = append([]snapshots.BGPRecord{}, first.Prefixes[0].BGP...)
	first.Prefixes[0].Bindings = append([]snapshots.Binding{}, first.Prefixes[0].Bindings...)
	first.Routes = append([]snapshots.Route{}, first.Routes...)
	draft.Accounts[0] = first
	draft.Network.Neighbors = append([]policy.Neighbor{}, s.Network.Neighbors...)
	if p.part != nil {
		p.part(&draft.Accounts[0])
	}
	if p.whole != nil {
		p.whole(&draft)
	}
	write := func(v any, change func(string) string) snapshots.PartRef {
		raw := canonical(t, v, change)
		sum := snapshots.SumOf(raw)
		for copy := range 2 {
			path := d.PartFile(copy, sum)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, raw, 0o600)); err != nil {
				t.Fatal(err)
			}
		}
		return snapshots.PartRef{SHA256: sum, Size: int64(len(raw))}
	}
	for i := range draft.Accounts {
		var change func(string) string
		if i == 0 {
			change = p.account
		}
		ref := write(&draft.Accounts[i], change)
		manifest.Accounts[i].SHA256, manifest.Accounts[i].Size = ref.SHA256, ref.Size
		manifest.Accounts[i].Account, manifest.Accounts[i].Kind = draft.Accounts[i].Account, draft.Accounts[i].Kind
		count(&manifest.Accounts[i], &draft.Accounts[i])
	}
	stored := manifest.Accounts[0].SHA256
	manifest.Network = write(draft.Network, p.network)
	if p.ref != nil {
		p.ref(&manifest)
	}
	raw := canonical(t, manifest, p.manifest)
	h.ID = snapshots.ID(snapshots.SumOf(raw))
	if p.head != nil {
		p.head(&h)
	}
	signer, err := snapshots.LoadSigner(filepath.Join(root, "signing.key"))
	if err != nil {
		t.Fatal(err)
	}
	if p.signer != nil {
		signer = p.signer(t)
	}
	signed, err := snapshots.SignHead(h, signer)
	if err != nil {
		t.Fatal(err)
	}
	if p.note != nil {
		signed = p.note(signed)
	}
	files := &forgedFile{}
	for copy := range 2 {
		good, head, path, _ := d.Files(copy, h)
		if err := errors.Join(os.WriteFile(good, signed, 0o600), os.WriteFile(head, signed, 0o600), os.WriteFile(path, raw, 0o600)); err != nil {
			t.Fatal(err)
		}
		files.good = append(files.good, good, head)
		files.manifest = append(files.manifest, path)
		files.parts = append(files.parts, d.PartFile(copy, stored))
	}
	if p.files != nil {
		p.files(t, files)
	}
	d.Close()
}

func canonical(t *testing.T, v any, change func(string) string) []byte {
	raw, err := snapshots.Canonical(v)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		raw = []byte(change(string(raw)))
	}
	return raw
}

func count(ref *snapshots.AccountRef, p *snapshots.AccountPart) {
	ref.Prefixes, ref.RoutesIPv4, ref.RoutesIPv6 = len(p.Prefixes), 0, 0
	for _, r := range p.Routes {
		if r.CIDR.Addr().Is4() {
			ref.RoutesIPv4++
		} else {
			ref.RoutesIPv6++
		}
	}
}

// FuzzLoad puts anything in the place of a head, a manifest or a part: loading
// either gives what was stored or an error, and never panics.
func FuzzLoad(f *testing.F) {
	s := build(f, synthetic.State(2, 4))
	manifest, _ := snapshots.Canonical(s.Manifest())
	part, _ := snapshots.Canonical(s.Accounts[0])
	network, _ := snapshots.Canonical(s.Network)
	for kind, raw := range [][]byte{manifest, part, network, []byte("null"), []byte(`{"version":1}`), []byte("{}\n\n\xe2\x80\x94 x AAAA\n")} {
		f.Add(uint8(kind), raw)
	}
	f.Fuzz(func(t *testing.T, kind uint8, raw []byte) {
		got, err := snapshots.DecodeAny(kind, raw, synthetic.Environment)
		if err != nil {
			return
		}
		again, err := snapshots.Canonical(got)
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("accepted %q, which is written %q", raw, again)
		}
	})
}
