package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/holdfast-bgp/holdfast/addressing/api"
	"github.com/holdfast-bgp/holdfast/cmd/holdfastd/config"
)

// drainTime bounds how long requests in flight may take at the end.
const drainTime = 5 * time.Second

// servers are the daemon's HTTP listeners. Each fails alone: a dead API
// listener leaves the admin socket and the speaker as they are.
type servers struct {
	log   *slog.Logger
	all   []*http.Server
	group sync.WaitGroup
}

func (s *servers) serve(name string, l net.Listener, server *http.Server) {
	s.all = append(s.all, server)
	s.group.Go(func() {
		if err := server.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("listener ended", "listener", name, "error", err)
		}
	})
}

// close lets requests in flight end, then closes what is left.
func (s *servers) close() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for _, server := range s.all {
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close()
		}
	}
	s.group.Wait()
}

// listenSocket opens the admin socket, replacing one that a dead daemon left
// behind. A socket that somebody answers on is left alone.
func listenSocket(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	switch info, err := os.Lstat(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, fmt.Errorf("admin.socket: %w", err)
	case info.Mode()&fs.ModeSocket == 0:
		return nil, fmt.Errorf("admin.socket: %s exists and is no socket: move it away", path)
	default:
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("admin.socket: another daemon answers on %s: stop it first", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("admin.socket: %w", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	// The kernel says who connects; the mode keeps others from trying.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("admin.socket: %w", err)
	}
	return l, nil
}

func (s *servers) admin(path string, h http.Handler) error {
	l, err := listenSocket(path)
	if err != nil {
		return err
	}
	server := api.NewHTTPServer(h, s.log)
	server.ConnContext = api.ConnContext
	s.serve("admin", l, server)
	return nil
}

func (s *servers) public(c config.API, h http.Handler) error {
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("api.listen: %w", err)
	}
	if c.CertFile != "" {
		if l, err = listenTLS(l, c.CertFile, c.KeyFile, s.log); err != nil {
			return err
		}
	}
	s.serve("api", l, api.NewHTTPServer(h, s.log))
	return nil
}

func (s *servers) metrics(listen string, h http.Handler) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("metrics.listen: %w", err)
	}
	s.serve("metrics", l, api.NewHTTPServer(h, s.log))
	return nil
}
