package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestInitialiseRefusesAUsedDirectoryWithoutMarker(t *testing.T) {
	d := dataDir(t.TempDir())
	if err := os.WriteFile(d.database(), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := d.initialise("demo", noon)
	if err == nil || !strings.Contains(err.Error(), d.marker()) {
		t.Errorf("error %v must name the marker", err)
	}
	if _, err := os.Lstat(d.snapshots()); err == nil {
		t.Error("something was made anew in a directory that lost its marker")
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
