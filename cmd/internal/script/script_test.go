package script

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var bin string

func TestMain(m *testing.M) { os.Exit(build(m)) }

// build makes the programs the way the Makefile does and runs the tests.
func build(m *testing.M) int {
	var err error
	if bin, err = os.MkdirTemp("", "holdfast-script"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(bin)
	for program, cgo := range map[string]string{"holdfastd": "1", "holdfast": "0"} {
		cmd := exec.Command("go", "build", "-o", filepath.Join(bin, program), "github.com/holdfast-bgp/holdfast/cmd/"+program)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", program, err, out)
			return 1
		}
	}
	return m.Run()
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata",
		Setup: setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"config": writeConfig,
			"ready":  waitReady,
			"code":   httpCode,
			"id":     takeID,

			"routes":     waitRoutes,
			"now":        routesNow,
			"generation": takeGeneration,
			"intent":     takeIntent,

			"speaker":     writeSpeaker,
			"certificate": makeCertificate,
			"says":        waitSays,
			"damage":      damageParts,
			"metric":      hasMetric,
		},
	})
}

// setup gives each script ports of its own.
func setup(env *testscript.Env) error {
	env.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	for _, name := range []string{"API", "METRICS", "BGP"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv(name, l.Addr().String())
		l.Close()
	}
	// A path of its own, short enough for a Unix socket.
	dir, err := os.MkdirTemp("", "hf")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(dir) })
	env.Setenv("SOCKET", filepath.Join(dir, "admin.sock"))
	env.Setenv("SPEAKER", filepath.Join(dir, "speaker.sock"))
	return nil
}

// writeConfig writes a configuration with the script's ports: config FILE
// ENVIRONMENT [neighbor].
func writeConfig(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: config FILE ENVIRONMENT [neighbor] [LINE...]")
	}
	var b bytes.Buffer
	file := args[0]
	fmt.Fprintf(&b, "environment: %s\ndata_dir: ./data\napi: {listen: %q}\nadmin: {socket: %s}\nmetrics: {listen: %q}\n", args[1], ts.Getenv("API"), ts.Getenv("SOCKET"), ts.Getenv("METRICS"))
	fmt.Fprintf(&b, "bgp:\n  drain: {prefixes: 0s}\n  asn: 64500\n  router_id: 192.0.2.1\n  listen: [%q]\n", ts.Getenv("BGP"))
	args = args[2:]
	if len(args) > 0 && args[0] == "neighbor" {
		args = args[1:]
		b.WriteString("  neighbors:\n    - name: transit-a\n      address: 127.0.0.2\n      port: 1\n      asn: 64510\n      role: customer\n      families: [ipv4-unicast, ipv6-unicast]\n      next_hop: {ipv4: 192.0.2.1, ipv6: \"2001:db8::1\"}\n")
	}
	for _, line := range args {
		fmt.Fprintln(&b, line)
	}
	ts.Check(os.WriteFile(ts.MkAbs(file), b.Bytes(), 0o600))
}

// waitReady waits until /readyz answers 200, 10 s at most: the daemon's
// promise. "ready healthz" waits until the daemon answers at all.
func waitReady(ts *testscript.TestScript, neg bool, args []string) {
	last, path := "no answer", "/readyz"
	if len(args) == 1 {
		path = "/" + args[0]
	}
	if neg || len(args) > 1 {
		ts.Fatalf("usage: ready [healthz]")
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r, err := http.Get("http://" + ts.Getenv("API") + path)
		if err != nil {
			last = err.Error()
			continue
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body)
		r.Body.Close()
		if last = r.Status + " " + body.String(); r.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("the daemon was not ready within 10 s: %s", last)
}

// httpCode sends a request to the API and compares the status: code WANT
// METHOD PATH [TOKEN_FILE] [BODY].
func httpCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: code WANT METHOD PATH [TOKEN_FILE [BODY]]")
	}
	var body string
	if len(args) == 5 {
		body = args[4]
	}
	// The path goes out as it is written, unclean ones too.
	req, err := http.NewRequest(args[1], "http://"+ts.Getenv("API"), strings.NewReader(body))
	ts.Check(err)
	path, query, has := strings.Cut(args[2], "?")
	req.URL.Opaque, req.URL.RawQuery, req.URL.ForceQuery = path, query, has && query == ""
	if len(args) >= 4 && args[3] != "-" {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[3])))
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	r, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer r.Body.Close()
	var out bytes.Buffer
	_, _ = out.ReadFrom(r.Body)
	if got := fmt.Sprint(r.StatusCode); got != args[0] {
		ts.Fatalf("%s %s: status %s, want %s: %s", args[1], args[2], got, args[0], out.String())
	}
	ts.Check(os.WriteFile(ts.MkAbs("answer"), out.Bytes(), 0o600))
}

// takeID sets a variable from a field of the JSON object on stdout: id NAME FIELD.
func takeID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: id NAME FIELD")
	}
	key := fmt.Sprintf("%q:", args[1])
	_, rest, found := strings.Cut(ts.ReadFile("stdout"), key)
	if !found {
		ts.Fatalf("no field %s on stdout", args[1])
	}
	value, _, _ := strings.Cut(strings.TrimLeft(rest, " \""), "\n")
	value = strings.Trim(value, "\",")
	ts.Setenv(args[0], value)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(value), 0o600))
}

// target is how many routes the first neighbor's Target has, as the daemon
// says over its socket.
func target(ts *testscript.TestScript) int {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", ts.Getenv("SOCKET"))
	}}}
	defer client.CloseIdleConnections()
	r, err := client.Get("http://holdfast.sock/v1/neighbors")
	ts.Check(err)
	defer r.Body.Close()
	var l struct {
		Items []struct {
			Target map[string]int `json:"target"`
		} `json:"items"`
	}
	ts.Check(json.NewDecoder(r.Body).Decode(&l))
	if len(l.Items) == 0 {
		ts.Fatalf("the daemon has no neighbor")
	}
	n := 0
	for _, of := range l.Items[0].Target {
		n += of
	}
	return n
}

// waitRoutes waits until the neighbor is to hold so many routes, and that it
// stays so for a while: routes N.
func waitRoutes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: routes N")
	}
	got := -1
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = target(ts); fmt.Sprint(got) != args[0] {
			continue
		}
		time.Sleep(300 * time.Millisecond) // several builds
		if got = target(ts); fmt.Sprint(got) == args[0] {
			return
		}
	}
	ts.Fatalf("the neighbor is to hold %d routes, want %s", got, args[0])
}

// routesNow is waitRoutes for what must be so when the command before it
// answers: now N.
func routesNow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: now N")
	}
	if got := target(ts); fmt.Sprint(got) != args[0] {
		ts.Fatalf("the neighbor is to hold %d routes when the verb answers, want %s", got, args[0])
	}
}

// takeGeneration sets a variable to the generation so many before the newest
// of the snapshot list on stdout: generation NAME N.
func takeGeneration(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: generation NAME N")
	}
	var l struct {
		Items []struct {
			Generation int `json:"generation"`
		} `json:"items"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &l))
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	if n >= len(l.Items) {
		ts.Fatalf("there are only %d generations", len(l.Items))
	}
	ts.Setenv(args[0], strconv.Itoa(l.Items[n].Generation))
}

// takeIntent sets a variable to the id of the one negative intent of the
// prefix on stdout: intent NAME.
func takeIntent(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: intent NAME")
	}
	var p struct {
		Negative []struct {
			ID string `json:"id"`
		} `json:"negative_intents"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &p))
	if len(p.Negative) != 1 {
		ts.Fatalf("the prefix has %d negative intents, want 1", len(p.Negative))
	}
	ts.Setenv(args[0], p.Negative[0].ID)
}
