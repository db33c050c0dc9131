package observed

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/holdfast-bgp/holdfast/bgp/wire/mrt"
)

// text writes a sighting so that readers can be compared.
func text(s *Sighting) string {
	if s.Kind == mrt.SessionState {
		return s.Kind.String()
	}
	out := fmt.Sprintf("%s %d.%03d %s AS%d %s", s.Kind, s.At.Unix(), s.At.Nanosecond()/1e6, s.Peer, s.PeerAS, s.Prefix)
	if s.Kind != mrt.Withdrawn {
		out += " " + s.Path.String()
	}
	return out + s.Collector
}

func TestLines(t *testing.T) {
	for _, tt := range []struct{ name, line, want, wrong string }{
		{"monocle", "A|1769113609.854028|2001:db8::1|64112|2001:db8:7::/48|64112 22850 {1,2}|IGP|2001:db8::1|0|0||false|||rrc00",
			"advertised 1769113609.854 2001:db8::1 AS64112 2001:db8:7::/48 64112 22850 {1,2}rrc00", ""},
		{"monocle withdrawal", "W|1769113609|192.0.2.1|64500|198.51.100.0/24||||||||||x", "withdrawn 1769113609.000 192.0.2.1 AS64500 198.51.100.0/24x", ""},
		{"bgpdump", "BGP4MP|1279829701|A|193.203.0.97|286|62.140.65.0/24|286 (65000 65001) [7,8] 6453|IGP|193.203.0.97|0|0||NAG||",
			"advertised 1279829701.000 193.203.0.97 AS286 62.140.65.0/24 286 (65000 65001) [7,8] 6453", ""},
		{"bgpdump table", "TABLE_DUMP2|1|B|192.0.2.1|1|10.0.0.0/8|1|IGP", "table entry 1.000 192.0.2.1 AS1 10.0.0.0/8 1", ""},
		{"bgpdump withdrawal", "BGP4MP|1|W|192.0.2.1|1|10.0.0.0/8", "withdrawn 1.000 192.0.2.1 AS1 10.0.0.0/8", ""},
		{"bgpdump state", "BGP4MP|1|STATE|192.0.2.1|1|6|1", "session state", ""},
		{"host bits", "W|1|192.0.2.1|1|10.1.2.3/8", "withdrawn 1.000 192.0.2.1 AS1 10.0.0.0/8", ""},
		{"empty path", "A|1|192.0.2.1|1|10.0.0.0/8||IGP", "advertised 1.000 192.0.2.1 AS1 10.0.0.0/8 ", ""},
		{"nonsense", "hello", "", "begins with"},
		{"type", "BGP4MP|1|X|192.0.2.1|1|10.0.0.0/8", "", `type "X"`},
		{"short", "A|1|192.0.2.1|1|10.0.0.0/8", "", "5 fields"},
		{"shorter", "BGP4MP|1", "", "record|time|type"},
		{"time", "A|yesterday|192.0.2.1|1|10.0.0.0/8|1", "", "time"},
		{"peer", "A|1|here|1|10.0.0.0/8|1", "", "peer"},
		{"peer AS", "A|1|192.0.2.1|0|10.0.0.0/8|1", "", "peer"},
		{"prefix", "A|1|192.0.2.1|1|10.0.0.0/33|1", "", "prefix"},
		{"path", "A|1|192.0.2.1|1|10.0.0.0/8|1 x", "", "path"},
		{"AS number", "A|1|192.0.2.1|1|10.0.0.0/8|1 4294967296", "", "path"},
		{"open set", "A|1|192.0.2.1|1|10.0.0.0/8|1 {2,3", "", "missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			for s, err := range Lines(strings.NewReader("# comment\n\n" + tt.line + "\n")) {
				n++
				if tt.wrong != "" {
					if err == nil || !strings.Contains(err.Error(), tt.wrong) || !strings.HasPrefix(err.Error(), "line 3: ") {
						t.Errorf("error %v, want line 3 and %q", err, tt.wrong)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, text(s)); diff != "" {
					t.Errorf("-want +got:\n%s", diff)
				}
			}
			if n != 1 {
				t.Errorf("%d sightings", n)
			}
		})
	}
}

// TestLinesGoOn: a line that cannot be read loses no other.
func TestLinesGoOn(t *testing.T) {
	good := "A|1|192.0.2.1|1|10.0.0.0/8|1"
	read, broken := 0, 0
	for _, err := range Lines(strings.NewReader(good + "\nbad\n" + good + "\n" + strings.Repeat("x", maxLine+1))) {
		if err != nil {
			broken++
		} else {
			read++
		}
	}
	if read != 2 || broken != 2 {
		t.Errorf("%d read, %d broken", read, broken)
	}
}

func FuzzLines(f *testing.F) {
	f.Add("A|1769113609.854028|2001:db8::1|64112|2001:db8:7::/48|64112 {1,2}|IGP|2001:db8::1|0|0||false|||rrc00")
	f.Add("BGP4MP|1|A|192.0.2.1|1|10.0.0.0/8|1 (2 3) [4,5] 6|IGP")
	f.Fuzz(func(t *testing.T, in string) {
		for s, err := range Lines(strings.NewReader(in)) {
			if err == nil && s.Kind != mrt.SessionState && (!s.Prefix.IsValid() || !s.Peer.IsValid() || s.PeerAS == 0) {
				t.Fatalf("%+v", s)
			}
		}
	})
}
