package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// verdicts tells what was found in one line each.
func verdicts(all []api.Diagnosis) string {
	var out []string
	for _, d := range all {
		line := string(d.Verdict) + " " + d.Check + ": " + d.Detail
		if (d.Next == nil || *d.Next == "") != (d.Verdict == api.DiagnosisVerdictOk) {
			line += " (a finding without a way forward, or the reverse)"
		}
		out = append(out, strings.TrimSpace(line))
	}
	return strings.Join(out, "\n")
}

// TestExamine: a checkup that hangs or breaks is a risk and hides no other.
func TestExamine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := doctor{func() []checkup {
			return []checkup{
				{"hangs", func(ctx context.Context, _ time.Time) []api.Diagnosis { time.Sleep(time.Hour); return nil }},
				{"breaks", func(context.Context, time.Time) []api.Diagnosis { panic("boom") }},
				{"works", func(context.Context, time.Time) []api.Diagnosis { return fine("well") }},
				{"finds two", func(context.Context, time.Time) []api.Diagnosis { return append(warning("a", "b"), risk("c", "d")...) }},
			}
		}}
		begin := time.Now()
		want := "risk hangs: no answer within 5s\nrisk breaks: the check itself broke: boom\nok works: well\nwarning finds two: a\nrisk finds two: c"
		if got := verdicts(d.Examine(t.Context(), begin)); got != want {
			t.Errorf("found\n%s\nwant\n%s", got, want)
		}
		if took := time.Since(begin); took != checkupTime {
			t.Errorf("it took %s", took)
		}
		time.Sleep(time.Hour)
	})
}

// TestStorageIsLookedAt: what cannot be written is a risk, with the reason.
func TestStorageIsLookedAt(t *testing.T) {
	dir := dataDir(t.TempDir())
	if err := os.Chmod(string(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir.journal(), 0o700); err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir.journal(), "losses.journal")
	write := func() {
		t.Helper()
		if err := os.WriteFile(journal, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	look := func(what, want string, found []api.Diagnosis) {
		t.Helper()
		if got := verdicts(found); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	look("no journal", "risk : there is no journal", checkJournal(dir))
	write()
	look("a journal", "ok : losses can be recorded", checkJournal(dir))
	look("a directory", "ok ", checkDataDir(dir))
	look("its disk", "", checkDisk(dir))
	if left, err := filepath.Glob(filepath.Join(string(dir), "*", ".probe*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if err := os.Chmod(string(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	look("an open directory", "warning : "+string(dir)+" is open to others", checkDataDir(dir))
	if err := os.Remove(journal); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(journal, 0o700); err != nil {
		t.Fatal(err)
	}
	look("a journal that cannot be opened", "risk : cannot be written, so every loss is refused whatever the breaker's state", checkJournal(dir))
	gone := dataDir(filepath.Join(string(dir), "gone"))
	look("no directory", "risk : stat", checkDataDir(gone))
	look("no disk", "risk : free space is unknown", checkDisk(gone))
	if got := risks("journal", checkJournal(dir)); len(got) != 1 || !strings.HasPrefix(got[0], "journal: cannot be written") {
		t.Errorf("status says %q", got)
	}
}

// TestCertificateIsLookedAt: the time left decides, and a pair that does not
// match is seen before the restart that would need it.
func TestCertificateIsLookedAt(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	writePair(t, certFile, keyFile, 1, at) // ends a day later
	for left, want := range map[time.Duration]api.DiagnosisVerdict{20 * 24 * time.Hour: "ok", 10 * 24 * time.Hour: "warning", 2 * 24 * time.Hour: "risk", -time.Hour: "risk"} {
		if got := checkCertificate(certFile, keyFile, at.Add(24*time.Hour-left)); got[0].Verdict != want {
			t.Errorf("%s left: %s", left, verdicts(got))
		}
	}
	if got := checkCertificate("", "", at); got[0].Verdict != api.DiagnosisVerdictOk {
		t.Error(verdicts(got))
	}
	other := filepath.Join(dir, "other.pem")
	writePair(t, filepath.Join(dir, "other-cert.pem"), other, 2, at)
	if got := checkCertificate(certFile, other, at); got[0].Verdict != api.DiagnosisVerdictRisk {
		t.Error(verdicts(got))
	}
}
