package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair writes a certificate with this serial number, and its key.
func writePair(t *testing.T, certFile, keyFile string, serial int64, at time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "holdfast"}, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(24 * time.Hour), DNSNames: []string{"holdfast"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp(t, file, at)
	}
}

func stamp(t *testing.T, file string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(file, at, at); err != nil {
		t.Fatal(err)
	}
}

// TestCertificateIsReloaded: a renewed certificate is served without a restart;
// one that is broken, half written or gone keeps the old one, and is logged
// once, not with every handshake.
func TestCertificateIsReloaded(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	var log bytes.Buffer
	at := time.Now().Truncate(time.Second)
	listen := func() (net.Listener, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return listenTLS(l, certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
	}
	if _, err := listen(); err == nil || !strings.Contains(err.Error(), "api.tls") {
		t.Fatalf("without a certificate: %v", err)
	}
	writePair(t, certFile, keyFile, 1, at)
	l, err := listen()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	serial := func() int64 {
		t.Helper()
		done := make(chan error, 1)
		go func() {
			c, err := l.Accept()
			if err == nil {
				err = c.(*tls.Conn).Handshake()
				c.Close()
			}
			done <- err
		}()
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true}) // the serial number is what is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	expect := func(what string, want int64, complaints int) {
		t.Helper()
		for range 2 {
			if got := serial(); got != want {
				t.Errorf("%s: certificate %d is served, want %d", what, got, want)
			}
		}
		if n := strings.Count(log.String(), "cannot be used"); n != complaints {
			t.Errorf("%s: %d complaints in the log, want %d:\n%s", what, n, complaints, log.String())
		}
	}
	expect("at the start", 1, 0)
	writePair(t, certFile, keyFile, 2, at.Add(time.Minute))
	expect("renewed", 2, 0)
	if err := os.WriteFile(certFile, []byte("-----BEGIN CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stamp(t, certFile, at.Add(2*time.Minute))
	expect("half written", 2, 1)
	if err := os.Remove(keyFile); err != nil {
		t.Fatal(err)
	}
	expect("its key is gone", 2, 2)
	writePair(t, certFile, keyFile, 3, at.Add(3*time.Minute))
	expect("mended", 3, 2)
}
