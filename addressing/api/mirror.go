package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing"
)

// Mirror keeps the tokens' hashes in a plain file beside the database, so that
// authentication works with the database gone (DESIGN section 4). It is read
// at start and written before each change of the tokens is committed.
type Mirror struct {
	path   string
	byHash atomic.Pointer[map[string]addressing.TokenRecord]
}

// mirrorFile is the file's form.
type mirrorFile struct {
	Tokens []addressing.TokenRecord `json:"tokens"`
}

// OpenMirror reads the file, which need not be there yet. A file that is there
// and cannot be read is an error: starting without it would lock everybody out.
func OpenMirror(path string) (*Mirror, error) {
	m := &Mirror{path: path}
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		m.use(nil)
		return m, nil
	}
	if err != nil {
		return nil, fmt.Errorf("token mirror: %w", err)
	}
	var f mirrorFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("token mirror: %s: %w; move it away to start without, the database rewrites it", path, err)
	}
	m.use(f.Tokens)
	return m, nil
}

// Save replaces the file and what Authenticate sees. It is
// addressing.Options.OnTokens.
func (m *Mirror) Save(tokens []addressing.TokenRecord) error {
	raw, err := json.MarshalIndent(mirrorFile{Tokens: tokens}, "", "  ")
	if err != nil {
		return fmt.Errorf("token mirror: %w", err)
	}
	if err := renameio.WriteFile(m.path, append(raw, '\n'), 0o600); err != nil {
		return fmt.Errorf("token mirror: %w", err)
	}
	if err := syncDir(filepath.Dir(m.path)); err != nil {
		return fmt.Errorf("token mirror: %w", err)
	}
	m.use(tokens)
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (m *Mirror) use(tokens []addressing.TokenRecord) {
	byHash := make(map[string]addressing.TokenRecord, len(tokens))
	for _, t := range tokens {
		byHash[t.Hash] = t
	}
	m.byHash.Store(&byHash)
}

// Tokens lists what the mirror holds, sorted by id: what tokens are put back
// from when the database was lost.
func (m *Mirror) Tokens() []addressing.TokenRecord {
	out := slices.Collect(maps.Values(*m.byHash.Load()))
	slices.SortFunc(out, func(a, b addressing.TokenRecord) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Authenticate finds the token with this hash that may be used now and from
// this address. It answers like addressing.Registry.Authenticate, without the
// store.
func (m *Mirror) Authenticate(hash string, from netip.Addr, at time.Time) (addressing.TokenRecord, error) {
	t, ok := (*m.byHash.Load())[hash]
	if !ok || t.RevokedAt != nil || t.ExpiresAt != nil && !at.Before(*t.ExpiresAt) || !usableFrom(t, from) {
		return addressing.TokenRecord{}, &addressing.Error{Code: addressing.CodeUnauthenticated, Op: "authenticate",
			Detail: "unknown, expired, revoked or misplaced token"}
	}
	return t, nil
}

func usableFrom(t addressing.TokenRecord, from netip.Addr) bool {
	if len(t.CIDRs) == 0 {
		return true
	}
	from = from.Unmap()
	return slices.ContainsFunc(t.CIDRs, func(p netip.Prefix) bool { return p.Contains(from) })
}
