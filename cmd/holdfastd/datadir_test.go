package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/breaker"
)

func TestInitialiseIsRepeatableUntilTheMarker(t *testing.T) {
	d := dataDir(filepath.Join(t.TempDir(), "data"))
	if first, err := d.initialise("demo", noon); err != nil || !first {
		t.Fatalf("first start: %v %v", first, err)
	}
	if first, err := d.initialise("demo", noon); err != nil || first {
		t.Fatalf("second start: %v %v", first, err)
	}
	info, err := os.Stat(filepath.Join(d.snapshots(), "signing.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("signing key: %v %v, want mode 0600", info, err)
	}
	// Died just before the marker was written: the next start finishes it.
	if err := os.Remove(d.marker()); err != nil {
		t.Fatal(err)
	}
	if first, err := d.initialise("demo", noon); err != nil || !first {
		t.Errorf("repeated first start: %v %v", first, err)
	}
}

func TestUsedDirectoryWithoutMarkerIsNoFirstStart(t *testing.T) {
	for _, left := range []string{"intent.db", "snapshots/a/heads/00000000000000000001.note"} {
		t.Run(left, func(t *testing.T) {
			d := dataDir(t.TempDir())
			file := filepath.Join(string(d), left)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if first, err := d.initialise("demo", noon); err != nil || first {
				t.Errorf("first %v, error %v: want a later start", first, err)
			}
			if _, err := os.Lstat(d.journal()); err == nil {
				t.Error("a journal was made anew in a directory that lost its marker")
			}
			if _, err := os.Lstat(d.marker()); err != nil {
				t.Errorf("the marker: %v", err)
			}
		})
	}
}

// TestOpenBreakerNeverStopsTheStart: a daemon that does not start withdraws
// everything once the neighbors' restart time is over.
func TestOpenBreakerNeverStopsTheStart(t *testing.T) {
	for name, ruin := range map[string]func(t *testing.T, journal string){
		"no directory": func(*testing.T, string) {},
		"not a directory": func(t *testing.T, journal string) {
			if err := os.WriteFile(journal, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dataDir(t.TempDir())
			ruin(t, d.journal())
			b := openBreaker(d.journal(), breaker.DefaultLimits(), noon, slog.New(slog.DiscardHandler))
			defer b.Close()
			if s := b.State(noon); s != breaker.Open {
				t.Errorf("state %s, want open", s)
			}
		})
	}
}

func TestDamagedTokenMirrorIsKeptAside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth.json")
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openMirror(file, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(file + ".damaged"); err != nil || string(kept) != "{" {
		t.Errorf("kept %q, error %v", kept, err)
	}
}

func TestListenSocketReplacesOnlyADeadOne(t *testing.T) {
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "run", "admin.sock")
	l, err := listenSocket(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket %v %v, want mode 0600", info, err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("a live socket was replaced: %v", err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false) // as kill -9 leaves it
	l.Close()
	again, err := listenSocket(path)
	if err != nil {
		t.Fatalf("a stale socket was not replaced: %v", err)
	}
	again.Close()
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := listenSocket(path); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file was replaced: %v", err)
	}
}

func TestMD5Key(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	for content, want := range map[string]string{"s3cret\n": "s3cret", "a b": "a b", "\n": ""} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := md5Key(file)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%q: key %q, error %v", content, got, err)
		}
	}
	if key, err := md5Key(""); key != "" || err != nil {
		t.Errorf("no file: %q %v", key, err)
	}
}
