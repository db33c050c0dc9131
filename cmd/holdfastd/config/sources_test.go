package config

import (
	"strings"
	"testing"
	"time"
)

func TestSourcesAndCleanup(t *testing.T) {
	c, _, err := Parse("f.yaml", "/base", []byte(contract))
	if err != nil {
		t.Fatal(err)
	}
	if c.Cleanup.Enabled || c.Cleanup.Apply || c.Cleanup.Cap != 10 || c.RPKI.Refresh != 10*time.Minute || c.RPKI.File+c.RPKI.RTR+c.IRR.File+c.IRR.Whois != "" {
		t.Errorf("defaults: %+v %+v %+v", c.Cleanup, c.RPKI, c.IRR)
	}
	c, _, err = Parse("f.yaml", "/base", []byte(contract+`rpki: {file: vrps.json, slurm: /etc/slurm.json, refresh: 1m}
irr: {file: irr.db, whois: "127.0.0.1:43"}
cleanup: {enabled: true, dry_run: false, every: 5m, cap: 3}
`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (RPKI{File: "/base/vrps.json", SLURM: "/etc/slurm.json", Refresh: time.Minute}); c.RPKI != want {
		t.Errorf("rpki %+v", c.RPKI)
	}
	if want := (IRR{File: "/base/irr.db", Whois: "127.0.0.1:43"}); c.IRR != want {
		t.Errorf("irr %+v", c.IRR)
	}
	if want := (Cleanup{Enabled: true, Apply: true, Every: 5 * time.Minute, Cap: 3}); c.Cleanup != want {
		t.Errorf("cleanup %+v", c.Cleanup)
	}
	// Enabling alone runs dry.
	if c, _, err = Parse("f.yaml", "/base", []byte(contract+"cleanup: {enabled: true}\n")); err != nil || !c.Cleanup.Enabled || c.Cleanup.Apply {
		t.Errorf("enabled alone: %+v %v", c, err)
	}
}

func TestSourcesRefused(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"rpki: {file: a, rtr: \"127.0.0.1:8282\"}", "rpki.rtr"},
		{"rpki: {slurm: a}", "rpki.slurm"},
		{"rpki: {rtr: rtr.example.net}", "rpki.rtr"},
		{"rpki: {file: a, refresh: 1ms}", "rpki.refresh"},
		{"rpki: {fil: a}", "fil"},
		{"irr: {whois: whois.example.net}", "irr.whois"},
		{"cleanup: {cap: 0}", "cleanup.cap"},
		{"cleanup: {cap: 4306}", "cleanup.cap"},
		{"cleanup: {every: 0s}", "cleanup.every"},
		{"cleanup: {enabled: perhaps}", "f.yaml:"},
	} {
		if _, _, err := Parse("f.yaml", "/base", []byte(contract+tc.text+"\n")); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", tc.text, err)
		}
	}
}
