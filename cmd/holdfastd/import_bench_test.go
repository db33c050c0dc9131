package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// BenchmarkImport is a take-over: holdfast import --stage advertised of a table
// into a daemon that has nothing, with two neighbors that take everything. The
// time of one prefix must not grow with the table.
func BenchmarkImport(b *testing.B) {
	holdfast := filepath.Join(b.TempDir(), "holdfast")
	if out, err := exec.CommandContext(b.Context(), "go", "build", "-o", holdfast, "github.com/holdfast-bgp/holdfast/cmd/holdfast").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, n := range []int{500, 1000, 2000, 4000} {
		b.Run(fmt.Sprintf("prefixes=%d", n), func(b *testing.B) {
			table := filepath.Join(b.TempDir(), "table.csv")
			var csv strings.Builder
			csv.WriteString("prefix,origin\n")
			for i := range n {
				fmt.Fprintf(&csv, "%s,64500\n", nth(i))
			}
			if err := os.WriteFile(table, []byte(csv.String()), 0o600); err != nil {
				b.Fatal(err)
			}
			var spent time.Duration
			for b.Loop() {
				b.StopTimer()
				ends := []farEnd{listen(b, "transit-a", "127.0.0.61", 64510), listen(b, "transit-b", "127.0.0.62", 64511)}
				w := startDaemon(b, "  neighbors:\n"+ends[0].entry("asn: 64510, role: customer")+ends[1].entry("asn: 64511, role: customer"))
				before := processorTime(b)
				b.StartTimer()
				out, err := exec.CommandContext(b.Context(), holdfast, "-e", "test", "--socket", filepath.Join(w.dir, "s"), "-o", "json", "import", "--from", "csv", "--origin", "64500",
					"--stage", "advertised", "--allow-special-purpose", "--accept-risk", "unverified", "--reason", "take over", "--yes", table).CombinedOutput()
				if err != nil {
					b.Fatalf("%v\n%.2000s", err, out)
				}
				w.until("the table", func() bool { return ends[0].Held() == n && ends[1].Held() == n })
				b.StopTimer()
				spent += processorTime(b) - before
				w.stop()
				for _, e := range ends {
					_ = e.Close()
				}
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/prefix")
			b.ReportMetric(float64(spent.Microseconds())/float64(b.N*n), "cpu-µs/prefix")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// processorTime is what this process, the daemon and both neighbors, has used.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
