package feed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/snapshots"
)

func part(text string) (snapshots.PartRef, []byte) {
	sum := sha256.Sum256([]byte(text))
	return snapshots.PartRef{SHA256: snapshots.Sum(hex.EncodeToString(sum[:])), Size: int64(len(text))}, []byte(text)
}

// bundle is three parts, one of them with what looks like a frame.
func bundle(t testing.TB) ([]byte, map[snapshots.Sum][]byte) {
	t.Helper()
	parts, refs := map[snapshots.Sum][]byte{}, []snapshots.PartRef{}
	for _, text := range []string{`{"a":1}`, "", ".\nabc 3\n"} {
		ref, raw := part(text)
		parts[ref.SHA256] = raw
		refs = append(refs, ref)
	}
	var b bytes.Buffer
	if err := Bundle(&b, refs, func(s snapshots.Sum) ([]byte, error) { return parts[s], nil }); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), parts
}

func TestBundle(t *testing.T) {
	raw, want := bundle(t)
	got := map[snapshots.Sum][]byte{}
	if err := unbundle(bytes.NewReader(raw), 100, func(s snapshots.Sum, b []byte) error { got[s] = b; return nil }); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
	// Cut short anywhere, it is no bundle.
	for n := range raw {
		if err := unbundle(bytes.NewReader(raw[:n]), 100, func(snapshots.Sum, []byte) error { return nil }); err == nil {
			t.Errorf("cut to %d bytes: taken as whole", n)
		}
	}
	for name, bad := range map[string]string{"no size": "abc\n", "negative": "abc -1\n", "too large": "abc 101\n", "not a number": "abc x\n", "a line without end": strings.Repeat("x", 100000)} {
		if err := unbundle(strings.NewReader(bad), 100, func(snapshots.Sum, []byte) error { return nil }); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	stop := errors.New("stop")
	if err := unbundle(bytes.NewReader(raw), 100, func(snapshots.Sum, []byte) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("an error of put: %v", err)
	}
}

func FuzzUnbundle(f *testing.F) {
	raw, _ := bundle(f)
	f.Add(raw)
	f.Add([]byte(".\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		taken := 0
		_ = unbundle(bytes.NewReader(raw), 1000, func(_ snapshots.Sum, b []byte) error { taken += len(b); return nil })
		if taken > len(raw) {
			t.Errorf("%d bytes out of %d", taken, len(raw))
		}
	})
}

// daemon serves a feed the way the API does.
func daemon(t *testing.T, answer http.HandlerFunc) *Web {
	t.Helper()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			http.Error(w, "who are you", http.StatusUnauthorized)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	dir := t.TempDir()
	ca, token := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "token")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(token, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := NewWeb(s.URL, ca, token)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWeb(t *testing.T) {
	now := Pointer{Head: []byte("head"), Permit: []byte("permit")}
	raw, parts := bundle(t)
	var reported Report
	w := daemon(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/snapshots/pointer":
			if r.Header.Get("If-None-Match") == `"`+now.Tag()+`"` {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			_ = json.NewEncoder(w).Encode(pointerDocument{Head: string(now.Head), Permit: string(now.Permit)})
		case strings.HasSuffix(r.URL.Path, "/parts"):
			_, _ = w.Write(raw)
		case strings.HasPrefix(r.URL.Path, "/v1/snapshots/parts/"):
			_, _ = w.Write(parts[snapshots.Sum(filepath.Base(r.URL.Path))])
		case r.URL.Path == "/v1/speakers/a/report":
			body, _ := io.ReadAll(r.Body)
			_ = json.Unmarshal(body, &reported)
			_, _ = io.WriteString(w, `{"generation":1}`)
		default:
			http.Redirect(w, r, "https://192.0.2.1/", http.StatusFound)
		}
	})
	ctx := t.Context()
	p, err := w.Poll(ctx, Pointer{})
	if err != nil || !p.Equal(now) {
		t.Fatalf("poll: %q, %v", p, err)
	}
	if again, err := w.Poll(ctx, p); err != nil || !again.Equal(now) {
		t.Errorf("poll again: %q, %v", again, err)
	}
	now.Permit = nil
	if p, err = w.Poll(ctx, p); err != nil || p.Permit != nil {
		t.Errorf("after the permit went: %q, %v", p, err)
	}
	for _, many := range []bool{false, true} {
		var want []snapshots.PartRef
		for sum, raw := range parts {
			want = append(want, snapshots.PartRef{SHA256: sum, Size: int64(len(raw))})
		}
		for many && len(want) <= fewParts {
			want = append(want, want...)
		}
		got := map[snapshots.Sum]bool{}
		if err := w.Parts(ctx, "id", "base", want, func(s snapshots.Sum, _ []byte) error { got[s] = true; return nil }); err != nil || len(got) != len(parts) {
			t.Errorf("parts, many %v: %d of %d, %v", many, len(got), len(parts), err)
		}
	}
	if err := w.Send(ctx, Report{Speaker: "a", Generation: 7}); err != nil || reported.Generation != 7 {
		t.Errorf("report: %+v, %v", reported, err)
	}
	// A redirect is not followed: it would carry the token elsewhere.
	if _, err := w.Manifest(ctx, "id"); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("redirect: %v", err)
	}
}

func TestWebRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"no snapshot": {func(w http.ResponseWriter, _ *http.Request) { http.NotFound(w, nil) }, ErrEmpty.Error()},
		"broken":      {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "down", http.StatusServiceUnavailable) }, "503"},
		"nonsense":    {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "cannot be read"},
		"without end": {func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 8*maxPointer)) }, "larger"},
	} {
		if _, err := daemon(t, c.answer).Poll(t.Context(), Pointer{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	w := daemon(t, func(http.ResponseWriter, *http.Request) {})
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	w.base = strings.Replace(other.URL, "127.0.0.1", "localhost", 1) // a name that the certificate does not have
	if _, err := w.Poll(t.Context(), Pointer{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("another name: %v", err)
	}
	for _, bad := range []string{"http://controller", "controller:443", "https://u:p@controller", "https://controller?x=1", ""} {
		if _, err := NewWeb(bad, "", "token"); err == nil {
			t.Errorf("%q: taken", bad)
		}
	}
}

func TestReportCheck(t *testing.T) {
	good := Report{Speaker: "speaker-a", Environment: "production"}
	if err := good.Check("speaker-a", "production"); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Report){
		"another speaker":     func(r *Report) { r.Speaker = "speaker-b" },
		"another environment": func(r *Report) { r.Environment = "staging" },
		"many events":         func(r *Report) { r.Events = make([]Event, MaxEvents+1) },
		"many neighbors":      func(r *Report) { r.Neighbors = make([]Neighbor, MaxNeighbors+1) },
		"long text":           func(r *Report) { r.Refused = strings.Repeat("x", 2000) },
	} {
		r := good
		if change(&r); r.Check("speaker-a", "production") == nil {
			t.Errorf("%s: taken", name)
		}
	}
	path := Report{Speaker: "../a", Environment: "production"}
	if path.Check("../a", "production") == nil {
		t.Error("a name that is a path: taken")
	}
}
