// Command agent keeps one edge machine's bindings in a file that a local proxy
// reads, and tells Holdfast when they are there. It is an example to start
// from: a real one would acknowledge once the proxy serves them.
//
// When Holdfast cannot be reached the file stays as it is.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"github.com/holdfast-bgp/holdfast/addressing/client"
)

func main() {
	var a agent
	var token string
	flag.StringVar(&a.server, "server", "", "`URL` of the API")
	flag.StringVar(&token, "token-file", "", "`FILE` with a token of the role reporter")
	flag.StringVar(&a.environment, "environment", "", "`ENVIRONMENT` that is meant")
	flag.StringVar(&a.machine, "machine", "", "`NAME` of this machine")
	flag.StringVar(&a.site, "site", "", "`SITE` it stands at")
	flag.StringVar(&a.file, "file", "", "`FILE` to keep the bindings in")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := a.run(ctx, token); err != nil && !errors.Is(err, context.Canceled) {
		slog.Error("agent", "error", err)
		os.Exit(1)
	}
}

// agent is one machine.
type agent struct {
	server, environment, machine, site, file string

	api *client.ClientWithResponses
}

const (
	longPoll = 25 // seconds
	pause    = 2 * time.Second
)

func (a *agent) run(ctx context.Context, tokenFile string) error {
	for name, v := range map[string]string{"server": a.server, "token-file": tokenFile, "environment": a.environment, "machine": a.machine, "site": a.site, "file": a.file} {
		if v == "" {
			return fmt.Errorf("--%s is required", name)
		}
	}
	raw, err := os.ReadFile(tokenFile)
	if err != nil {
		return err
	}
	a.api, err = client.NewClientWithResponses(a.server, client.WithRequestEditorFn(bearer(strings.TrimSpace(string(raw)))))
	if err != nil {
		return err
	}
	for have := int64(0); ; {
		next, err := a.once(ctx, have)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			slog.Warn("bindings not renewed; the file stays as it is", "error", err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
			continue
		}
		have = next
	}
}

func bearer(token string) client.RequestEditorFn {
	return func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

// once waits for bindings newer than have, writes them and says so.
func (a *agent) once(ctx context.Context, have int64) (int64, error) {
	wait := longPoll
	res, err := a.api.WatchEdgeBindingsWithResponse(ctx, &client.WatchEdgeBindingsParams{Machine: a.machine, Site: a.site, After: &have, Wait: &wait})
	if err != nil {
		return have, err
	}
	feed := res.JSON200
	switch {
	case feed == nil:
		return have, fmt.Errorf("bindings: %s", res.Status())
	case feed.Environment != a.environment:
		return have, fmt.Errorf("bindings are of environment %q, this machine is in %q", feed.Environment, a.environment)
	}
	if feed.Generation != have {
		if err := a.write(feed); err != nil {
			return have, err
		}
	}
	ack, err := a.api.AcknowledgeEdgeWithResponse(ctx, nil, client.EdgeAcknowledgement{Machine: a.machine, Site: a.site, Generation: feed.Generation})
	if err != nil {
		return have, err
	}
	if ack.JSON200 == nil {
		return have, fmt.Errorf("acknowledge: %s", ack.Status())
	}
	return feed.Generation, nil
}

// write replaces the file whole: a proxy never sees half of it.
func (a *agent) write(feed *client.EdgeBindings) error {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(feed); err != nil {
		return err
	}
	return renameio.WriteFile(a.file, out.Bytes(), 0o644)
}
