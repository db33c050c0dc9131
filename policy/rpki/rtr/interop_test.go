//go:build interop

package rtr

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/policy/rpki"
)

// TestStayRTR takes a table from Debian's cache, in both versions.
func TestStayRTR(t *testing.T) {
	file := filepath.Join(t.TempDir(), "vrps.json")
	text := `{"metadata":{"buildtime":"` + time.Now().UTC().Format(time.RFC3339) + `"},"roas":[
		{"prefix":"192.0.2.0/24","maxLength":25,"asn":64500,"ta":"t","expires":4000000000},
		{"prefix":"2001:db8::/32","maxLength":48,"asn":64501,"ta":"t","expires":4000000000}]}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	daemon := exec.Command("stayrtr", "-bind", address, "-cache", file, "-checktime=false", "-metrics.addr", "")
	daemon.Stdout, daemon.Stderr = os.Stderr, os.Stderr
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	want := []rpki.VRP{{Prefix: netip.MustParsePrefix("192.0.2.0/24"), MaxLen: 25, ASN: 64500}, {Prefix: netip.MustParsePrefix("2001:db8::/32"), MaxLen: 48, ASN: 64501}}
	for _, version := range []uint8{1, 0} {
		got, err := take(address, version)
		for i := 0; i < 100 && err != nil; i++ { // it takes a moment to read its file
			time.Sleep(100 * time.Millisecond)
			got, err = take(address, version)
		}
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		set, err := rpki.NewSet(got)
		if err != nil || !slices.Equal(set.VRPs(), want) {
			t.Errorf("version %d: %v %v, want %v", version, set.VRPs(), err, want)
		}
	}
}

func take(address string, version uint8) ([]rpki.VRP, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	s := NewSession(conn, version, 5*time.Second)
	first, err := s.Sync()
	if err == nil && len(first) == 0 {
		return nil, fmt.Errorf("the cache is empty")
	}
	if err != nil {
		return nil, err
	}
	return s.Sync() // a serial query that brings nothing new
}
