//go:build interop

package sdk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rig is a daemon with two accounts, a service and the tokens a walk needs.
type rig struct {
	dir, api, socket string
	env              []string
}

func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.String())
	}
	return string(out)
}

func start(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &rig{dir: dir, api: freePort(t), socket: filepath.Join(dir, "s")}
	run(t, ".", []string{"CGO_ENABLED=1"}, "go", "build", "-o", filepath.Join(dir, "holdfastd"), "../../holdfastd")
	run(t, ".", []string{"CGO_ENABLED=0"}, "go", "build", "-o", filepath.Join(dir, "holdfast"), "../../holdfast")
	config := fmt.Sprintf("environment: sdk\ndata_dir: ./data\napi: {listen: %q}\nadmin: {socket: %s}\nmetrics: {listen: %q}\nbgp: {asn: 64500, router_id: 192.0.2.1, drain: {prefixes: 0s}, neighbors: []}\nlog: {level: error}\n", r.api, r.socket, freePort(t))
	if err := os.WriteFile(filepath.Join(dir, "h.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := exec.Command(filepath.Join(dir, "holdfastd"), "serve", "--config", filepath.Join(dir, "h.yaml"))
	d.Stderr = os.Stderr
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.Process.Signal(syscall.SIGTERM)
		_ = d.Wait()
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if a, err := http.Get("http://" + r.api + "/readyz"); err == nil {
			a.Body.Close()
			if a.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal("the daemon was not ready within 10 s")
		}
	}
	account, other := r.create(t, "id", "account", "create", "--name", "ours"), r.create(t, "id", "account", "create", "--name", "theirs")
	r.create(t, "id", "service", "create", "--name", "CDN")
	r.env = []string{
		"BASE_URL=http://" + r.api + "/client/v4", "V1_URL=http://" + r.api + "/v1", "ACCOUNT=" + account, "OTHER_ACCOUNT=" + other,
		"TOKEN=" + r.create(t, "token", "token", "create", "--account", account, "--role", "admin"),
		"READ_ONLY=" + r.create(t, "token", "token", "create", "--account", account, "--role", "read-only"),
		"OPERATOR=" + r.create(t, "token", "token", "create", "--role", "operator"),
	}
	return r
}

// create runs a verb of the CLI and returns one field of its JSON answer.
func (r *rig) create(t *testing.T, field string, verb ...string) string {
	t.Helper()
	args := append([]string{"-e", "sdk", "--socket", r.socket, "-o", "json"}, verb...)
	var answer map[string]any
	if err := json.Unmarshal([]byte(run(t, r.dir, nil, filepath.Join(r.dir, "holdfast"), args...)), &answer); err != nil {
		t.Fatal(err)
	}
	return answer[field].(string)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func passed(t *testing.T, out string) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	last := lines[len(lines)-1]
	var steps, failed int
	if _, err := fmt.Sscanf(last, "%d passed, %d failed", &steps, &failed); err != nil || failed != 0 || steps < 40 {
		t.Fatalf("the walk ended with %q, want at least 40 steps passed", last)
	}
	t.Log(last)
}

func TestGoClient(t *testing.T) {
	passed(t, run(t, "gowalk", start(t).env, "go", "run", "."))
}

func TestNodeClient(t *testing.T) {
	r := start(t)
	work := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "walk.mjs"} {
		src, err := os.ReadFile(filepath.Join("nodewalk", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), src, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run(t, work, nil, "npm", "ci", "--no-audit", "--no-fund")
	passed(t, run(t, work, r.env, "node", "walk.mjs"))
}
