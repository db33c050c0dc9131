package script

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// writeSpeaker writes the configuration of a speaker alone that follows the
// daemon in ./data: speaker FILE ENVIRONMENT NAME directory|web. Its socket is
// $SPEAKER.
func writeSpeaker(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: speaker FILE ENVIRONMENT NAME directory|web")
	}
	key := strings.TrimSpace(ts.ReadFile("data/snapshots/signing.pub"))
	feed := fmt.Sprintf("{directory: ./data/snapshots, report_file: ./data/speakers/%s.json, keys: [%q]}", args[2], key)
	if args[3] == "web" {
		feed = fmt.Sprintf("{url: %q, ca_file: ./tls.crt, token_file: ./TOKEN, keys: [%q]}", "https://"+ts.Getenv("API"), key)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "environment: %s\nname: %s\ndata_dir: ./%[2]s\nadmin: {socket: %s}\nfeed: %s\n", args[1], args[2], ts.Getenv("SPEAKER"), feed)
	b.WriteString("bgp:\n  asn: 64500\n  router_id: 192.0.2.2\n  neighbors:\n    - {name: transit-a, address: 127.0.0.2, port: 1, asn: 64510, role: customer, " +
		"families: [ipv4-unicast, ipv6-unicast], next_hop: {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}}\n")
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// makeCertificate writes tls.crt and tls.key for 127.0.0.1.
func makeCertificate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	ts.Check(os.WriteFile(ts.MkAbs("tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
}

// waitSays runs a command of holdfast again and again until its output holds
// the text, 10 s at most: says TEXT ARGUMENTS.
func waitSays(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: says TEXT ARGUMENTS")
	}
	var last string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		err := ts.Exec("holdfast", args[1:]...)
		if last = ts.ReadFile("stdout") + ts.ReadFile("stderr"); err == nil && strings.Contains(last, args[0]) {
			return
		}
	}
	ts.Fatalf("holdfast %s never said %q:\n%s", strings.Join(args[1:], " "), args[0], last)
}

// damageParts cuts every stored part of the daemon short, in both copies.
func damageParts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: damage")
	}
	paths, err := filepath.Glob(filepath.Join(ts.MkAbs("data/snapshots"), "*", "parts", "*", "*.json"))
	ts.Check(err)
	if len(paths) == 0 {
		ts.Fatalf("no part is stored")
	}
	for _, p := range paths {
		ts.Check(os.Truncate(p, 10))
	}
}

// hasMetric wants a line of the daemon's metrics: metric LINE.
func hasMetric(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: metric LINE")
	}
	r, err := http.Get("http://" + ts.Getenv("METRICS") + "/metrics")
	ts.Check(err)
	defer r.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(r.Body)
	ts.Check(err)
	for line := range strings.Lines(body.String()) {
		if strings.TrimSpace(line) == args[0] {
			return
		}
	}
	ts.Fatalf("no such line in the metrics: %s", args[0])
}
