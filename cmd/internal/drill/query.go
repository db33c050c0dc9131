package drill

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
)

// query asks the API, strict gate and all, as a local operator would.
func (r *Rig) query(ctx context.Context, path string) (status int, err error) {
	dir, err := os.MkdirTemp("", "drill-") // a socket's path is short
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	mirror, err := api.OpenMirror(filepath.Join(dir, "auth.json"))
	if err != nil {
		return 0, err
	}
	handler, err := api.New(api.Config{Environment: Environment, StartedAt: time.Now(), Mirror: mirror, Quota: api.Quota{PerSecond: 1000, Burst: 1000}})
	if err != nil {
		return 0, err
	}
	handler.Attach(r.Registry)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		return 0, err
	}
	server := &http.Server{Handler: handler, ConnContext: api.ConnContext, ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://holdfast"+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return resp.StatusCode, nil
}
