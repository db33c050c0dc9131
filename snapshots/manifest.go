package snapshots

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Version of the manifest and part format. Another major version is refused,
// never guessed at.
const Version = 1

// Manifest names the parts of a snapshot by content. Its own sha256 is the
// snapshot's ID.
type Manifest struct {
	Version     int          `json:"version"`
	Environment string       `json:"environment"`
	Network     PartRef      `json:"network"`
	Accounts    []AccountRef `json:"accounts"` // sorted by account id
}

// PartRef names one part by content.
type PartRef struct {
	SHA256 Sum   `json:"sha256"`
	Size   int64 `json:"size"` // bytes of the canonical form
}

// AccountRef names an account's part and counts what is in it, so that a
// listing needs no part.
type AccountRef struct {
	Account    string                 `json:"account"`
	Kind       addressing.AccountKind `json:"kind"`
	SHA256     Sum                    `json:"sha256"`
	Size       int64                  `json:"size"`
	Prefixes   int                    `json:"prefixes"`
	RoutesIPv4 int                    `json:"routes_ipv4"`
	RoutesIPv6 int                    `json:"routes_ipv6"`
}

// Part is the reference without the counts.
func (r AccountRef) Part() PartRef { return PartRef{SHA256: r.SHA256, Size: r.Size} }

// Routes is the number of advertised routes over all accounts.
func (m Manifest) Routes() int {
	n := 0
	for _, a := range m.Accounts {
		n += a.RoutesIPv4 + a.RoutesIPv6
	}
	return n
}

// sums are the hashes of all parts.
func (m *Manifest) sums() []Sum {
	out := make([]Sum, 0, len(m.Accounts)+1)
	out = append(out, m.Network.SHA256)
	for i := range m.Accounts {
		out = append(out, m.Accounts[i].SHA256)
	}
	return out
}

// canonicalOf is the canonical form of the manifest, made from that of each of
// its accounts: of twenty thousand only a few have changed. An array is in
// canonical form if what is in it is.
func (m Manifest) canonicalOf(lines [][]byte) ([]byte, error) {
	m.Accounts = []AccountRef{}
	frame, err := canonical(m)
	if err != nil {
		return nil, err
	}
	const open = `{"accounts":[` // the first name in their order
	rest, found := bytes.CutPrefix(frame, []byte(open))
	if !found {
		return nil, fmt.Errorf("canonical form of a manifest begins with %.20q", frame)
	}
	n := len(frame)
	for _, line := range lines {
		n += len(line) + 1
	}
	out := append(make([]byte, 0, n), open...)
	for i, line := range lines {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, line...)
	}
	return append(out, rest...), nil
}

// seal is what is known of a snapshot that was validated: the manifest, the ID
// and the counts that plans start from. A Snapshot without a seal is a draft.
type seal struct {
	id       ID
	manifest Manifest
	raw      []byte   // canonical manifest
	lines    [][]byte // canonical Manifest.Accounts, each by itself; nil of what was loaded
	tallies  []Tally  // beside Snapshot.Accounts
}

// ID of the snapshot, or "" while it is a draft that nothing has validated.
func (s *Snapshot) ID() ID {
	if s == nil || s.seal == nil {
		return ""
	}
	return s.seal.id
}

// Manifest of the snapshot; the zero Manifest while it is a draft.
func (s *Snapshot) Manifest() Manifest {
	if s == nil || s.seal == nil {
		return Manifest{}
	}
	m := s.seal.manifest
	m.Accounts = slices.Clone(m.Accounts)
	return m
}

// PartSum is the hash of one account's part, or "" if there is none.
func (s *Snapshot) PartSum(account string) Sum {
	if s == nil || s.seal == nil {
		return ""
	}
	if i, found := s.find(account); found {
		return s.seal.manifest.Accounts[i].SHA256
	}
	return ""
}

// NetworkSum is the hash of the network part, or "" of a draft.
func (s *Snapshot) NetworkSum() Sum {
	if s == nil || s.seal == nil {
		return ""
	}
	return s.seal.manifest.Network.SHA256
}

// Account finds an account's part. The part must not be written to.
func (s *Snapshot) Account(id string) (*AccountPart, bool) {
	if s == nil {
		return nil, false
	}
	if i, found := s.find(id); found {
		return &s.Accounts[i], true
	}
	return nil, false
}

// RouteCount is the number of routes over all accounts.
func (s *Snapshot) RouteCount() int {
	if s == nil {
		return 0
	}
	n := 0
	for i := range s.Accounts {
		n += len(s.Accounts[i].Routes)
	}
	return n
}

func (s *Snapshot) find(account string) (int, bool) {
	return slices.BinarySearchFunc(s.Accounts, account, func(p AccountPart, id string) int {
		return compareString(p.Account, id)
	})
}

func compareString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func refOf(p *AccountPart, raw []byte) AccountRef {
	ref := AccountRef{Account: p.Account, Kind: p.Kind, SHA256: sumOf(raw), Size: int64(len(raw)), Prefixes: len(p.Prefixes)}
	for i := range p.Routes {
		if p.Routes[i].CIDR.Addr().Is4() {
			ref.RoutesIPv4++
		} else {
			ref.RoutesIPv6++
		}
	}
	return ref
}
