package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// listenTLS puts TLS on a listener. It closes it if the files cannot be used.
func listenTLS(l net.Listener, certFile, keyFile string, log *slog.Logger) (net.Listener, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if _, err := c.get(nil); err != nil {
		return nil, errors.Join(fmt.Errorf("api.tls: %w", err), l.Close())
	}
	return tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}), nil
}

// certificate reads its files again when one of them changes, so that renewing
// it needs no restart. A renewal that cannot be read keeps the old one and is
// logged once.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]time.Time // of the files as they were last read, well or not
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp := [2]time.Time{modified(c.certFile), modified(c.keyFile)}
	if c.loaded != nil && stamp == c.stamp {
		return c.loaded, nil
	}
	c.stamp = stamp
	fresh, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		if c.loaded != nil {
			c.log.Info("certificate renewed", "file", c.certFile, "not_after", fresh.Leaf.NotAfter)
		}
		c.loaded = &fresh
	case c.loaded == nil:
		return nil, err
	default:
		c.log.Error("the renewed certificate cannot be used; the old one is served on", "file", c.certFile, "not_after", c.loaded.Leaf.NotAfter, "error", err)
	}
	return c.loaded, nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}
