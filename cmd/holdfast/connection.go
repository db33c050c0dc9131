package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/client"
	"github.com/holdfast-bgp/holdfast/cmd/internal/strictcli"
	"github.com/urfave/cli/v2"
)

// answerTimeout bounds one request. A rollback of a full table answers in well
// under a second; a daemon that needs longer is hung.
const answerTimeout = 30 * time.Second

// maxAnswer bounds what is read: a list of 100,000 prefixes takes some 80 MB.
const maxAnswer = 256 << 20

// connection is an open way to one daemon of one environment.
type connection struct {
	*client.Client
	environment string
}

// dial checks the global flags and that the daemon at the other end is of the
// environment that was named (invariant 12): nothing else is sent before.
func dial(c *cli.Context) (*connection, error) {
	environment := c.String("environment")
	if environment == "" {
		return nil, strictcli.Usage("-e ENVIRONMENT is missing; there is no default, so that two never mix")
	}
	raw, err := transport(c)
	if err != nil {
		return nil, err
	}
	conn := &connection{Client: raw, environment: environment}
	runs, err := conn.runs(c.Context)
	if err != nil {
		return nil, err
	}
	if runs != environment {
		return nil, &strictcli.Error{Code: strictcli.ExitRefused, Err: fmt.Errorf("the daemon runs environment %q, you said %q: nothing was sent", runs, environment)}
	}
	return conn, nil
}

// runs is the environment of the daemon at the other end. An owner's token may
// not read its status; every list says the same.
func (conn *connection) runs(ctx context.Context) (string, error) {
	answer, err := conn.GetStatus(ctx)
	if err == nil && answer.StatusCode == http.StatusForbidden {
		var own client.NegativeIntentList
		if conn.get(conn.ListNegativeIntents(ctx, nil)).into(&own) == nil && own.Environment != "" {
			_ = answer.Body.Close()
			return own.Environment, nil
		}
	}
	var status client.Status
	err = conn.get(answer, err).into(&status)
	return status.Environment, err
}

func transport(c *cli.Context) (*client.Client, error) {
	socket, server := c.String("socket"), c.String("server")
	switch {
	case socket != "" && server != "":
		return nil, strictcli.Usage("--socket and --server exclude one another")
	case socket != "":
		if c.String("token-file") != "" {
			return nil, strictcli.Usage("--token-file goes with --server; the socket knows you by your user")
		}
		return client.NewClient("http://holdfast.sock", client.WithHTTPClient(overSocket(socket)))
	case server != "":
		return overHTTP(server, c.String("token-file"))
	}
	return nil, strictcli.Usage("say how to reach the daemon: --socket PATH, or --server URL with --token-file FILE")
}

func overSocket(path string) *http.Client {
	var d net.Dialer
	return &http.Client{Timeout: answerTimeout, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}
}

func overHTTP(server, tokenFile string) (*client.Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, strictcli.Usage("--server %q: want http://HOST:PORT or https://HOST", server)
	}
	if tokenFile == "" {
		return nil, strictcli.Usage("--server needs --token-file FILE")
	}
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	secret := strings.TrimSpace(string(token))
	if secret == "" {
		return nil, fmt.Errorf("token file %s: is empty", tokenFile)
	}
	return client.NewClient(strings.TrimRight(server, "/"),
		client.WithHTTPClient(&http.Client{Timeout: answerTimeout}),
		client.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+secret)
			return nil
		}))
}

// answer is the body of a successful request, or why there is none.
type answer struct {
	body []byte
	err  error
}

// get reads an answer of the generated client.
func (conn *connection) get(r *http.Response, err error) answer {
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return answer{err: fmt.Errorf("the daemon does not answer: %w\nnext: %s", err, whereIsIt(err))}
	}
	defer r.Body.Close()
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	if err != nil {
		return answer{err: fmt.Errorf("reading the answer: %w", err)}
	}
	if r.StatusCode >= 300 {
		return answer{err: refusal(r.StatusCode, body)}
	}
	return answer{body: body}
}

// whereIsIt is what to look at when nothing answers. The wire needs none of it.
func whereIsIt(err error) string {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "the socket is for root and for the daemon's own user; others use --server with a token"
	case errors.Is(err, context.DeadlineExceeded):
		return "it hangs: its log and docs/runbooks/daemon-down.md; the wire stays as it is"
	}
	return "is it running, and is that its socket or address? docs/runbooks/daemon-down.md; the wire stays as it is"
}

// into decodes the answer.
func (a answer) into(v any) error {
	if a.err != nil {
		return a.err
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return fmt.Errorf("the daemon's answer cannot be read: %w", err)
	}
	return nil
}

// refusal turns a problem document into an error with the exit code of its
// kind: 4 held by the breaker, 3 refused by policy, 2 bad input.
func refusal(status int, body []byte) error {
	var p client.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Code == "" {
		return fmt.Errorf("the daemon answered %d: %.200s", status, body)
	}
	text := p.Why
	if p.Field != nil && *p.Field != "" {
		text = fieldName(*p.Field) + ": " + strings.TrimPrefix(text, "/"+fieldName(*p.Field)+": ")
	}
	if p.Findings != nil {
		for _, f := range *p.Findings {
			text += fmt.Sprintf("\n  %s: %s", f.Rule, f.Why)
		}
	}
	if p.Next != nil && *p.Next != "" {
		text += "\nnext: " + *p.Next
	}
	if p.Confirm != nil && *p.Confirm != "" {
		text += "\nto go through with it add --confirm " + *p.Confirm
	}
	return &strictcli.Error{Code: exitCode(status, p.Code), Err: errors.New(text)}
}

// fieldName is a field of the request as an operator names it: where in the
// request it stood is of no use at a shell.
func fieldName(pointer string) string {
	for _, part := range []string{"body./", "query.", "path.", "header."} {
		if name, ok := strings.CutPrefix(pointer, part); ok {
			return name
		}
	}
	return pointer
}

func exitCode(status int, code string) int {
	switch {
	case code == "held" || code == "frozen" || status == http.StatusLocked:
		return strictcli.ExitHeld
	case status == http.StatusBadRequest:
		return strictcli.ExitUsage
	case status == http.StatusForbidden, status == http.StatusConflict, status == http.StatusUnprocessableEntity, status == http.StatusPreconditionFailed:
		return strictcli.ExitRefused
	}
	return strictcli.ExitBroke
}
