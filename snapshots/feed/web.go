package feed

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

// Web is a feed over HTTPS: the daemon's API.
type Web struct {
	base, token string // URL without a trailing slash; file with the token
	client      *http.Client
}

// Times of requests. A poll takes up to longPoll when nothing changes.
const (
	longPoll       = 20 * time.Second
	requestTimeout = 60 * time.Second

	fewParts = 16 // more than that come in one bundle
)

// NewWeb makes a feed from a daemon's URL, https only, a file of CA
// certificates (empty takes the system's) and a file with the token, which is
// read for each request so that it can be rotated.
func NewWeb(base, caFile, tokenFile string) (*Web, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("feed url %q: want https://HOST[:PORT]", base)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("feed ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("feed ca_file %s: holds no certificate", caFile)
		}
	}
	return &Web{base: strings.TrimRight(base, "/"), token: tokenFile, client: &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: 2 * time.Minute,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: longPoll + 15*time.Second},
		// A redirect would carry the token elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// pointerDocument is the pointer as the API writes it.
type pointerDocument struct {
	Head   string `json:"head"`
	Permit string `json:"permit"`
}

// Poll asks for the pointer and waits at the daemon while it is the last one.
func (w *Web) Poll(ctx context.Context, last Pointer) (Pointer, error) {
	header := http.Header{}
	path := "/v1/snapshots/pointer"
	if len(last.Head) > 0 {
		header.Set("If-None-Match", `"`+last.Tag()+`"`)
		path += "?wait=" + strconv.Itoa(int(longPoll/time.Second))
	}
	r, err := w.do(ctx, http.MethodGet, path, header, nil)
	if err != nil {
		return Pointer{}, err
	}
	defer r.Body.Close()
	switch r.StatusCode {
	case http.StatusNotModified:
		return last, nil
	case http.StatusNotFound:
		return Pointer{}, fmt.Errorf("feed %s: %w", w.base, ErrEmpty)
	}
	raw, err := w.body(r, 4*maxPointer)
	if err != nil {
		return Pointer{}, err
	}
	var d pointerDocument
	if err := json.Unmarshal(raw, &d); err != nil {
		return Pointer{}, fmt.Errorf("feed %s: the pointer cannot be read: %w", w.base, err)
	}
	p := Pointer{Head: []byte(d.Head)}
	if d.Permit != "" {
		p.Permit = []byte(d.Permit)
	}
	return p, nil
}

// Manifest implements snapshots.Source.
func (w *Web) Manifest(ctx context.Context, id snapshots.ID) ([]byte, error) {
	return w.get(ctx, "/v1/snapshots/manifests/"+url.PathEscape(string(id)), snapshots.DefaultLimits().ManifestBytes)
}

// Parts implements snapshots.Source.
func (w *Web) Parts(ctx context.Context, id, base snapshots.ID, want []snapshots.PartRef, put func(snapshots.Sum, []byte) error) error {
	if len(want) > fewParts {
		return w.bundle(ctx, id, base, put)
	}
	for _, ref := range want {
		raw, err := w.get(ctx, "/v1/snapshots/parts/"+url.PathEscape(string(ref.SHA256)), ref.Size)
		if err != nil {
			return err
		}
		if err := put(ref.SHA256, raw); err != nil {
			return fmt.Errorf("feed %s: %w", w.base, err)
		}
	}
	return nil
}

func (w *Web) bundle(ctx context.Context, id, base snapshots.ID, put func(snapshots.Sum, []byte) error) error {
	path := "/v1/snapshots/manifests/" + url.PathEscape(string(id)) + "/parts"
	if base != "" {
		path += "?base=" + url.QueryEscape(string(base))
	}
	r, err := w.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		_, err := w.body(r, 0)
		return err
	}
	if err := unbundle(r.Body, snapshots.DefaultLimits().PartBytes, put); err != nil {
		return fmt.Errorf("feed %s: %w", w.base, err)
	}
	return nil
}

// Send posts the report.
func (w *Web) Send(ctx context.Context, report Report) error {
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	r, err := w.do(ctx, http.MethodPost, "/v1/speakers/"+url.PathEscape(report.Speaker)+"/report", header, raw)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	_, err = w.body(r, maxPointer)
	return err
}

func (w *Web) get(ctx context.Context, path string, limit int64) ([]byte, error) {
	r, err := w.do(ctx, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	return w.body(r, limit)
}

func (w *Web) do(ctx context.Context, method, path string, header http.Header, body []byte) (*http.Response, error) {
	token, err := os.ReadFile(w.token)
	if err != nil {
		return nil, fmt.Errorf("feed token_file: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, w.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	r, err := w.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	return r, nil
}

// body reads an answer that must be a success.
func (w *Web) body(r *http.Response, limit int64) ([]byte, error) {
	if r.StatusCode < 200 || r.StatusCode > 299 {
		text, _ := io.ReadAll(io.LimitReader(r.Body, 500))
		return nil, fmt.Errorf("feed %s: the daemon answered %s: %s", w.base, r.Status, bytes.TrimSpace(text))
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("feed %s: %w", w.base, err)
	}
	if int64(len(raw)) > limit {
		return nil, errors.New("feed " + w.base + ": the answer is larger than it may be")
	}
	return raw, nil
}
