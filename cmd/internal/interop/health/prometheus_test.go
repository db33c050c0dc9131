//go:build interop && linux

package health

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/holdfast-bgp/holdfast/cmd/internal/lab"
	"github.com/holdfast-bgp/holdfast/snapshots/rollout/health"
)

func TestMain(m *testing.M) { lab.Main(m) }

// free is a port that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs Prometheus against an exporter until the test ends.
func start(t *testing.T, exporter string) (address string, stop func()) {
	t.Helper()
	dir, address := t.TempDir(), free(t)
	config := fmt.Sprintf("global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: edge\n  static_configs: [{targets: [%q]}]\n", exporter)
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address)
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			_ = c.Process.Kill()
			_ = c.Wait()
			log.Close()
		}
	}
	t.Cleanup(stop)
	return address, stop
}

// What Prometheus scraped becomes samples, by account, site and service, and
// a Prometheus that is gone is an error: silence.
func TestPrometheus(t *testing.T) {
	var seconds atomic.Int64
	exporter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := seconds.Add(1)
		for account, errors := range map[string]int64{"a": 0, "b": 20} {
			fmt.Fprintf(w, "requests_total{account_id=%q,site=\"fra\",service=\"cdn\"} %d\n", account, 100*n)
			fmt.Fprintf(w, "errors_total{account_id=%q,site=\"fra\",service=\"cdn\"} %d\n", account, errors*n)
		}
	}))
	defer exporter.Close()
	address, stop := start(t, exporter.Listener.Addr().String())
	const by = "sum by (account_id, site, service) (increase(%s_total[10s]))"
	p := health.Prometheus{URL: "http://" + address, Requests: fmt.Sprintf(by, "requests"), Errors: fmt.Sprintf(by, "errors"), Interval: time.Second}
	ratios := map[string]float64{}
	var last error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end) && len(ratios) < 2; time.Sleep(time.Second) {
		got, err := p.Sample(t.Context(), time.Now())
		last = err
		for _, s := range got {
			if s.Site == "fra" && s.Service == "cdn" && s.Requests > 0 {
				ratios[s.Account] = s.Errors / s.Requests
			}
		}
	}
	if len(ratios) != 2 || ratios["a"] != 0 || ratios["b"] < 0.19 || ratios["b"] > 0.21 {
		t.Fatalf("ratios %v, last error %v", ratios, last)
	}
	p.Requests = "sum by (account_id) (requests_total)"
	if got, err := p.Sample(t.Context(), time.Now()); err == nil {
		t.Errorf("a query without site and service gave %+v", got)
	}
	stop()
	if got, err := p.Sample(t.Context(), time.Now()); err == nil {
		t.Errorf("a Prometheus that is gone gave %+v", got)
	}
}
