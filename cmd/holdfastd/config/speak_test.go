package config

import (
	"strings"
	"testing"
	"time"
)

const speaker = `environment: production
name: speaker-a
data_dir: ./data
admin: {socket: ./admin.sock}
feed:
  directory: /srv/snapshots
  report_file: ./report.json
  keys: ["holdfast/demo+7e67f9e5+AURb4uCNpgSPDHpQcFqIN171hO88lU1tzH4Et/O3lWM0"]
bgp:
  asn: 64500
  router_id: 192.0.2.2
  neighbors:
    - {name: edge-1, address: 192.0.2.9, asn: 64510, role: customer, families: [ipv4-unicast], next_hop: {ipv4: 192.0.2.1}}
`

func TestSpeak(t *testing.T) {
	c, _, err := ParseSpeak("speak.yaml", "/etc/holdfast", []byte(speaker))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "speaker-a" || c.DataDir != "/etc/holdfast/data" || c.Feed.Directory != "/srv/snapshots" || c.Feed.ReportFile != "/etc/holdfast/report.json" ||
		len(c.Feed.Keys) != 1 || len(c.BGP.Neighbors) != 1 || c.BGP.Neighbors[0].RestartTime != 120*time.Second || c.Metrics != "" {
		t.Errorf("%+v", c)
	}
}

func TestSpeakRefuses(t *testing.T) {
	web := "url: https://controller:8443\n  token_file: ./token"
	for name, c := range map[string]struct {
		old, now string
		want     string
	}{
		"no name":            {"name: speaker-a\n", "", "name: is missing"},
		"no feed":            {"directory: /srv/snapshots\n  report_file: ./report.json", "directory: ''", "names no source"},
		"two feeds":          {"report_file: ./report.json", web, "feed.url: there is a directory too"},
		"plain http":         {"directory: /srv/snapshots\n  report_file: ./report.json", "url: http://controller\n  token_file: ./token", "not https"},
		"credentials in url": {"directory: /srv/snapshots\n  report_file: ./report.json", "url: https://u:p@controller\n  token_file: ./token", "not https"},
		"no token":           {"directory: /srv/snapshots\n  report_file: ./report.json", "url: https://controller", "feed.token_file: is missing"},
		"token for files":    {"report_file: ./report.json", "token_file: ./token", "needs no token"},
		"report file to url": {"directory: /srv/snapshots", web, "goes with feed.directory"},
		"no key":             {`["holdfast/demo+7e67f9e5+AURb4uCNpgSPDHpQcFqIN171hO88lU1tzH4Et/O3lWM0"]`, "[]", "feed.keys: is missing"},
		"key with a typo":    {"AURb4uCN", "AURb4uCA", "feed.keys"},
		"a daemon's key":     {"name: speaker-a\n", "name: speaker-a\nbreaker: {hold_mode: refuse}\n", "breaker"},
		"no environment":     {"environment: production\n", "", "environment: is missing"},
	} {
		_, _, err := ParseSpeak("speak.yaml", "/etc/holdfast", []byte(strings.Replace(speaker, c.old, c.now, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "speak.yaml:") {
			t.Errorf("%s: %v, want %q with its place", name, err, c.want)
		}
	}
}
