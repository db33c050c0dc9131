package irr

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-bgp/holdfast/addressing"
)

const text = `% This is a comment of the server

person:   Somebody
address:  route: 192.0.2.0/24

route:          192.0.2.0/24
descr:          Example
+               cf-validation: token-0
origin:         AS64500 # ours
remarks:        cf-validation: token-1
mnt-by:         EXAMPLE-MNT

ROUTE6:         2001:db8::/32
origin:         as64501
remarks:        see
                CF-Validation:   token-2   (put there by us)
source:         TEST

route:          192.0.2.0/24
origin:         AS64502
`

func pfx(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func TestRead(t *testing.T) {
	var got []Object
	if err := Read(strings.NewReader(text), func(o Object) { got = append(got, o) }); err != nil {
		t.Fatal(err)
	}
	want := []Object{
		{Prefix: pfx("192.0.2.0/24"), Origin: 64500, Tokens: []string{"token-0", "token-1"}},
		{Prefix: pfx("2001:db8::/32"), Origin: 64501, Tokens: []string{"token-2"}},
		{Prefix: pfx("192.0.2.0/24"), Origin: 64502},
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}

func TestReadRefuses(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"route: 192.0.2.1/24\norigin: AS1\n", "line 1"},
		{"route: everything\norigin: AS1\n", "no prefix"},
		{"route: 192.0.2.0/24\norigin: 64500x\n", "line 2"},
		{"route: 192.0.2.0/24\norigin: AS4294967296\n", "no AS number"},
		{"route: 192.0.2.0/24\n", "no origin"},
		{"route: 192.0.2.0/24\norigin: AS1\norigin: AS2\n", "second origin"},
		{"route: 192.0.2.0/24\norigin: AS1\nroute: 0.0.0.0/0\n", "second route"},
		{"<html>\n", "no attribute"},
		{"remarks: " + strings.Repeat("x", maxLine), "line 1"},
	} {
		if err := Read(strings.NewReader(tc.text), func(Object) {}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.60q: %v, want %q", tc.text, err, tc.want)
		}
	}
	if _, err := ReadTable(strings.NewReader("person: x\n")); err == nil || !strings.Contains(err.Error(), "not one route") {
		t.Errorf("a file without routes: %v", err)
	}
}

func table(t *testing.T) *Table {
	t.Helper()
	got, err := ReadTable(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// broken is a source that cannot be asked.
type broken struct{}

func (broken) Routes(context.Context, netip.Prefix) ([]Object, error) {
	return nil, errors.New("no route to host")
}

func TestSteps(t *testing.T) {
	for _, tc := range []struct {
		name          string
		source        Source
		cidr          string
		asn           uint32
		token         string
		origin, owner addressing.ValidationState
		unasked       bool
	}{
		{"valid", table(t), "192.0.2.0/24", 64500, "token-1", addressing.ValidationValid, addressing.ValidationValid, false},
		{"the other object", table(t), "192.0.2.0/24", 64502, "token-0", addressing.ValidationValid, addressing.ValidationValid, false},
		{"another origin, another token", table(t), "192.0.2.0/24", 64503, "token", addressing.ValidationMismatchASN, addressing.ValidationMissing, false},
		{"a part of it", table(t), "192.0.2.0/25", 64500, "token-1", addressing.ValidationMissing, addressing.ValidationMissing, false},
		{"IPv6", table(t), "2001:db8::/32", 64501, "token-2", addressing.ValidationValid, addressing.ValidationValid, false},
		{"cannot be asked", broken{}, "192.0.2.0/24", 64500, "token-1", "", "", true},
		{"one of two has it", Sources{broken{}, table(t)}, "192.0.2.0/24", 64500, "token-1", addressing.ValidationValid, addressing.ValidationValid, false},
		{"one of two has it not", Sources{table(t), broken{}}, "192.0.2.0/24", 64503, "token", "", "", true},
	} {
		c := addressing.Claim{CIDR: pfx(tc.cidr), ASN: tc.asn, Token: tc.token}
		if got, err := (Origin{tc.source}).Validate(t.Context(), c); got != tc.origin || (err != nil) != tc.unasked {
			t.Errorf("%s: origin %q %v, want %q", tc.name, got, err, tc.origin)
		}
		if got, err := (Ownership{tc.source}).Validate(t.Context(), c); got != tc.owner || (err != nil) != tc.unasked {
			t.Errorf("%s: ownership %q %v, want %q", tc.name, got, err, tc.owner)
		}
	}
	if got, err := (Ownership{table(t)}).Validate(t.Context(), addressing.Claim{CIDR: pfx("192.0.2.0/24")}); err == nil {
		t.Errorf("an empty token matched: %q", got)
	}
}

// whois answers one question per connection on loopback.
func whois(t *testing.T, reply func(question string) string) Whois {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				line, err := bufio.NewReader(c).ReadString('\n')
				if err == nil {
					fmt.Fprint(c, reply(line))
				}
			}()
		}
	}()
	return Whois{Address: l.Addr().String(), Timeout: 5 * time.Second}
}

func TestWhois(t *testing.T) {
	asked := make(chan string, 1)
	w := whois(t, func(q string) string {
		asked <- q
		return "% Information related to '192.0.2.0/24AS64500'\n\nroute: 192.0.2.0/24\norigin: AS64500\nremarks: cf-validation: abc\n\n% This query was served\n"
	})
	got, err := Ownership{w}.Validate(t.Context(), addressing.Claim{CIDR: pfx("192.0.2.0/24"), Token: "abc"})
	if err != nil || got != addressing.ValidationValid {
		t.Errorf("%q %v", got, err)
	}
	if q := <-asked; q != "-r -x -T route 192.0.2.0/24\r\n" {
		t.Errorf("asked %q", q)
	}
	if q := question(pfx("2001:db8::/32")); q != "-r -x -T route6 2001:db8::/32\r\n" {
		t.Errorf("would ask %q", q)
	}
}

// TestSilenceIsNotMissing: only the server's own word for it is "no object".
func TestSilenceIsNotMissing(t *testing.T) {
	for _, tc := range []struct {
		name, reply string
		missing     bool
	}{
		{"none, says RIPE", "%ERROR:101: no entries found\n%\n% No entries found in source TEST.\n", true},
		{"none, says IRRd", "%  No entries found for the selected source(s).\n", true},
		{"nothing at all", "", false},
		{"a limit", "%ERROR:201: access denied for 192.0.2.1\n", false},
		{"not RPSL", "HTTP/1.1 400 Bad Request\n", false},
		{"too much", strings.Repeat("remarks: x\n", maxAnswer/10), false},
		{"cut off", "route: 192.0.2.0/24\n", false},
	} {
		w := whois(t, func(string) string { return tc.reply })
		got, err := Origin{w}.Validate(t.Context(), addressing.Claim{CIDR: pfx("192.0.2.0/24"), ASN: 64500})
		if tc.missing != (err == nil && got == addressing.ValidationMissing) || !tc.missing && (err == nil || got != "") {
			t.Errorf("%s: %q %v", tc.name, got, err)
		}
	}
	hang := whois(t, func(string) string { time.Sleep(300 * time.Millisecond); return "" })
	hang.Timeout = 20 * time.Millisecond
	if _, err := hang.Routes(t.Context(), pfx("192.0.2.0/24")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(text)
	f.Add("route: 192.0.2.0/24\n+\n \norigin:AS1")
	f.Add("+\n:\n")
	f.Add("route:0.0.0.0/10\ndesCr:\xffCf-vAlidAtion:")
	f.Fuzz(func(t *testing.T, text string) {
		_ = Read(strings.NewReader(text), func(o Object) {
			if !o.Prefix.IsValid() || o.Prefix != o.Prefix.Masked() {
				t.Errorf("object of %s", o.Prefix)
			}
		})
	})
}
