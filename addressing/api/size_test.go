package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// What is too large is refused with the limit named, in the form of the
// surface, and nothing is stored.
func TestSizeLimits(t *testing.T) {
	w := newWorld(t)
	before := w.version()
	long := strings.Repeat("x", 70_000)
	letter := "--x\r\nContent-Disposition: form-data; name=\"loa_document\"\r\n\r\n%PDF-1.4" + strings.Repeat("y", 10<<20+80<<10) + "\r\n--x--\r\n"
	for _, c := range []struct{ name, token, method, path, body, media, says string }{
		{"body", "admin", "POST", w.at("/prefixes"), `{"cidr":"192.0.2.0/24","asn":64500,"description":"` + long + `"}`, "application/json", "64 kB"},
		{"body of an operator", "operator", "POST", "/v1/accounts", `{"name":"` + long + `"}`, "application/json", "64 kB"},
		{"body where none is", "admin", "POST", w.at("/prefixes/") + strings.Repeat("0", 32) + "/validate", long, "application/json", "64 kB"},
		{"letter", "admin", "POST", w.at("/loa_documents"), letter, "multipart/form-data; boundary=x", "10 MB"},
	} {
		r := w.do(c.token, c.method, c.path, c.body, "Content-Type", c.media)
		if c.name == "body where none is" && r.status == http.StatusNotFound {
			continue // existence comes before the body
		}
		if r.status != http.StatusRequestEntityTooLarge || !strings.Contains(string(r.body), c.says) || r.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: %d %v %.300s", c.name, r.status, r.header, r.body)
		}
	}
	if w.version() != before {
		t.Error("something was stored")
	}
}

// Headers are bounded before anything is read of them.
func TestHeaderLimit(t *testing.T) {
	w := newWorld(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := api.NewHTTPServer(w.api, nil)
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for kilobytes, want := range map[int]int{8: http.StatusOK, 64: http.StatusRequestHeaderFieldsTooLarge} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", kilobytes<<10))
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatalf("%d kB: %v", kilobytes, err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		c.Close()
		if res.StatusCode != want {
			t.Errorf("%d kB of headers: %d, want %d", kilobytes, res.StatusCode, want)
		}
	}
}
